//! The results of readiness probes, interval by interval: whether a gateway that was recorded as well stayed so.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::{
    catalog::Phase,
    history::minutes::place,
    journal::{Counter, Finding, Incident, Interval, Timing},
    plan::{Plan, moment},
};

/// Intervals are so long, scenario milliseconds. Of longer ones there are fewer, and of shorter ones two or three are one
/// look.
const LOOK_MS: u64 = 10_000;
/// No probe waits longer for its answer, real milliseconds: what is assumed where no round trip is on record.
const PROBE_MS_MAX: f64 = 2_000.0;
/// Fewer probes that were not ready are no relapse: one may go astray, and one may be counted in an interval whose answer
/// is counted in the next.
const UNREADY_MIN: u64 = 3;

/// The probes of one interval.
#[derive(Debug, Clone, Copy)]
struct ReadinessSample {
    from_ms: u64,
    to_ms: u64,
    /// No probe of it was sent earlier.
    sent_ms: u64,
    unready: u64,
    /// Whether it is out of chaos windows.
    is_steady: bool,
}

/// Looks at readiness over the soak, in windows and out of them.
///
/// They rest on the counters of intervals, which know every probe, and not on incidents, of which an interval keeps a few.
#[derive(Debug, Clone)]
pub(crate) struct ReadinessSeries {
    pace: f64,
    looks: Vec<Option<ReadinessSample>>,
    /// The newest answer that was not ready, by phase.
    answers: BTreeMap<Phase, (u64, String)>,
}

/// A gateway that was said to be well again, and was not ready afterwards.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Relapse {
    /// When it was said to be well.
    pub(crate) well_ms: u64,
    /// Probes that were not answered ready.
    pub(crate) unready: u64,
    /// When the first interval began that has some; scenario milliseconds.
    pub(crate) since_ms: u64,
    /// The last of them that has a moment, or else the beginning of the last interval that has some. Never later than the
    /// last of them was.
    pub(crate) last_ms: u64,
    /// The answer at that time, where it is on record.
    pub(crate) answer: Option<String>,
    /// Whether an interval came after it in which every probe was answered ready.
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
    /// None yet, with the room that so long a soak will need.
    pub(crate) fn with_capacity(plan: &Plan) -> Self {
        Self { pace: plan.pace, looks: vec![None; place_of(plan.duration_ms) + 1], answers: BTreeMap::new() }
    }

    /// Takes in the probes of an interval. Whoever tells of intervals bounds how late they may be.
    pub(crate) fn absorb(&mut self, interval: &Interval) {
        let counted = |counter| interval.counters.get(&counter).copied().unwrap_or(0);
        let probes = counted(Counter::ReadyProbes);
        if probes == 0 {
            return;
        }
        let timing = interval.timings.get(&Timing::ReadyRoundTrip).map(|record| &record.histogram);
        let slowest_us = timing.filter(|histogram| !histogram.is_empty()).map(|histogram| histogram.max_us());
        let slowest_ms = slowest_us.map_or(PROBE_MS_MAX, |us| us as f64 / 1_000.0);
        let took_ms = (slowest_ms * self.pace).ceil() as u64;
        let look = ReadinessSample {
            from_ms: interval.from_ms,
            to_ms: interval.to_ms,
            sent_ms: interval.from_ms.saturating_sub(took_ms),
            unready: probes.saturating_sub(counted(Counter::ReadyOk)),
            is_steady: interval.phase == Phase::Steady,
        };
        let kept = place(&mut self.looks, place_of(interval.from_ms));
        *kept = Some(kept.map_or(look, |kept| kept.and(look)));
    }

    /// Takes in what a probe was answered that was not ready.
    pub(crate) fn absorb_incident(&mut self, incident: &Incident) {
        let Finding::NotReady { answer } = &incident.finding else { return };
        let newest = self.answers.entry(incident.phase).or_default();
        if (newest.0, newest.1.as_str()) <= (incident.at_ms, answer) {
            *newest = (incident.at_ms, answer.clone());
        }
    }

    /// Whether a gateway that was said to be well at a moment was not ready afterwards, before another event was injected.
    ///
    /// A look counts where all its probes were sent after that moment: one that waits for an answer since before it tells
    /// of the time before. Looks are followed to the end of the window, and on from there for as long as none of them is
    /// good: what comes after that has nothing to do with the event, and is `availability`'s.
    pub(crate) fn relapse(&self, well_ms: u64, until_ms: u64) -> Option<Relapse> {
        let mut found: Option<Relapse> = None;
        let mut last: Option<ReadinessSample> = None;
        // No look that began earlier can count.
        let after = self
            .looks
            .iter()
            .skip(place_of(well_ms))
            .flatten()
            .filter(|look| look.sent_ms >= well_ms && look.to_ms <= until_ms);
        for look in after {
            if look.unready > 0 {
                let since_ms = look.from_ms;
                let begin = || Relapse { well_ms, unready: 0, since_ms, last_ms: 0, answer: None, is_over: false };
                let relapse = found.get_or_insert_with(begin);
                relapse.unready = relapse.unready.saturating_add(look.unready);
                relapse.is_over = false;
                last = Some(*look);
            } else {
                found.iter_mut().for_each(|relapse| relapse.is_over = true);
                if look.is_steady {
                    break;
                }
            }
        }
        let (mut relapse, last) = found.filter(|relapse| relapse.unready >= UNREADY_MIN).zip(last)?;
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
    /// Both as one.
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
    usize::try_from(at_ms / LOOK_MS).unwrap_or(usize::MAX)
}
