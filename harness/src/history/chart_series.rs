//! The measured values over scenario time for charts: a grid of steps, wider ones for a longer soak. The memory for all
//! steps is allocated at the beginning.

use std::collections::BTreeMap;

use crate::{
    history::{
        grid::Grid,
        incident_log::IncidentLog,
        latency_steps::{LatencySource, LatencyStep},
    },
    journal::{Counter, Gauge, Record},
    plan::Plan,
};

/// Steps of gauges: the shortest has the length of an interval.
const GAUGE_STEPS_MAX: u64 = 360;
const GAUGE_STEP_MS_MIN: u64 = 10_000;
/// Steps of counters and latencies: a step under a minute has few runs.
const RATE_STEPS_MAX: u64 = 240;
const RATE_STEP_MS_MIN: u64 = 60_000;
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct GaugeStep {
    pub(crate) last: f64,
    pub(crate) max: f64,
}

/// The measured values of a soak, step by step.
#[derive(Debug, Clone)]
pub struct ChartSeries {
    pub(crate) gauge_grid: Grid,
    pub(crate) rate_grid: Grid,
    gauges: BTreeMap<Gauge, Vec<Option<GaugeStep>>>,
    counters: BTreeMap<Counter, Vec<u32>>,
    latencies: BTreeMap<LatencySource, Vec<LatencyStep>>,
    incidents: IncidentLog,
    version: u64,
}

impl ChartSeries {
    pub(crate) fn new(plan: &Plan) -> Self {
        let gauge_grid = Grid::new(plan.duration_ms, GAUGE_STEP_MS_MIN, GAUGE_STEPS_MAX);
        let rate_grid = Grid::new(plan.duration_ms, RATE_STEP_MS_MIN, RATE_STEPS_MAX);
        let no_latencies = vec![LatencyStep::default(); rate_grid.len()];
        Self {
            gauges: Gauge::ALL.iter().map(|gauge| (*gauge, vec![None; gauge_grid.len()])).collect(),
            counters: Counter::ALL.iter().map(|counter| (*counter, vec![0; rate_grid.len()])).collect(),
            latencies: LatencySource::all().map(|latency| (latency, no_latencies.clone())).collect(),
            incidents: IncidentLog::new(rate_grid.len()),
            gauge_grid,
            rate_grid,
            version: 0,
        }
    }

    pub(crate) fn absorb(&mut self, record: &Record) {
        self.version += 1;
        let interval = match record {
            Record::Header(_) | Record::End(_) => return,
            Record::Incident(incident) => {
                return self.incidents.absorb(incident, self.rate_grid.step_of(incident.at_ms));
            }
            Record::Interval(interval) => interval,
        };
        let [gauge_step, rate_step] = [self.gauge_grid, self.rate_grid].map(|grid| grid.step_of(interval.from_ms));
        for (gauge, summary) in &interval.gauges {
            let is_measured = summary.last.is_finite() && summary.max.is_finite();
            if let Some(steps) = self.gauges.get_mut(gauge).filter(|_| is_measured) {
                let before = steps[gauge_step].map_or(f64::NEG_INFINITY, |sample| sample.max);
                steps[gauge_step] = Some(GaugeStep { last: summary.last, max: summary.max.max(before) });
            }
        }
        for (counter, n) in &interval.counters {
            if let Some(steps) = self.counters.get_mut(counter) {
                steps[rate_step] = steps[rate_step].saturating_add(u32::try_from(*n).unwrap_or(u32::MAX));
            }
        }
        for (timing, record) in &interval.timings {
            if let Some(steps) = self.latencies.get_mut(&LatencySource::Timing(*timing)) {
                steps[rate_step].absorb(&record.histogram);
            }
        }
        for (source, buckets) in &interval.sources {
            if let Some(steps) = self.latencies.get_mut(&LatencySource::Source(*source)) {
                steps[rate_step].absorb_buckets(buckets);
            }
        }
    }

    /// Rises with every record.
    pub(crate) const fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn gauge(&self, gauge: Gauge) -> &[Option<GaugeStep>] {
        self.gauges.get(&gauge).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn counter(&self, counter: Counter) -> &[u32] {
        self.counters.get(&counter).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn latency(&self, latency: LatencySource) -> &[LatencyStep] {
        self.latencies.get(&latency).map_or(&[], Vec::as_slice)
    }

    pub(crate) const fn incidents(&self) -> &IncidentLog {
        &self.incidents
    }
}
