//! The results of readiness probes, interval by interval: whether a gateway that recovered stayed ready.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::{
    catalog::Phase,
    history::{latency_steps::ms, minutes::place},
    journal::{Counter, Finding, Incident, Interval, Timing},
    plan::{Plan, moment},
};

/// The length of an interval, scenario milliseconds. Two or three shorter ones are one sample.
const SAMPLE_MS: u64 = 10_000;
/// The timeout of a probe, real milliseconds: assumed where no round trip is on record.
const PROBE_MS_MAX: f64 = 2_000.0;
/// Fewer probes that were not ready are no relapse: one may go astray, and one may be counted in an interval whose
/// answer is counted in the next.
const UNREADY_MIN: u64 = 3;

#[derive(Debug, Clone, Copy)]
struct ReadinessSample {
    from_ms: u64,
    to_ms: u64,
    /// No probe of it was sent earlier.
    sent_ms: u64,
    unready: u64,
    is_steady: bool,
}

/// Readiness over the soak, in chaos windows and out of them.
///
/// It is read from the counters of intervals, which count every probe; of incidents an interval keeps a few only.
#[derive(Debug, Clone)]
pub(crate) struct ReadinessSeries {
    pace: f64,
    samples: Vec<Option<ReadinessSample>>,
    /// The newest answer that was not ready, by phase.
    answers: BTreeMap<Phase, (u64, String)>,
}

/// A gateway that was recorded as recovered, and was not ready afterwards. Times are scenario milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Relapse {
    /// When it was recorded as recovered.
    pub(crate) well_ms: u64,
    /// The number of probes that were not answered ready.
    pub(crate) unready: u64,
    /// The begin of the first interval with such a probe.
    pub(crate) since_ms: u64,
    /// The last such probe on record, or else the begin of the last interval with one: never later than the last one.
    pub(crate) last_ms: u64,
    /// The answer at that time, where it is on record.
    pub(crate) answer: Option<String>,
    /// Whether a later interval has only probes that were answered ready.
    pub(crate) is_over: bool,
}

/// The behaviour of the gateway, as a text that follows "the gateway".
impl fmt::Display for Relapse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [well, since, last] = [self.well_ms, self.since_ms, self.last_ms].map(moment);
        write!(f, "was well at {well}, and then not ready {} times, ", self.unready)?;
        if since == last {
            write!(f, "at {since}")?;
        } else {
            write!(f, "from {since} to {last}")?;
        }
        self.answer.as_ref().map_or(Ok(()), |answer| write!(f, ": {answer}"))
    }
}

impl ReadinessSeries {
    pub(crate) fn with_capacity(plan: &Plan) -> Self {
        Self { pace: plan.pace, samples: vec![None; place_of(plan.duration_ms) + 1], answers: BTreeMap::new() }
    }

    /// Takes in the probes of an interval. The caller bounds its time.
    pub(crate) fn absorb(&mut self, interval: &Interval) {
        let counted = |counter| interval.counters.get(&counter).copied().unwrap_or(0);
        let probes = counted(Counter::ReadyProbes);
        if probes == 0 {
            return;
        }
        let timing = interval.timings.get(&Timing::ReadyRoundTrip).map(|record| &record.histogram);
        let slowest_us = timing.filter(|histogram| !histogram.is_empty()).map(|histogram| histogram.max_us());
        let slowest_ms = slowest_us.map_or(PROBE_MS_MAX, ms);
        let took_ms = (slowest_ms * self.pace).ceil() as u64;
        let sample = ReadinessSample {
            from_ms: interval.from_ms,
            to_ms: interval.to_ms,
            sent_ms: interval.from_ms.saturating_sub(took_ms),
            unready: probes.saturating_sub(counted(Counter::ReadyOk)),
            is_steady: interval.phase == Phase::Steady,
        };
        let kept = place(&mut self.samples, place_of(interval.from_ms));
        *kept = Some(kept.map_or(sample, |kept| kept.and(sample)));
    }

    pub(crate) fn absorb_incident(&mut self, incident: &Incident) {
        let Finding::NotReady { answer } = &incident.finding else { return };
        let newest = self.answers.entry(incident.phase).or_default();
        if (newest.0, newest.1.as_str()) <= (incident.at_ms, answer) {
            *newest = (incident.at_ms, answer.clone());
        }
    }

    /// Whether a gateway that had recovered at a moment was not ready afterwards, before another event was injected.
    ///
    /// A sample counts where all its probes were sent after that moment. Samples are followed to the end of the window,
    /// and on from there until one is good: later failures have nothing to do with the event, and are `availability`'s.
    pub(crate) fn relapse(&self, well_ms: u64, until_ms: u64) -> Option<Relapse> {
        let mut relapse = Relapse { well_ms, unready: 0, since_ms: 0, last_ms: 0, answer: None, is_over: false };
        let mut last: Option<ReadinessSample> = None;
        // No sample that began earlier can count.
        let after = self.samples.iter().skip(place_of(well_ms)).flatten();
        for sample in after.filter(|sample| sample.sent_ms >= well_ms && sample.to_ms <= until_ms) {
            if sample.unready > 0 {
                relapse.since_ms = if last.is_none() { sample.from_ms } else { relapse.since_ms };
                relapse.unready = relapse.unready.saturating_add(sample.unready);
                relapse.is_over = false;
                last = Some(*sample);
            } else {
                relapse.is_over = true;
                if sample.is_steady {
                    break;
                }
            }
        }
        let last = last.filter(|_| relapse.unready >= UNREADY_MIN)?;
        let answers = self.answers.values().filter(|(at_ms, _)| (relapse.since_ms..=last.to_ms).contains(at_ms));
        let newest = answers.max();
        relapse.last_ms = newest.map_or(0, |(at_ms, _)| *at_ms).max(last.from_ms);
        relapse.answer = newest.map(|(_, answer)| answer.clone());
        Some(relapse)
    }

    /// Real milliseconds between two moments of the scenario.
    pub(crate) fn real_ms(&self, from_ms: u64, to_ms: u64) -> u64 {
        (to_ms.saturating_sub(from_ms) as f64 / self.pace).round() as u64
    }
}

impl ReadinessSample {
    fn and(self, other: Self) -> Self {
        Self {
            from_ms: self.from_ms.min(other.from_ms),
            to_ms: self.to_ms.max(other.to_ms),
            sent_ms: self.sent_ms.min(other.sent_ms),
            unready: self.unready.saturating_add(other.unready),
            is_steady: self.is_steady && other.is_steady,
        }
    }
}

fn place_of(at_ms: u64) -> usize {
    usize::try_from(at_ms / SAMPLE_MS).unwrap_or(usize::MAX)
}
