//! The plan: what happens when, for how long, and how many samples each KPI is promised. Pure data.
//!
//! Two plans with the same suite, scenario, seed and pace are the same plan. Moments are milliseconds of scenario time
//! from the start of the soak; [`Plan::pace`] says how much faster than real time the scenario runs.

mod arrivals;
mod check;
mod cycles;
mod dice;
mod expected_samples;
mod lever;
mod log_streams;
mod recurring;
mod render;
mod scenario;
mod schedule;
#[cfg(test)]
mod tests;
mod unsupported;
mod windows;

use arrivals::SHARES_MAX;
pub use arrivals::{Arrivals, DrawnArrivals};
pub use check::PlanError;
pub use expected_samples::{ExpectedSamples, INJECTIONS_PER_PROBE, PII_PER_PROBE, VERSIONS_MAX};
pub use lever::Lever;
pub use log_streams::{asks_as_a_browser, log_stream_name};
pub use recurring::{ChurnRule, PulseRule, Recurring, Regular, Rule};
pub use render::moment;
pub use scenario::{
    ChaosLoad, PER_MINUTE_MAX, PrivacyLoad, Pulse, RegistryLoad, RunLoad, SOAK_MAX, STREAMS_MAX, Scenario, StreamLoad,
    millis,
};
use serde::{Deserialize, Serialize};
pub use unsupported::Unsupported;

use crate::catalog::{Chaos, Suite, Workload};

/// The schedule of a soak.
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
    pub churns: Recurring<ChurnRule>,
    /// W3, in order.
    pub pulses: Recurring<PulseRule>,
    /// W4.
    pub safety_ms: Recurring<Regular>,
    /// W5.
    pub privacy_ms: Recurring<Regular>,
    /// W6, in order; empty without chaos.
    pub chaos: Vec<PlannedChaos>,
    /// Heartbeats, the last at the very end.
    pub heartbeats_ms: Recurring<Regular>,
    /// Snapshots, the first at the start.
    pub snapshots_ms: Recurring<Regular>,
    /// How many samples each KPI is promised.
    pub promises: ExpectedSamples,
    /// Unsupported workloads, chaos events and KPIs: the gateway lacks a feature that they need.
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
    /// The kind of chaos.
    pub chaos: Chaos,
}

impl Plan {
    /// The same plan without parts that the gateway does not support: they are not promised either.
    #[must_use]
    pub fn without(mut self, unsupported: Unsupported) -> Self {
        for workload in unsupported.workloads.keys() {
            match workload {
                Workload::Registry => self.pulses = Recurring::Listed(Vec::new()),
                Workload::Privacy => self.privacy_ms = Recurring::Listed(Vec::new()),
                Workload::Chaos => self.chaos.clear(),
                _ => {}
            }
        }
        self.chaos.retain(|event| !unsupported.chaos.contains_key(&event.chaos));
        self.unsupported = unsupported;
        self.promises = ExpectedSamples::of(&self);
        self
    }
}
