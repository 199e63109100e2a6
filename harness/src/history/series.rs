//! The soak minute by minute, as drift and readiness are judged.

use std::collections::BTreeMap;

use crate::{
    catalog::Phase,
    history::{
        gauge_total::GaugeTotal,
        minutes::{MinuteMedians, MinuteMinima, life},
        readiness_series::ReadinessSeries,
    },
    journal::{Gauge, Incident, Interval},
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
/// Maximum time that records may overrun the plan, scenario minutes. Later records are left out.
const OVERRUN_MINUTES_MAX: u64 = 60;

/// The soak minute by minute.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    duration_ms: u64,
    pub(crate) readiness: ReadinessSeries,
    floors: BTreeMap<Gauge, MinuteMinima>,
    /// The most of the runtime's heap that was in use in each minute, negated: floors keep the least.
    pub(crate) heap_peaks: MinuteMinima,
    pub(crate) clock: MinuteMedians,
    /// The same against our clock as if nobody had set it.
    pub(crate) unset_clock: MinuteMedians,
    /// The least and the most by which the gateway's clock was ahead of ours, in steady phases; milliseconds.
    clock_bounds: GaugeTotal,
}

impl Series {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            duration_ms: plan.duration_ms,
            readiness: ReadinessSeries::with_capacity(plan),
            floors: FLOORED.map(|gauge| (gauge, MinuteMinima::with_capacity(plan.duration_ms))).into(),
            heap_peaks: MinuteMinima::with_capacity(plan.duration_ms),
            clock: MinuteMedians::with_capacity(plan.duration_ms),
            unset_clock: MinuteMedians::with_capacity(plan.duration_ms),
            clock_bounds: GaugeTotal::NONE,
        }
    }

    pub(crate) fn absorb_incident(&mut self, incident: &Incident) {
        self.readiness.absorb_incident(incident);
    }

    pub(crate) fn absorb(&mut self, interval: &Interval) {
        if interval.from_ms / 60_000 > self.duration_ms / 60_000 + OVERRUN_MINUTES_MAX {
            return;
        }
        self.readiness.absorb(interval);
        if let Some(used) = interval.gauges.get(&Gauge::GatewayHeapUsed) {
            self.heap_peaks.absorb(interval.from_ms, interval.gateway_life.as_ref().map(life), -used.max);
        }
        if interval.phase == Phase::Steady {
            self.absorb_floors(interval);
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

    pub(crate) fn clock_bounds(&self) -> Option<GaugeTotal> {
        Some(self.clock_bounds).filter(|bounds| bounds.intervals > 0)
    }

    pub(crate) fn floors(&self, gauge: Gauge) -> Option<&MinuteMinima> {
        self.floors.get(&gauge)
    }
}
