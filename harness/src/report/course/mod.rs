//! The course of a soak: what was measured, over scenario time, as charts show it.
//!
//! Like a digest it is a fold over the records of a journal, and its size depends on the plan alone: time is a grid of so
//! many steps, wider ones for a longer soak, and the room for all of them is taken at the beginning.

mod grid;
mod incidents;
mod latency;
mod windows;

use std::collections::BTreeMap;

pub(super) use grid::Grid;
pub(super) use incidents::{IncidentLog, ShownIncident};
pub(super) use latency::{LatencySource, LatencyStep, edge_ms};
pub(super) use windows::ChartWindow;
use windows::Windows;

use crate::{
    journal::{Counter, Finding, Gauge, Interval, Record},
    plan::Plan,
};

/// Steps of gauges: the finest is an interval's length.
const GAUGE_STEPS_MAX: u64 = 360;
const GAUGE_STEP_MS_MIN: u64 = 10_000;
/// Steps of counters and latencies: a shorter one than a minute has few runs in it.
const RATE_STEPS_MAX: u64 = 240;
const RATE_STEP_MS_MIN: u64 = 60_000;
/// Heartbeats that are marked; of more, the first.
const HEARTBEATS_MAX: usize = 512;
/// Holes and stalls that are marked; of more, the first.
const HOLES_MAX: usize = 64;

/// A gauge over one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct GaugeStep {
    pub(super) last: f64,
    pub(super) max: f64,
}

/// What a soak was like, step by step.
#[derive(Debug, Clone)]
pub struct Course {
    pub(super) gauge_grid: Grid,
    pub(super) rate_grid: Grid,
    gauges: BTreeMap<Gauge, Vec<Option<GaugeStep>>>,
    counters: BTreeMap<Counter, Vec<u32>>,
    latencies: BTreeMap<LatencySource, Vec<LatencyStep>>,
    windows: Windows,
    incidents: IncidentLog,
    heartbeats_ms: Vec<u64>,
    holes: Vec<(u64, u64)>,
    reached_ms: u64,
    version: u64,
}

impl Course {
    /// The course of a soak that plays `plan`, before it has begun.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        let gauge_grid = Grid::new(plan.duration_ms, GAUGE_STEP_MS_MIN, GAUGE_STEPS_MAX);
        let rate_grid = Grid::new(plan.duration_ms, RATE_STEP_MS_MIN, RATE_STEPS_MAX);
        Self {
            gauges: Gauge::ALL.iter().map(|gauge| (*gauge, vec![None; gauge_grid.len()])).collect(),
            counters: Counter::ALL.iter().map(|counter| (*counter, vec![0; rate_grid.len()])).collect(),
            latencies: LatencySource::all()
                .map(|latency| (latency, vec![LatencyStep::default(); rate_grid.len()]))
                .collect(),
            incidents: IncidentLog::new(rate_grid.len()),
            gauge_grid,
            rate_grid,
            windows: Windows::default(),
            heartbeats_ms: Vec::new(),
            holes: Vec::new(),
            reached_ms: 0,
            version: 0,
        }
    }

    /// Takes in one record.
    pub fn absorb(&mut self, record: &Record) {
        self.version += 1;
        match record {
            Record::Header(_) => {}
            Record::Interval(interval) => self.absorb_interval(interval),
            Record::Incident(incident) => {
                self.reached_ms = self.reached_ms.max(incident.at_ms);
                match &incident.finding {
                    Finding::Heartbeat { .. } if self.heartbeats_ms.len() < HEARTBEATS_MAX => {
                        self.heartbeats_ms.push(incident.at_ms);
                    }
                    Finding::ChaosInjected { chaos, .. } => self.windows.injected((*chaos).into(), incident.at_ms),
                    Finding::Hole { from_ms, to_ms, .. } if self.holes.len() < HOLES_MAX => {
                        self.holes.push((*from_ms, *to_ms));
                    }
                    _ => {}
                }
                self.incidents.absorb(incident, self.rate_grid.step_of(incident.at_ms));
            }
            Record::End(end) => self.reached_ms = self.reached_ms.max(end.at_ms),
        }
    }

    fn absorb_interval(&mut self, interval: &Interval) {
        self.reached_ms = self.reached_ms.max(interval.to_ms);
        self.windows.absorb(interval.phase, interval.from_ms, interval.to_ms);
        let (gauge_step, rate_step) =
            (self.gauge_grid.step_of(interval.from_ms), self.rate_grid.step_of(interval.from_ms));
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

    /// Rises with every record: whoever has seen a version has seen all up to it.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// How far the record reaches, scenario milliseconds.
    pub(super) const fn reached_ms(&self) -> u64 {
        self.reached_ms
    }

    pub(super) fn gauge(&self, gauge: Gauge) -> &[Option<GaugeStep>] {
        self.gauges.get(&gauge).map_or(&[], Vec::as_slice)
    }

    pub(super) fn counter(&self, counter: Counter) -> &[u32] {
        self.counters.get(&counter).map_or(&[], Vec::as_slice)
    }

    pub(super) fn latency(&self, latency: LatencySource) -> &[LatencyStep] {
        self.latencies.get(&latency).map_or(&[], Vec::as_slice)
    }

    pub(super) fn windows(&self) -> &[ChartWindow] {
        self.windows.all()
    }

    pub(super) fn heartbeats_ms(&self) -> &[u64] {
        &self.heartbeats_ms
    }

    /// From and to, when nobody was there to measure.
    pub(super) fn holes(&self) -> &[(u64, u64)] {
        &self.holes
    }

    pub(super) const fn incidents(&self) -> &IncidentLog {
        &self.incidents
    }
}
