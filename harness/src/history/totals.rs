//! Sums over the soak so far: counters, histograms and the worst samples by phase, gauges, the cycles of workloads.

use std::{
    collections::{BTreeMap, BTreeSet},
    iter::once,
};

use crate::{
    catalog::{Phase, Workload},
    history::{
        SampleLimits, Violation,
        bucket_bounds::BucketBounds,
        gauge_total::GaugeTotal,
        latency_steps::ms,
        phase_totals::{PhaseTotals, Scope, TopExemplars},
    },
    journal::{Counter, Cycles, Gauge, Interval, LatencyHistogram, OTHER_TYPES, Source, Timing},
    plan::Plan,
};

/// Maximum number of event types that the dialect does not use for runs; the rest is counted as [`OTHER_TYPES`].
const OTHER_TYPES_MAX: usize = 32;

#[derive(Debug, Clone, Default)]
pub(crate) struct Totals {
    phases: BTreeMap<Phase, PhaseTotals>,
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
    pub(crate) count: u64,
    pub(crate) p50_ms: f64,
    pub(crate) p95_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
}

impl Totals {
    /// Empty totals, with the memory for the phases of the plan, 2 MB each. Other phases take it when they come.
    pub(crate) fn new(plan: &Plan) -> Self {
        let phases: BTreeSet<Phase> =
            once(Phase::Steady).chain(plan.chaos.iter().map(|event| event.chaos.into())).collect();
        let phases = phases.into_iter().map(|phase| (phase, PhaseTotals::with_capacity())).collect();
        Self { phases, ..Self::default() }
    }

    pub(crate) fn absorb(&mut self, interval: &Interval, limits: &SampleLimits) {
        self.phases.entry(interval.phase).or_default().absorb(interval, limits);
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
        for (source, buckets) in &interval.sources {
            let mut cells = BucketBounds::default();
            cells.absorb(buckets);
            let is_first = self.source_over.get(source).is_none_or(|first| interval.from_ms < first.at_ms);
            let is_over = |limit: &f64| cells.certainly_above(*limit) > 0;
            if is_first && limits.sources_seconds.get(source).is_some_and(is_over) {
                let first = Violation::at(interval.from_ms, interval.phase, source.name());
                self.source_over.insert(*source, first);
            }
        }
    }

    pub(crate) fn runs_started(&self) -> u64 {
        self.counter(Counter::RunsStarted, Scope::All)
    }

    /// The number of requests of W1 to W5.
    pub(crate) fn requests(&self) -> u64 {
        self.counter(Counter::Requests, Scope::All)
    }

    /// The number of workspace log streams that were open at the last sample.
    pub(crate) fn open_streams(&self) -> u64 {
        self.gauge(Gauge::OpenStreams).map_or(0, |gauge| gauge.last as u64)
    }

    fn of(&self, scope: Scope) -> impl Iterator<Item = &PhaseTotals> {
        scope.phases().filter_map(|phase| self.phases.get(&phase))
    }

    pub(crate) fn counter(&self, counter: Counter, scope: Scope) -> u64 {
        self.of(scope).filter_map(|totals| totals.counters.get(&counter)).fold(0, |sum, n| sum.saturating_add(*n))
    }

    pub(crate) fn gauge(&self, gauge: Gauge) -> Option<GaugeTotal> {
        self.gauges.get(&gauge).copied().filter(|total| total.intervals > 0)
    }

    pub(crate) fn quantiles(&self, timing: Timing, scope: Scope) -> Option<Quantiles> {
        let histogram = self.histogram(timing, scope);
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
        self.of(scope).filter_map(|totals| totals.timings.get(&timing)).for_each(|histogram| merged.merge(histogram));
        merged
    }

    pub(crate) fn cells(&self, source: Source, scope: Scope) -> BucketBounds {
        let mut merged = BucketBounds::default();
        self.of(scope).filter_map(|totals| totals.sources.get(&source)).for_each(|cells| merged.merge(cells));
        merged
    }

    pub(crate) fn worst(&self, timing: Timing, scope: Scope) -> impl Iterator<Item = &TopExemplars> {
        self.of(scope).filter_map(move |totals| totals.worst.get(&timing))
    }

    pub(crate) fn max_us(&self, timing: Timing, scope: Scope) -> Option<u64> {
        self.worst(timing, scope).map(|worst| worst.max_us).max()
    }

    pub(crate) fn source_over(&self, source: Source) -> Option<&Violation> {
        self.source_over.get(&source)
    }
}
