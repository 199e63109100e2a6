//! The plan: what happens when, for how long, and how many samples each KPI is promised. Pure data.
//!
//! Two plans with the same suite, scenario, seed and pace are the same plan. Moments are milliseconds of scenario time
//! from the start of the soak; [`Plan::pace`] says how much faster than real time the scenario runs.

mod arrivals;
mod check;
mod expected_samples;
mod lever;
mod log_streams;
mod render;
mod scenario;
mod schedule;
#[cfg(test)]
mod tests;
mod unsupported;
mod windows;

use std::time::Duration;

use arrivals::SHARES_MAX;
pub use arrivals::{Arrivals, DrawnArrivals};
pub use check::PlanError;
pub use expected_samples::{ExpectedSamples, INJECTIONS_PER_PROBE, PII_PER_PROBE};
pub use lever::Lever;
pub use log_streams::{asks_as_a_browser, log_stream_name};
pub use render::moment;
pub use scenario::{
    ChaosLoad, PER_MINUTE_MAX, PrivacyLoad, Pulse, RegistryLoad, RunLoad, SOAK_MAX, STREAMS_MAX, Scenario, StreamLoad,
    millis,
};
use serde::{Deserialize, Serialize};
pub use unsupported::Unsupported;

use crate::catalog::{Chaos, Suite, Workload};

/// What happens when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Which soak this is.
    pub suite: Suite,
    /// Where its dice come from.
    pub seed: u64,
    /// Scenario seconds in a real second.
    pub pace: f64,
    /// The length of the soak.
    pub duration_ms: u64,
    /// The scenario it was drawn from.
    pub scenario: Scenario,
    /// W1, in order of arrival.
    pub runs: Arrivals,
    /// W2, in order.
    pub churns: Vec<PlannedChurn>,
    /// W3, in order.
    pub pulses: Vec<PlannedPulse>,
    /// W4.
    pub safety_ms: Vec<u64>,
    /// W5.
    pub privacy_ms: Vec<u64>,
    /// W6, in order; empty without chaos.
    pub chaos: Vec<PlannedChaos>,
    /// Heartbeats, the last at the very end.
    pub heartbeats_ms: Vec<u64>,
    /// Snapshots, the first at the start.
    pub snapshots_ms: Vec<u64>,
    /// How many samples each KPI is promised.
    pub promises: ExpectedSamples,
    /// What is not played and not judged, because the gateway does not have what it needs.
    #[serde(rename = "lacks", default, skip_serializing_if = "Unsupported::is_empty")]
    pub unsupported: Unsupported,
}

/// One arrival of W1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedRun {
    /// When it is due.
    pub at_ms: u64,
    /// Whose run it is.
    pub agent: String,
    /// Whether it has a log stream of its own.
    pub own_stream: bool,
}

/// One churn of W2.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedChurn {
    /// When it is due.
    pub at_ms: u64,
    /// The streams that it closes, by number.
    pub streams: Vec<u32>,
}

/// One pulse of W3.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedPulse {
    /// When it is due.
    pub at_ms: u64,
    /// Whether a tampered manifest goes with it.
    pub tampered: bool,
}

/// One event of W6.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedChaos {
    /// When it is due.
    pub at_ms: u64,
    /// What it is.
    pub chaos: Chaos,
}

/// When a workload plays its cycles.
enum Moments<'a> {
    /// At those of the arrivals.
    Of(&'a Arrivals),
    /// Scenario milliseconds.
    At(Vec<u64>),
    /// Evenly spread, the first at 0.
    Every(Duration),
}

impl Plan {
    /// Draws the plan of a suite from a scenario.
    #[must_use]
    pub fn new(suite: Suite, scenario: &Scenario, seed: u64, pace: f64) -> Self {
        schedule::draw(suite, scenario, seed, pace)
    }

    /// The same plan without what a gateway lacks: what is not played is not promised either.
    #[must_use]
    pub fn without(mut self, unsupported: Unsupported) -> Self {
        for workload in unsupported.workloads.keys() {
            match workload {
                Workload::Registry => self.pulses.clear(),
                Workload::Privacy => self.privacy_ms.clear(),
                Workload::Chaos => self.chaos.clear(),
                _ => {}
            }
        }
        self.chaos.retain(|event| !unsupported.chaos.contains_key(&event.chaos));
        self.unsupported = unsupported;
        self.promises = ExpectedSamples::of(&self);
        self
    }

    /// The number of cycles that a workload is due to play: arrivals, churns, pulses, probes, events. W2's opening counts as its
    /// first cycle.
    #[must_use]
    pub fn cycles(&self, workload: Workload) -> u64 {
        match self.moments(workload) {
            Moments::Of(arrivals) => arrivals.count(),
            Moments::At(moments_ms) => moments_ms.len() as u64,
            Moments::Every(every) => self.ticks(every),
        }
    }

    fn moments(&self, workload: Workload) -> Moments<'_> {
        match workload {
            Workload::Runs => Moments::Of(&self.runs),
            Workload::Churn => {
                Moments::At(std::iter::once(0).chain(self.churns.iter().map(|churn| churn.at_ms)).collect())
            }
            Workload::Registry => Moments::At(self.pulses.iter().map(|pulse| pulse.at_ms).collect()),
            Workload::Safety => Moments::At(self.safety_ms.clone()),
            Workload::Privacy => Moments::At(self.privacy_ms.clone()),
            Workload::Chaos => Moments::At(self.chaos.iter().map(|event| event.at_ms).collect()),
            Workload::Availability => Moments::Every(self.scenario.availability_every),
            Workload::Metrics => Moments::Every(self.scenario.metrics_every),
        }
    }

    /// How often something that starts at 0 and comes every so often happens before the end.
    fn ticks(&self, every: Duration) -> u64 {
        self.duration_ms.div_ceil(millis(every).max(1))
    }
}
