//! The record, folded: all that a judge needs, in memory that does not grow with the number of records.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use crate::{
    catalog::{Kpi, Phase, Workload},
    journal::{Counter, Cycles, End, Gauge, Header, Interval, LatencyHistogram, OTHER_TYPES, Record, Source, Timing},
    judge::{
        record::{
            bucket_bounds::BucketBounds,
            gauge_total::GaugeTotal,
            phase_totals::{PhaseTotals, Scope, TopExemplars},
            readiness_series::ReadinessSeries,
            story::Story,
            violations::Violations,
        },
        stats::minute_minima::{MinuteMedians, MinuteMinima, life},
        verdict::{judgement::Violation, targets::Targets},
    },
    plan::Plan,
};

/// The gauges whose floors are kept, minute by minute.
const FLOORED: [Gauge; 9] = [
    Gauge::GatewayRss,
    Gauge::GatewayRssCollected,
    Gauge::GatewayHeapUsed,
    Gauge::GatewayHeapCommitted,
    Gauge::GatewayHeapLive,
    Gauge::GatewayFdSurplus,
    Gauge::GatewaySseSurplus,
    Gauge::GatewayQueueDepth,
    Gauge::HarnessRss,
];
/// Types of events kept that the dialect does not use for runs; the rest is counted as [`OTHER_TYPES`].
const OTHER_TYPES_MAX: usize = 32;
/// Records may overrun the plan by so many scenario minutes before they are no longer believed.
const OVERRUN_MINUTES_MAX: u64 = 60;

/// A fold over the records of a journal. It may be fed live, by the session or by one who follows its journal, and
/// judged at any moment.
///
/// Its size depends on the plan (seven hundred bytes a scenario minute, for drift and readiness) and is taken at the
/// beginning; it does not depend on how many records were absorbed.
#[derive(Debug, Clone)]
pub struct Digest {
    pub(in crate::judge) targets: Targets,
    /// Whether the gateway is the embedded mock, whose memory is known.
    pub(in crate::judge) is_embedded: bool,
    duration_ms: u64,
    scenario_ms: u64,
    is_untouched: bool,
    /// What the gateway calls the contract's routes, where it is something else.
    routes: BTreeMap<String, String>,
    phases: BTreeMap<Phase, PhaseTotals>,
    /// From when to when each was seen.
    spans_ms: BTreeMap<Phase, (u64, u64)>,
    worst: BTreeMap<(Timing, Phase), TopExemplars>,
    pub(in crate::judge) incidents: Violations,
    pub(in crate::judge) story: Story,
    pub(in crate::judge) looks: ReadinessSeries,
    cycles: BTreeMap<Workload, Cycles>,
    floors: BTreeMap<Gauge, MinuteMinima>,
    /// The most of the runtime's heap that was in use in each minute, negated: floors keep the least.
    pub(in crate::judge) heap_peaks: MinuteMinima,
    pub(in crate::judge) clock: MinuteMedians,
    /// The same against our clock as if nobody had set it.
    pub(in crate::judge) unset_clock: MinuteMedians,
    /// Between which the gateway's clock was ahead of ours, steady.
    clock_bounds: GaugeTotal,
    gauges: BTreeMap<Gauge, GaugeTotal>,
    source_over: BTreeMap<Source, Violation>,
    /// Events of types that the dialect does not use for runs, by type.
    pub(in crate::judge) other_events: BTreeMap<String, u64>,
}

/// Quantiles of a timing over the soak so far, in milliseconds; nearest-rank.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantiles {
    /// Samples.
    pub count: u64,
    /// The median.
    pub p50_ms: f64,
    /// 95th percentile.
    pub p95_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// The greatest.
    pub max_ms: f64,
}

impl Digest {
    /// An empty digest of a soak that plays `plan`. Of samples over a target it keeps the first; `targets` says which
    /// those are.
    #[must_use]
    pub fn new(plan: &Plan, targets: &Targets) -> Self {
        Self {
            targets: targets.clone(),
            is_embedded: false,
            duration_ms: plan.duration_ms,
            scenario_ms: 0,
            is_untouched: true,
            routes: BTreeMap::new(),
            // A phase that the plan does not have is made room for when it comes.
            phases: phases_of(plan).into_iter().map(|phase| (phase, PhaseTotals::roomy())).collect(),
            spans_ms: BTreeMap::new(),
            worst: BTreeMap::new(),
            incidents: Violations::default(),
            story: Story::of(plan),
            looks: ReadinessSeries::roomy(plan),
            cycles: BTreeMap::new(),
            floors: FLOORED.map(|gauge| (gauge, MinuteMinima::roomy(plan.duration_ms))).into(),
            heap_peaks: MinuteMinima::roomy(plan.duration_ms),
            clock: MinuteMedians::roomy(plan.duration_ms),
            unset_clock: MinuteMedians::roomy(plan.duration_ms),
            clock_bounds: GaugeTotal::NONE,
            gauges: BTreeMap::new(),
            source_over: BTreeMap::new(),
            other_events: BTreeMap::new(),
        }
    }

    /// The digest of a soak that has begun with this header.
    #[must_use]
    pub fn of(header: &Header, targets: &Targets) -> Self {
        Self { routes: header.routes.clone(), is_embedded: header.embedded, ..Self::new(&header.plan, targets) }
    }

    /// Takes in one record. The order of intervals does not matter.
    pub fn absorb(&mut self, record: &Record) {
        self.is_untouched &= matches!(record, Record::Header(_));
        match record {
            Record::Header(_) => {}
            Record::Interval(interval) => self.absorb_interval(interval),
            Record::Incident(incident) => {
                self.scenario_ms = self.scenario_ms.max(incident.at_ms);
                let ready = self.route("GET /ready").into_owned();
                self.incidents.absorb(incident, &ready);
                self.story.absorb(incident);
                self.looks.heard(incident);
            }
            Record::End(end) => {
                self.scenario_ms = self.scenario_ms.max(end.at_ms);
                self.story.end(end);
            }
        }
    }

    /// What the gateway calls a route of the contract's, which may say in brackets what is special about it.
    pub(in crate::judge) fn route<'a>(&'a self, of_contract: &'a str) -> Cow<'a, str> {
        let (route, special) = of_contract.split_at(of_contract.find(" (").unwrap_or(of_contract.len()));
        match self.routes.get(route) {
            Some(called) => Cow::Owned(format!("{called}{special}")),
            None => Cow::Borrowed(of_contract),
        }
    }

    fn absorb_interval(&mut self, interval: &Interval) {
        self.scenario_ms = self.scenario_ms.max(interval.to_ms);
        self.phases.entry(interval.phase).or_default().absorb(interval);
        let (from_ms, to_ms) = self.spans_ms.entry(interval.phase).or_insert((interval.from_ms, interval.to_ms));
        (*from_ms, *to_ms) = ((*from_ms).min(interval.from_ms), (*to_ms).max(interval.to_ms));
        for (timing, record) in &interval.timings {
            let limits = || limits_us(&self.targets, *timing);
            let worst = self.worst.entry((*timing, interval.phase)).or_insert_with(|| TopExemplars::new(&limits()));
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
        self.absorb_sources(interval);
        if interval.from_ms / 60_000 <= self.duration_ms / 60_000 + OVERRUN_MINUTES_MAX {
            self.looks.absorb(interval);
            if let Some(used) = interval.gauges.get(&Gauge::GatewayHeapUsed) {
                self.heap_peaks.absorb(interval.from_ms, interval.gateway_life.as_ref().map(life), -used.max);
            }
            if interval.phase == Phase::Steady {
                self.absorb_floors(interval);
            }
        }
    }

    fn absorb_floors(&mut self, interval: &Interval) {
        for gauge in FLOORED {
            if let Some(summary) = interval.gauges.get(&gauge) {
                let of_the_harness = gauge == Gauge::HarnessRss;
                let gateway_life = interval.gateway_life.as_ref().map(life);
                let life = if of_the_harness { Some(life(interval.session_life)) } else { gateway_life };
                self.floors.entry(gauge).or_default().absorb(interval.from_ms, life, summary.min);
            }
        }
        for (gauge, middles) in
            [(Gauge::ClockOffset, &mut self.clock), (Gauge::UnsetClockOffset, &mut self.unset_clock)]
        {
            if let Some(summary) = interval.gauges.get(&gauge) {
                middles.absorb(interval.from_ms, summary.last);
            }
        }
        if let Some(summary) = interval.gauges.get(&Gauge::ClockBounds) {
            self.clock_bounds.absorb(interval.to_ms, summary);
        }
    }

    fn absorb_sources(&mut self, interval: &Interval) {
        for (source, buckets) in &interval.sources {
            let limit_seconds = self.targets.target(kpi_of(*source)).limit() / 1_000.0;
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

    /// How far the record reaches, scenario milliseconds.
    #[must_use]
    pub const fn scenario_ms(&self) -> u64 {
        self.scenario_ms
    }

    /// Runs whose start the gateway accepted.
    #[must_use]
    pub fn runs_started(&self) -> u64 {
        self.counter(Counter::RunsStarted, Scope::All)
    }

    /// Requests of W1 to W5.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.counter(Counter::Requests, Scope::All)
    }

    /// Workspace log streams open when last looked at.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count, and `as` saturates")]
    pub fn open_streams(&self) -> u64 {
        self.gauge(Gauge::OpenStreams).map_or(0, |gauge| gauge.last as u64)
    }

    /// A counter, summed up over phases.
    #[must_use]
    pub fn counter(&self, counter: Counter, scope: Scope) -> u64 {
        let tallies = scope.phases().filter_map(|phase| self.phases.get(&phase));
        tallies.filter_map(|tally| tally.counters.get(&counter)).fold(0, |sum, n| sum.saturating_add(*n))
    }

    /// A gauge over the soak so far, where it was sampled.
    #[must_use]
    pub fn gauge(&self, gauge: Gauge) -> Option<GaugeTotal> {
        self.gauges.get(&gauge).copied().filter(|total| total.intervals > 0)
    }

    /// Quantiles of a timing, where it has samples.
    #[must_use]
    pub fn quantiles(&self, timing: Timing, scope: Scope) -> Option<Quantiles> {
        let histogram = self.histogram(timing, scope);
        #[expect(clippy::cast_precision_loss, reason = "a histogram holds an hour at most")]
        let ms = |us: u64| us as f64 / 1_000.0;
        (!histogram.is_empty()).then(|| Quantiles {
            count: histogram.len(),
            p50_ms: ms(histogram.quantile_us(0.50)),
            p95_ms: ms(histogram.quantile_us(0.95)),
            p99_ms: ms(histogram.quantile_us(0.99)),
            max_ms: ms(histogram.max_us()),
        })
    }

    /// What a workload did of its plan. A cycle that was cut by the death of a session has not begun.
    #[must_use]
    pub fn cycles(&self, workload: Workload) -> Cycles {
        let mut cycles = self.cycles.get(&workload).copied().unwrap_or_default();
        cycles.started = cycles.started.saturating_sub(self.story.cut.get(&workload).copied().unwrap_or(0));
        cycles
    }

    /// How the session ended, if it has.
    #[must_use]
    pub const fn end(&self) -> Option<&End> {
        self.story.ended.as_ref()
    }

    /// What stopped the session, if something did.
    #[must_use]
    pub fn fatal(&self) -> Option<&str> {
        self.story.fatal.as_ref().map(|(_, message)| message.as_str())
    }

    /// Whether nothing was absorbed that tells of the soak.
    pub(in crate::judge) fn is_empty(&self) -> bool {
        self.is_untouched
    }

    pub(in crate::judge) fn histogram(&self, timing: Timing, scope: Scope) -> LatencyHistogram {
        let mut merged = LatencyHistogram::new();
        let tallies = scope.phases().filter_map(|phase| self.phases.get(&phase));
        tallies.filter_map(|tally| tally.timings.get(&timing)).for_each(|histogram| merged.merge(histogram));
        merged
    }

    pub(in crate::judge) fn histogram_of(&self, timing: Timing, phase: Phase) -> LatencyHistogram {
        let tally = self.phases.get(&phase);
        tally.and_then(|tally| tally.timings.get(&timing)).cloned().unwrap_or_default()
    }

    pub(in crate::judge) fn counter_of(&self, counter: Counter, phase: Phase) -> u64 {
        let tally = self.phases.get(&phase);
        tally.and_then(|tally| tally.counters.get(&counter)).copied().unwrap_or(0)
    }

    pub(in crate::judge) fn cells_of(&self, source: Source, phase: Phase) -> Option<&BucketBounds> {
        self.phases.get(&phase).and_then(|tally| tally.sources.get(&source))
    }

    /// From when to when a phase was seen, scenario milliseconds.
    pub(in crate::judge) fn span_ms(&self, phase: Phase) -> Option<(u64, u64)> {
        self.spans_ms.get(&phase).copied()
    }

    pub(in crate::judge) fn worst(&self, timing: Timing, scope: Scope) -> impl Iterator<Item = &TopExemplars> {
        scope.phases().filter_map(move |phase| self.worst_in(timing, phase))
    }

    pub(in crate::judge) fn worst_in(&self, timing: Timing, phase: Phase) -> Option<&TopExemplars> {
        self.worst.get(&(timing, phase))
    }

    pub(in crate::judge) fn cells(&self, source: Source, scope: Scope) -> BucketBounds {
        let mut merged = BucketBounds::default();
        let tallies = scope.phases().filter_map(|phase| self.phases.get(&phase));
        tallies.filter_map(|tally| tally.sources.get(&source)).for_each(|cells| merged.merge(cells));
        merged
    }

    pub(in crate::judge) fn source_over(&self, source: Source) -> Option<&Violation> {
        self.source_over.get(&source)
    }

    pub(in crate::judge) fn clock_bounds(&self) -> Option<GaugeTotal> {
        Some(self.clock_bounds).filter(|bounds| bounds.intervals > 0)
    }

    pub(in crate::judge) fn floors(&self, gauge: Gauge) -> Option<&MinuteMinima> {
        self.floors.get(&gauge)
    }
}

/// The phases that a plan goes through, each once: a tally takes two megabytes.
fn phases_of(plan: &Plan) -> BTreeSet<Phase> {
    std::iter::once(Phase::Steady).chain(plan.chaos.iter().map(|event| event.chaos.into())).collect()
}

/// The KPI that a histogram of the gateway's is read for.
const fn kpi_of(source: Source) -> Kpi {
    match source {
        Source::Judge => Kpi::JudgeP95,
        Source::Shield => Kpi::ShieldP95,
        Source::SseWrite => Kpi::SseWriteP99,
    }
}

/// The limits that targets put on single samples of a timing, microseconds.
fn limits_us(targets: &Targets, timing: Timing) -> Vec<u64> {
    let of = |kpi| limit_us(targets.target(kpi).limit());
    match timing {
        Timing::StartToLog => vec![of(Kpi::StartToLogP95), of(Kpi::StartToLogP99)],
        Timing::JudgeEvent => vec![of(Kpi::JudgeP95)],
        Timing::ShieldEvent => vec![of(Kpi::ShieldP95)],
        Timing::EventDelivery | Timing::LineFirstShown | Timing::EndFirstShown | Timing::ShownAsABrowser => {
            vec![of(Kpi::SseWriteP99)]
        }
        Timing::PublishToSearch => vec![limit_us(targets.target(Kpi::PublishSearchDelay).limit() * 1_000.0)],
        Timing::StartLateness => vec![limit_us(targets.start_lateness().limit())],
        Timing::RunDuration | Timing::Request | Timing::ReadyRoundTrip | Timing::StreamAge | Timing::StreamAway => {
            Vec::new()
        }
    }
}

/// A limit in milliseconds as whole microseconds.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "limits are positive, and `as` saturates")]
pub(in crate::judge) fn limit_us(limit_ms: f64) -> u64 {
    (limit_ms * 1_000.0) as u64
}
