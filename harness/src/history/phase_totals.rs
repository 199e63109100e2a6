//! Counts, latencies, the gateway's own histograms and the worst samples of one phase.

use std::collections::BTreeMap;

use crate::{
    catalog::Phase,
    history::{SampleLimits, Violation, bucket_bounds::BucketBounds},
    journal::{Counter, Exemplar, Interval, LatencyHistogram, Source, Timing, TimingRecord},
};

/// Maximum number of the worst samples that are kept of a timing.
pub(crate) const WORST_MAX: usize = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Outside chaos windows.
    Steady,
    /// In any chaos window.
    Chaos,
    All,
    In(Phase),
}

impl Scope {
    pub(crate) fn has(self, phase: Phase) -> bool {
        match self {
            Self::Steady => phase == Phase::Steady,
            Self::Chaos => phase != Phase::Steady,
            Self::All => true,
            Self::In(only) => phase == only,
        }
    }

    pub(crate) fn phases(self) -> impl Iterator<Item = Phase> {
        Phase::ALL.iter().copied().filter(move |phase| self.has(*phase))
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct PhaseTotals {
    pub(crate) counters: BTreeMap<Counter, u64>,
    pub(crate) timings: BTreeMap<Timing, LatencyHistogram>,
    pub(crate) sources: BTreeMap<Source, BucketBounds>,
    pub(crate) worst: BTreeMap<Timing, TopExemplars>,
}

impl PhaseTotals {
    /// Empty totals, with the memory for all histograms.
    pub(crate) fn with_capacity() -> Self {
        let timings = Timing::ALL.iter().map(|timing| (*timing, LatencyHistogram::with_capacity()));
        Self { timings: timings.collect(), ..Self::default() }
    }

    pub(crate) fn absorb(&mut self, interval: &Interval, limits: &SampleLimits) {
        for (counter, n) in &interval.counters {
            let sum = self.counters.entry(*counter).or_default();
            *sum = sum.saturating_add(*n);
        }
        for (timing, record) in &interval.timings {
            self.timings.entry(*timing).or_default().merge(&record.histogram);
            let limits_us = limits.timings_us.get(timing).map_or(&[][..], Vec::as_slice);
            self.worst.entry(*timing).or_insert_with(|| TopExemplars::new(limits_us)).absorb(interval, record);
        }
        for (source, buckets) in &interval.sources {
            self.sources.entry(*source).or_default().absorb(buckets);
        }
    }
}

/// The first samples over the limits that targets set, and the worst samples, of one timing in one phase.
#[derive(Debug, Clone, Default)]
pub(crate) struct TopExemplars {
    /// The first sample over each limit, microseconds.
    first_over: Vec<(u64, Option<Violation>)>,
    /// The worst samples with their values in microseconds, worst first.
    pub(crate) worst: Vec<(u64, Violation)>,
    /// The greatest sample, exact where an exemplar has it, microseconds.
    pub(crate) max_us: u64,
}

impl TopExemplars {
    fn new(limits_us: &[u64]) -> Self {
        Self { first_over: limits_us.iter().map(|limit| (*limit, None)).collect(), ..Self::default() }
    }

    fn absorb(&mut self, interval: &Interval, TimingRecord { histogram, worst }: &TimingRecord) {
        // Where the journal names no worst sample, the interval's end and the histogram stand for it.
        let is_unnamed = worst.is_empty() && !histogram.is_empty();
        let (at_ms, subject) = (interval.to_ms, String::new());
        let unnamed = is_unnamed.then(|| Exemplar { at_ms, value_us: histogram.max_us(), subject });
        for exemplar in worst.iter().chain(&unnamed) {
            self.max_us = self.max_us.max(exemplar.value_us);
            let offender = Violation::at(exemplar.at_ms, interval.phase, named(&exemplar.subject));
            for (limit_us, first) in &mut self.first_over {
                let is_first = first.as_ref().is_none_or(|first| offender.order() < first.order());
                if exemplar.value_us > *limit_us && is_first {
                    *first = Some(offender.clone());
                }
            }
            self.worst.push((exemplar.value_us, offender));
        }
        self.worst.sort_by(|(a, x), (b, y)| b.cmp(a).then_with(|| x.order().cmp(&y.order())));
        self.worst.truncate(WORST_MAX);
    }

    /// The first sample over a limit that was known when the samples came.
    pub(crate) fn first_over(&self, limit_us: u64) -> Option<&Violation> {
        self.first_over.iter().find(|(limit, _)| *limit == limit_us)?.1.as_ref()
    }
}

/// A subject as a sentence names it: a UUID is a run's id.
pub(crate) fn named(subject: &str) -> String {
    let is_uuid = subject.len() == 36 && subject.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
    if is_uuid { format!("run {subject}") } else { subject.to_owned() }
}
