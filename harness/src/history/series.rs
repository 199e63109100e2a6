//! The soak minute by minute, as drift and readiness are judged.

use std::collections::BTreeMap;

use crate::{
    catalog::Phase,
    history::{
        gauge_total::GaugeTotal,
        minutes::{MinuteMedians, MinuteMinima, life},
        readiness_series::ReadinessSeries,
    },
    journal::{Gauge, Interval},
    plan::Plan,
};

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

#[derive(Debug, Clone)]
pub(crate) struct Series {
    duration_ms: u64,
    pub(crate) readiness: ReadinessSeries,
    floors: BTreeMap<Gauge, MinuteMinima>,
    /// The greatest use of the runtime's heap in each minute, negated, since floors keep the least.
    pub(crate) heap_peaks: MinuteMinima,
    pub(crate) clock: MinuteMedians,
    /// The same against our clock as if it had not been set.
    pub(crate) unset_clock: MinuteMedians,
    /// The least and the greatest offset of the gateway's clock to ours, in steady phases; milliseconds.
    pub(crate) clock_bounds: GaugeTotal,
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

    pub(crate) fn absorb(&mut self, interval: &Interval) {
        if interval.from_ms / 60_000 > self.duration_ms / 60_000 + OVERRUN_MINUTES_MAX {
            return;
        }
        self.readiness.absorb(interval);
        let gateway_life = interval.gateway_life.as_ref().map(life);
        // Also in chaos windows: memory that was in use once stays resident.
        if let Some(used) = interval.gauges.get(&Gauge::GatewayHeapUsed) {
            self.heap_peaks.absorb(interval.from_ms, gateway_life, -used.max);
        }
        if interval.phase != Phase::Steady {
            return;
        }
        for (gauge, floors) in &mut self.floors {
            if let Some(summary) = interval.gauges.get(gauge) {
                let of_the_harness = *gauge == Gauge::HarnessRss;
                let life = if of_the_harness { Some(life(interval.session_life)) } else { gateway_life };
                floors.absorb(interval.from_ms, life, summary.min);
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

    pub(crate) fn floors(&self, gauge: Gauge) -> Option<&MinuteMinima> {
        self.floors.get(&gauge)
    }
}
