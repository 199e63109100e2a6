//! Draws a plan: dice, spread so that counts are exact and only moments and order are random.

use rand::{SeedableRng, seq::SliceRandom};
use rand_pcg::Pcg64;

use super::{
    Arrivals, ExpectedSamples, Plan, PlannedChaos, PlannedChurn, PlannedPulse, Pulse, Scenario, StreamLoad,
    Unsupported, millis,
};
use crate::catalog::{Chaos, Suite};

/// Keeps the dice of churns from moving when others draw more or fewer.
const CHURN_SALT: u64 = 0x6368_7572;

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
        pulses: pulses(scenario, end),
        safety_ms: scenario.safety.moments_ms(end).collect(),
        privacy_ms: scenario.privacy.pulse.moments_ms(end).collect(),
        chaos: if suite.has_chaos() { chaos(scenario, duration_ms) } else { Vec::new() },
        heartbeats_ms: until_and_with(scenario.heartbeat_every, duration_ms, false),
        snapshots_ms: until_and_with(scenario.snapshot_every, duration_ms, true),
        promises: ExpectedSamples::default(),
        unsupported: Unsupported::default(),
    };
    plan.promises = ExpectedSamples::of(&plan);
    plan
}

/// Each churn closes other streams than the one before, so that all take their turn.
fn churns(load: &StreamLoad, end: std::time::Duration, seed: u64) -> Vec<PlannedChurn> {
    let mut dice = Pcg64::seed_from_u64(seed ^ CHURN_SALT);
    let percent = load.churn_percent.min(CHURN_PERCENT_MAX);
    // Never all: with one stream there is nothing to churn.
    let closed = (load.count * percent / 100).max(u32::from(percent > 0)).min(load.count.saturating_sub(1));
    let mut order: Vec<u32> = Vec::new();
    Pulse { first_at: load.churn_every, every: load.churn_every }
        .moments_ms(end)
        .map(|at_ms| {
            if order.len() < closed as usize {
                order = (0..load.count).collect();
                order.shuffle(&mut dice);
            }
            let mut streams = order.split_off(order.len() - closed as usize);
            streams.sort_unstable();
            PlannedChurn { at_ms, streams }
        })
        .collect()
}

fn pulses(scenario: &Scenario, end: std::time::Duration) -> Vec<PlannedPulse> {
    let tamper_every_ms = millis(scenario.registry.tamper_every);
    let mut next_tamper_ms = 0;
    scenario
        .registry
        .pulse
        .moments_ms(end)
        .map(|at_ms| {
            let tampered = at_ms >= next_tamper_ms;
            if tampered {
                next_tamper_ms = at_ms.saturating_add(tamper_every_ms);
            }
            PlannedPulse { at_ms, tampered }
        })
        .collect()
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

/// Moments up to and with the end; those at 0 only where asked for.
fn until_and_with(every: std::time::Duration, duration_ms: u64, with_start: bool) -> Vec<u64> {
    let every_ms = millis(every).max(1);
    (u64::from(!with_start)..).map(|n| n * every_ms).take_while(|at| *at <= duration_ms).collect()
}
