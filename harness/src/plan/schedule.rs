//! Draws a plan: dice, spread so that counts are exact and only moments and order are random.

use std::time::Duration;

use super::{
    Arrivals, ChurnRule, ExpectedSamples, Plan, PlannedChaos, Pulse, PulseRule, Recurring, RegistryLoad, Regular,
    Scenario, StreamLoad, Unsupported, millis,
};
use crate::catalog::{Chaos, Suite};

/// Maximum share of the streams that is away at once, whatever the settings say.
const CHURN_PERCENT_MAX: u32 = 30;

impl Plan {
    /// Draws the plan of a suite from a scenario.
    #[must_use]
    pub fn new(suite: Suite, scenario: &Scenario, seed: u64, pace: f64) -> Self {
        let end = if suite.has_chaos() { scenario.full_duration } else { scenario.smoke_duration };
        let duration_ms = millis(end);
        let mut plan = Self {
            suite,
            seed,
            pace,
            duration_ms,
            scenario: scenario.clone(),
            runs: Arrivals::draw(&scenario.runs, duration_ms, seed),
            churns: churns(&scenario.streams, end, seed),
            pulses: pulses(&scenario.registry, end),
            safety_ms: Recurring::Computed(scenario.safety.before(end)),
            privacy_ms: Recurring::Computed(scenario.privacy.pulse.before(end)),
            chaos: if suite.has_chaos() { chaos(scenario, duration_ms) } else { Vec::new() },
            heartbeats_ms: until_and_with(scenario.heartbeat_every, duration_ms, false),
            snapshots_ms: until_and_with(scenario.snapshot_every, duration_ms, true),
            promises: ExpectedSamples::default(),
            unsupported: Unsupported::default(),
        };
        plan.promises = ExpectedSamples::of(&plan);
        plan
    }
}

fn churns(load: &StreamLoad, end: Duration, seed: u64) -> Recurring<ChurnRule> {
    let percent = load.churn_percent.min(CHURN_PERCENT_MAX);
    // Never all: with one stream there is nothing to churn.
    let closed = (load.count * percent / 100).max(u32::from(percent > 0)).min(load.count.saturating_sub(1));
    let when = Pulse { first_at: load.churn_every, every: load.churn_every }.before(end);
    Recurring::Computed(ChurnRule { when, seed, streams: load.count, closed })
}

fn pulses(load: &RegistryLoad, end: Duration) -> Recurring<PulseRule> {
    let when = load.pulse.before(end);
    let tampered_every = millis(load.tamper_every).div_ceil(when.every_ms).max(1);
    Recurring::Computed(PulseRule { when, tampered_every })
}

fn chaos(scenario: &Scenario, duration_ms: u64) -> Vec<PlannedChaos> {
    let events = [
        (scenario.chaos.redis_restart_at, Chaos::RedisRestart),
        (scenario.chaos.gateway_restart_at, Chaos::GatewayRestart),
        (scenario.chaos.latency_at, Chaos::Latency),
    ];
    let mut events = events.map(|(at, chaos)| PlannedChaos { at_ms: millis(at), chaos }).to_vec();
    events.retain(|event| event.at_ms < duration_ms);
    events.sort_by_key(|event| event.at_ms);
    events
}

/// Moments up to and with the end; one at 0 only if requested.
fn until_and_with(every: Duration, duration_ms: u64, with_start: bool) -> Recurring<Regular> {
    let every_ms = millis(every).max(1);
    let first_ms = if with_start { 0 } else { every_ms };
    Recurring::Computed(Regular::before(first_ms, every_ms, duration_ms.saturating_add(1)))
}
