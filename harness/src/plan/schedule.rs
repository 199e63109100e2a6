//! Draws a plan: dice, spread so that counts are exact and only moments and order are random.

use super::{
    Arrivals, ChurnRule, ExpectedSamples, Plan, PlannedChaos, Pulse, PulseRule, Recurring, RegistryLoad, Regular,
    Scenario, StreamLoad, Unsupported, millis,
};
use crate::catalog::{Chaos, Suite};

/// At most this share of the streams is away at once, whatever the settings say.
const CHURN_PERCENT_MAX: u32 = 30;

pub(super) fn draw(suite: Suite, scenario: &Scenario, seed: u64, pace: f64) -> Plan {
    let end = if suite.has_chaos() { scenario.full_duration } else { scenario.smoke_duration };
    let duration_ms = millis(end);
    let mut plan = Plan {
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

fn churns(load: &StreamLoad, end: std::time::Duration, seed: u64) -> Recurring<ChurnRule> {
    let percent = load.churn_percent.min(CHURN_PERCENT_MAX);
    // Never all: with one stream there is nothing to churn.
    let closed = (load.count * percent / 100).max(u32::from(percent > 0)).min(load.count.saturating_sub(1));
    let when = Pulse { first_at: load.churn_every, every: load.churn_every }.before(end);
    Recurring::Computed(ChurnRule { when, seed, streams: load.count, closed })
}

fn pulses(load: &RegistryLoad, end: std::time::Duration) -> Recurring<PulseRule> {
    let when = load.pulse.before(end);
    let tampered_every = millis(load.tamper_every).div_ceil(when.every_ms).max(1);
    Recurring::Computed(PulseRule { when, tampered_every })
}

fn chaos(scenario: &Scenario, duration_ms: u64) -> Vec<PlannedChaos> {
    let mut events = vec![
        PlannedChaos { at_ms: millis(scenario.chaos.redis_restart_at), chaos: Chaos::RedisRestart },
        PlannedChaos { at_ms: millis(scenario.chaos.gateway_restart_at), chaos: Chaos::GatewayRestart },
        PlannedChaos { at_ms: millis(scenario.chaos.latency_at), chaos: Chaos::Latency },
    ];
    events.retain(|event| event.at_ms < duration_ms);
    events.sort_by_key(|event| event.at_ms);
    events
}

/// Moments up to and with the end; one at 0 only where asked for.
fn until_and_with(every: std::time::Duration, duration_ms: u64, with_start: bool) -> Recurring<Regular> {
    let every_ms = millis(every).max(1);
    let first_ms = if with_start { 0 } else { every_ms };
    Recurring::Computed(Regular::before(first_ms, every_ms, duration_ms.saturating_add(1)))
}
