//! The scenario, the targets and the waivers, as `soak.toml` has them.
//!
//! Keys that the file leaves out have the values of [`Scenario::default`]. Bounds keep the load reasonable.
//! Contradictory moments are a problem too, since a KPI without expected samples cannot be judged.

use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

use super::{
    levers::lever,
    problem::suggestion,
    table::{TableReader, format_duration},
};
use crate::{
    catalog::{Chaos, HarnessCheck, Kpi, Suite, Workload},
    judge::Targets,
    plan::{
        ChaosLoad, Lever, PER_MINUTE_MAX, PrivacyLoad, Pulse, RegistryLoad, RunLoad, SOAK_MAX, STREAMS_MAX, Scenario,
        StreamLoad,
    },
};

/// Each agent's runs must show up in a plan.
const AGENTS_MAX: usize = 32;
/// The weight of an agent beside the others.
const WEIGHT: RangeInclusive<u32> = 0..=1_000;
const SOAK: RangeInclusive<Duration> = RangeInclusive::new(seconds(60), SOAK_MAX);
/// Bounds of intervals, and of the first or only moment of an event.
const PULSE: RangeInclusive<Duration> = RangeInclusive::new(seconds(10), SOAK_MAX);

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

const fn minutes(n: u64) -> Duration {
    Duration::from_secs(n * 60)
}

/// The whole file but `[targets]` and `[waive]`.
pub(super) fn scenario(file: &mut TableReader<'_>) -> (Scenario, BTreeMap<Chaos, Lever>) {
    let default = Scenario::default();
    let mut suites = file.table("suites");
    let smoke_duration = suites.duration("smoke_duration", SOAK, default.smoke_duration);
    let full_duration = suites.duration("full_duration", SOAK, default.full_duration);
    let heartbeat_every = suites.duration("heartbeat_every", seconds(30)..=minutes(60), default.heartbeat_every);
    let snapshot_every = suites.duration("snapshot_every", minutes(1)..=minutes(120), default.snapshot_every);
    let warm_up = suites.duration("warm_up", Duration::ZERO..=minutes(120), default.warm_up);
    suites.done();

    let (chaos, levers) = chaos(file.table(Workload::Chaos.name()), &default.chaos);
    let scenario = Scenario {
        smoke_duration,
        full_duration,
        heartbeat_every,
        snapshot_every,
        warm_up,
        runs: runs(file.table(Workload::Runs.name()), &default.runs),
        streams: streams(file.table(Workload::Churn.name()), &default.streams),
        registry: registry(file.table(Workload::Registry.name()), &default.registry),
        safety: safety(file.table(Workload::Safety.name()), default.safety),
        privacy: privacy(file.table(Workload::Privacy.name()), &default.privacy),
        chaos,
        availability_every: every(
            file.table(Workload::Availability.name()),
            Duration::from_millis(100)..=seconds(60),
            default.availability_every,
        ),
        // Drifts look at every scenario minute.
        metrics_every: every(file.table(Workload::Metrics.name()), seconds(1)..=seconds(60), default.metrics_every),
    };
    make_sense(&scenario, file);
    (scenario, levers)
}

fn runs(mut table: TableReader<'_>, default: &RunLoad) -> RunLoad {
    let load = RunLoad {
        per_minute: table.number("per_minute", 1..=PER_MINUTE_MAX, default.per_minute),
        timeout: table.duration("timeout", seconds(1)..=minutes(10), default.timeout),
        own_stream_percent: table.number("own_stream_percent", 0..=100, default.own_stream_percent),
        agents: agents(table.table("agents")).unwrap_or_else(|| default.agents.clone()),
    };
    table.done();
    load
}

/// Every key is an agent. `None` where there is no such table.
fn agents(mut table: TableReader<'_>) -> Option<Vec<(String, u32)>> {
    let names = table.keys();
    let agents: Vec<(String, u32)> =
        names.into_iter().map(|name| (name.clone(), table.number(&name, WEIGHT, 1))).collect();
    if agents.len() > AGENTS_MAX {
        table.problem("", format!("has {} agents; there may be {AGENTS_MAX}", agents.len()));
    } else if !agents.is_empty() && agents.iter().all(|(_, weight)| *weight == 0) {
        table.problem("", "gives every agent the weight 0; one of them must have runs");
    }
    (!agents.is_empty()).then_some(agents)
}

fn streams(mut table: TableReader<'_>, default: &StreamLoad) -> StreamLoad {
    let delay = Duration::from_millis(100)..=seconds(60);
    let load = StreamLoad {
        count: table.number("streams", 2..=STREAMS_MAX, default.count),
        churn_every: table.duration("churn_every", PULSE, default.churn_every),
        churn_percent: table.number("churn_percent", 1..=30, default.churn_percent),
        reconnect_delay_min: table.duration("reconnect_delay_min", delay.clone(), default.reconnect_delay_min),
        reconnect_delay_max: table.duration("reconnect_delay_max", delay, default.reconnect_delay_max),
    };
    if load.reconnect_delay_min > load.reconnect_delay_max {
        let (least, most) = (format_duration(load.reconnect_delay_min), format_duration(load.reconnect_delay_max));
        table.problem("reconnect_delay_min", format!("is {least:?}, above `reconnect_delay_max`, which is {most:?}"));
    }
    table.done();
    load
}

fn registry(mut table: TableReader<'_>, default: &RegistryLoad) -> RegistryLoad {
    let load = RegistryLoad {
        pulse: pulse(&mut table, default.pulse),
        tamper_every: table.duration("tamper_every", PULSE, default.tamper_every),
    };
    table.done();
    load
}

fn safety(mut table: TableReader<'_>, default: Pulse) -> Pulse {
    let pulse = pulse(&mut table, default);
    table.done();
    pulse
}

fn privacy(mut table: TableReader<'_>, default: &PrivacyLoad) -> PrivacyLoad {
    let load = PrivacyLoad {
        pulse: pulse(&mut table, default.pulse),
        toggle_delay: table.duration("toggle_delay", Duration::ZERO..=seconds(60), default.toggle_delay),
    };
    table.done();
    load
}

/// When gateways are disturbed, and how, where that is said.
fn chaos(mut table: TableReader<'_>, default: &ChaosLoad) -> (ChaosLoad, BTreeMap<Chaos, Lever>) {
    let load = ChaosLoad {
        redis_restart_at: table.duration("redis_restart_at", PULSE, default.redis_restart_at),
        gateway_restart_at: table.duration("gateway_restart_at", PULSE, default.gateway_restart_at),
        latency_at: table.duration("latency_at", PULSE, default.latency_at),
        latency_added: table.duration("latency_added", Duration::from_millis(10)..=seconds(5), default.latency_added),
        latency_duration: table.duration("latency_duration", seconds(30)..=minutes(60), default.latency_duration),
        settle: table.duration("settle", seconds(10)..=minutes(30), default.settle),
    };
    let levers = Chaos::ALL.iter().filter_map(|chaos| Some((*chaos, lever(table.table(chaos.name()), *chaos)?)));
    let levers = levers.collect();
    table.done();
    (load, levers)
}

fn every(mut table: TableReader<'_>, bounds: RangeInclusive<Duration>, default: Duration) -> Duration {
    let every = table.duration("every", bounds, default);
    table.done();
    every
}

fn pulse(table: &mut TableReader<'_>, default: Pulse) -> Pulse {
    Pulse {
        first_at: table.duration("first_at", Duration::ZERO..=*PULSE.end(), default.first_at),
        every: table.duration("every", PULSE, default.every),
    }
}

/// Each on its own may be right, and all together not.
fn make_sense(scenario: &Scenario, file: &TableReader<'_>) {
    let shortest = scenario.smoke_duration.min(scenario.full_duration);
    let firsts = [
        ("w2_sse_churn.churn_every", scenario.streams.churn_every),
        // A look for the versions published earlier needs a second pulse.
        ("w3_registry_pulse", scenario.registry.pulse.first_at + scenario.registry.pulse.every),
        ("w4_safety_probes.first_at", scenario.safety.first_at),
        ("w5_privacy_slice.first_at", scenario.privacy.pulse.first_at),
        ("suites.heartbeat_every", scenario.heartbeat_every),
    ];
    for (key, first_at) in firsts {
        if first_at >= shortest {
            let (first_at, shortest) = (format_duration(first_at), format_duration(shortest));
            file.problem(key, format!("comes due at {first_at}, but the shortest suite is over at {shortest}"));
        }
    }
    if scenario.warm_up * 2 > scenario.full_duration {
        let (warm_up, full) = (format_duration(scenario.warm_up), format_duration(scenario.full_duration));
        let what =
            format!("is {warm_up:?}, more than half of `full_duration` ({full:?}): drifts would have too little");
        file.problem("suites.warm_up", what);
    }
    let chaos = &scenario.chaos;
    let mut events = [
        ("redis_restart_at", chaos.redis_restart_at, chaos.settle),
        ("gateway_restart_at", chaos.gateway_restart_at, chaos.settle),
        ("latency_at", chaos.latency_at, chaos.latency_duration + chaos.settle),
    ];
    events.sort_by_key(|(_, at, _)| *at);
    for (n, (key, at, lasts)) in events.iter().enumerate() {
        let next = events.get(n + 1).map_or(("the end of the suite", scenario.full_duration), |next| (next.0, next.1));
        if *at + *lasts >= next.1 {
            let (end, next_at) = (format_duration(*at + *lasts), format_duration(next.1));
            let what = format!("and its settling end at {end} at the earliest, not before {} at {next_at}", next.0);
            file.problem(&format!("{}.{key}", Workload::Chaos), what);
        }
    }
}

/// `[targets]`: limits, by the keys that the judge knows.
pub(super) fn targets(mut table: TableReader<'_>) -> Targets {
    let mut targets = Targets::default();
    for key in table.keys() {
        if !Targets::keys().iter().any(|known| known.key == key) {
            let near = suggestion(&key, Targets::keys().iter().map(|known| known.key));
            table.problem(&key, format!("is no target; {near}"));
            continue;
        }
        let Some(value) = table.float(&key) else { continue };
        if let Err(e) = targets.set(&key, value) {
            table.problem(&key, format!("does not make sense: {e}"));
        }
    }
    targets
}

/// `[waive]`: KPIs that a team decides not to judge, each with a reason.
pub(super) fn waivers(mut table: TableReader<'_>) -> BTreeMap<Kpi, String> {
    let mut waivers = BTreeMap::new();
    for key in table.keys() {
        let Some(kpi) = Kpi::from_name(&key) else {
            let what = if HarnessCheck::from_name(&key).is_some() {
                "is a check on the harness, and without it no verdict is worth anything: it cannot be waived".to_owned()
            } else {
                format!("is no KPI; {}", suggestion(&key, Kpi::of(Suite::Full).map(Kpi::name)))
            };
            table.problem(&key, what);
            continue;
        };
        let Some(reason) = table.text(&key) else { continue };
        if reason.trim().is_empty() {
            table.problem(&key, "is waived without a reason; say why, for whoever reads the results");
        } else {
            waivers.insert(kpi, reason.trim().to_owned());
        }
    }
    waivers
}
