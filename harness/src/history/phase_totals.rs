//! Counts, latencies and the gateway's own histograms of one phase, and the samples that stand for the worst of them.

use std::collections::BTreeMap;

use crate::{
    catalog::Phase,
    history::{Violation, bucket_bounds::BucketBounds},
    journal::{Counter, Exemplar, Interval, LatencyHistogram, Source, Timing},
};

/// Worst samples kept, by timing.
pub(crate) const WORST_MAX: usize = 5;

/// Which phases a judge looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Outside chaos windows.
    Steady,
    /// In any chaos window.
    Chaos,
    /// All of the soak.
    All,
}

impl Scope {
    /// Whether the phase is among them.
    pub(crate) fn has(self, phase: Phase) -> bool {
        match self {
            Self::Steady => phase == Phase::Steady,
            Self::Chaos => phase != Phase::Steady,
            Self::All => true,
        }
    }

    /// Its phases.
    pub(crate) fn phases(self) -> impl Iterator<Item = Phase> {
        Phase::ALL.iter().copied().filter(move |phase| self.has(*phase))
    }
}

/// All that was counted and timed in one phase.
#[derive(Debug, Clone, Default)]
pub(crate) struct PhaseTotals {
    pub(crate) counters: BTreeMap<Counter, u64>,
    pub(crate) timings: BTreeMap<Timing, LatencyHistogram>,
    pub(crate) sources: BTreeMap<Source, BucketBounds>,
}

impl PhaseTotals {
    /// An empty tally of a phase, with all the room that it will need.
    pub(crate) fn with_capacity() -> Self {
        let timings = Timing::ALL.iter().map(|timing| (*timing, LatencyHistogram::with_capacity()));
        Self { timings: timings.collect(), ..Self::default() }
    }

    pub(crate) fn absorb(&mut self, interval: &Interval) {
        for (counter, n) in &interval.counters {
            let sum = self.counters.entry(*counter).or_default();
            *sum = sum.saturating_add(*n);
        }
        for (timing, record) in &interval.timings {
            self.timings.entry(*timing).or_default().merge(&record.histogram);
        }
        for (source, buckets) in &interval.sources {
            self.sources.entry(*source).or_default().absorb(buckets);
        }
    }
}

/// The first samples over today's limits, and the worst, of one timing in one phase.
#[derive(Debug, Clone, Default)]
pub(crate) struct TopExemplars {
    /// The first sample over each limit that a target puts on this timing.
    first_over: Vec<(u64, Option<Violation>)>,
    /// Worst first. Values in microseconds.
    worst: Vec<(u64, Violation)>,
    /// The greatest sample, exactly where an exemplar says it, microseconds.
    pub(crate) max_us: u64,
}

impl TopExemplars {
    pub(crate) fn new(limits_us: &[u64]) -> Self {
        Self { first_over: limits_us.iter().map(|limit| (*limit, None)).collect(), ..Self::default() }
    }

    pub(crate) fn absorb(&mut self, interval: &Interval, histogram: &LatencyHistogram, exemplars: &[Exemplar]) {
        // Where the journal names no worst sample, the interval's end and the histogram must do.
        let is_unnamed = exemplars.is_empty() && !histogram.is_empty();
        let value_us = || histogram.max_us();
        let unnamed =
            is_unnamed.then(|| Exemplar { at_ms: interval.to_ms, value_us: value_us(), subject: String::new() });
        for exemplar in exemplars.iter().chain(&unnamed) {
            self.max_us = self.max_us.max(exemplar.value_us);
            let offender = Violation {
                at_ms: exemplar.at_ms,
                phase: interval.phase,
                subject: named(&exemplar.subject),
                value: None,
                answer: None,
            };
            for (limit_us, first) in &mut self.first_over {
                let is_first = first.as_ref().is_none_or(|first| earlier(&offender, first));
                if exemplar.value_us > *limit_us && is_first {
                    *first = Some(offender.clone());
                }
            }
            self.worst.push((exemplar.value_us, offender));
        }
        self.worst.sort_by(|(a, x), (b, y)| b.cmp(a).then_with(|| order(x).cmp(&order(y))));
        self.worst.truncate(WORST_MAX);
    }

    /// The first sample over a limit that was known when the samples came.
    pub(crate) fn first_over(&self, limit_us: u64) -> Option<&Violation> {
        self.first_over.iter().find(|(limit, _)| *limit == limit_us).and_then(|(_, first)| first.as_ref())
    }

    /// The worst samples with their values in microseconds, worst first.
    pub(crate) fn worst(&self) -> &[(u64, Violation)] {
        &self.worst
    }
}

/// A subject as a sentence names it: what looks like a run's id is a run.
pub(crate) fn named(subject: &str) -> String {
    let is_uuid = subject.len() == 36 && subject.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
    if is_uuid { format!("run {subject}") } else { subject.to_owned() }
}

/// Orders offenders by time, and those of one moment by name, so that no order of arrival shows.
pub(crate) fn order(offender: &Violation) -> (u64, &str, Option<&str>) {
    (offender.at_ms, &offender.subject, offender.answer.as_deref())
}

fn earlier(a: &Violation, b: &Violation) -> bool {
    order(a) < order(b)
}
