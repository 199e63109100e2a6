//! Sums over the soak so far: counters, histograms and the worst samples by phase, gauges, the cycles of workloads.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    catalog::{Phase, Workload},
    history::{
        SampleLimits, Violation,
        bucket_bounds::BucketBounds,
        gauge_total::GaugeTotal,
        phase_totals::{PhaseTotals, Scope, TopExemplars},
    },
    journal::{Counter, Cycles, Gauge, Interval, LatencyHistogram, OTHER_TYPES, Source, Timing},
    plan::Plan,
};

/// Types of events kept that the dialect does not use for runs; the rest is counted as [`OTHER_TYPES`].
const OTHER_TYPES_MAX: usize = 32;

/// Sums over the soak so far.
#[derive(Debug, Clone)]
pub(crate) struct Totals {
    phases: BTreeMap<Phase, PhaseTotals>,
    worst: BTreeMap<(Timing, Phase), TopExemplars>,
    /// The cycles of each workload, including those that died with their session.
    pub(crate) cycles: BTreeMap<Workload, Cycles>,
    gauges: BTreeMap<Gauge, GaugeTotal>,
    source_over: BTreeMap<Source, Violation>,
    /// Events of types that the dialect does not use for runs, by type.
    pub(crate) other_events: BTreeMap<String, u64>,
}

/// Quantiles of a timing over the soak so far, in milliseconds; nearest-rank.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Quantiles {
    /// Samples.
    pub(crate) count: u64,
    /// The median.
    pub(crate) p50_ms: f64,
    /// 95th percentile.
    pub(crate) p95_ms: f64,
    /// 99th percentile.
    pub(crate) p99_ms: f64,
    /// The greatest.
    pub(crate) max_ms: f64,
}

impl Totals {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            // A phase that the plan does not have is made room for when it comes.
            phases: phases_of(plan).into_iter().map(|phase| (phase, PhaseTotals::with_capacity())).collect(),
            worst: BTreeMap::new(),
            cycles: BTreeMap::new(),
            gauges: BTreeMap::new(),
            source_over: BTreeMap::new(),
            other_events: BTreeMap::new(),
        }
    }

    pub(crate) fn absorb(&mut self, interval: &Interval, limits: &SampleLimits) {
        self.phases.entry(interval.phase).or_default().absorb(interval);
        for (timing, record) in &interval.timings {
            let worst = self.worst.entry((*timing, interval.phase));
            let worst = worst.or_insert_with(|| TopExemplars::new(limits.of_timing(*timing)));
            worst.absorb(interval, &record.histogram, &record.worst);
        }
        for (workload, cycles) in &interval.cycles {
            let sum = self.cycles.entry(*workload).or_default();
            sum.started = sum.started.saturating_add(cycles.started);
            sum.finished = sum.finished.saturating_add(cycles.finished);
        }
        for (gauge, summary) in &interval.gauges {
            self.gauges.entry(*gauge).or_insert(GaugeTotal::NONE).absorb(interval.to_ms, summary);
        }
        for (kind, count) in &interval.other_events {
            let is_known = self.other_events.len() < OTHER_TYPES_MAX || self.other_events.contains_key(kind);
            let sum = self.other_events.entry(if is_known { kind } else { OTHER_TYPES }.to_owned()).or_default();
            *sum = sum.saturating_add(*count);
        }
        self.absorb_sources(interval, limits);
    }

    fn absorb_sources(&mut self, interval: &Interval, limits: &SampleLimits) {
        for (source, buckets) in &interval.sources {
            let limit_seconds = limits.of_source_seconds(*source);
            let mut cells = BucketBounds::default();
            cells.absorb(buckets);
            let is_first = self.source_over.get(source).is_none_or(|first| interval.from_ms < first.at_ms);
            if cells.certainly_above(limit_seconds) > 0 && is_first {
                let subject = source.name().to_owned();
                let (at_ms, phase) = (interval.from_ms, interval.phase);
                let first = Violation { at_ms, phase, subject, value: None, answer: None };
                self.source_over.insert(*source, first);
            }
        }
    }

    /// Runs whose start the gateway accepted.
    pub(crate) fn runs_started(&self) -> u64 {
        self.counter(Counter::RunsStarted, Scope::All)
    }

    /// Requests of W1 to W5.
    pub(crate) fn requests(&self) -> u64 {
        self.counter(Counter::Requests, Scope::All)
    }

    /// Workspace log streams open when last looked at.
    pub(crate) fn open_streams(&self) -> u64 {
        self.gauge(Gauge::OpenStreams).map_or(0, |gauge| gauge.last as u64)
    }

    /// A counter, summed up over phases.
    pub(crate) fn counter(&self, counter: Counter, scope: Scope) -> u64 {
        let tallies = scope.phases().filter_map(|phase| self.phases.get(&phase));
        tallies.filter_map(|tally| tally.counters.get(&counter)).fold(0, |sum, n| sum.saturating_add(*n))
    }

    /// A gauge over the soak so far, where it was sampled.
    pub(crate) fn gauge(&self, gauge: Gauge) -> Option<GaugeTotal> {
        self.gauges.get(&gauge).copied().filter(|total| total.intervals > 0)
    }

    /// Quantiles of a timing, where it has samples.
    pub(crate) fn quantiles(&self, timing: Timing, scope: Scope) -> Option<Quantiles> {
        let histogram = self.histogram(timing, scope);
        let ms = |us: u64| us as f64 / 1_000.0;
        (!histogram.is_empty()).then(|| Quantiles {
            count: histogram.len(),
            p50_ms: ms(histogram.quantile_us(0.50)),
            p95_ms: ms(histogram.quantile_us(0.95)),
            p99_ms: ms(histogram.quantile_us(0.99)),
            max_ms: ms(histogram.max_us()),
        })
    }

    pub(crate) fn histogram(&self, timing: Timing, scope: Scope) -> LatencyHistogram {
        let mut merged = LatencyHistogram::new();
        let tallies = scope.phases().filter_map(|phase| self.phases.get(&phase));
        tallies.filter_map(|tally| tally.timings.get(&timing)).for_each(|histogram| merged.merge(histogram));
        merged
    }

    pub(crate) fn histogram_of(&self, timing: Timing, phase: Phase) -> LatencyHistogram {
        let tally = self.phases.get(&phase);
        tally.and_then(|tally| tally.timings.get(&timing)).cloned().unwrap_or_default()
    }

    pub(crate) fn counter_of(&self, counter: Counter, phase: Phase) -> u64 {
        let tally = self.phases.get(&phase);
        tally.and_then(|tally| tally.counters.get(&counter)).copied().unwrap_or(0)
    }

    pub(crate) fn cells_of(&self, source: Source, phase: Phase) -> Option<&BucketBounds> {
        self.phases.get(&phase).and_then(|tally| tally.sources.get(&source))
    }

    pub(crate) fn worst(&self, timing: Timing, scope: Scope) -> impl Iterator<Item = &TopExemplars> {
        scope.phases().filter_map(move |phase| self.worst_in(timing, phase))
    }

    pub(crate) fn worst_in(&self, timing: Timing, phase: Phase) -> Option<&TopExemplars> {
        self.worst.get(&(timing, phase))
    }

    pub(crate) fn cells(&self, source: Source, scope: Scope) -> BucketBounds {
        let mut merged = BucketBounds::default();
        let tallies = scope.phases().filter_map(|phase| self.phases.get(&phase));
        tallies.filter_map(|tally| tally.sources.get(&source)).for_each(|cells| merged.merge(cells));
        merged
    }

    pub(crate) fn source_over(&self, source: Source) -> Option<&Violation> {
        self.source_over.get(&source)
    }
}

/// The phases that a plan goes through, each once: a tally takes two megabytes.
fn phases_of(plan: &Plan) -> BTreeSet<Phase> {
    std::iter::once(Phase::Steady).chain(plan.chaos.iter().map(|event| event.chaos.into())).collect()
}
