//! The scenario, the targets and the waivers, as `soak.toml` has them.
//!
//! Missing keys have the values of [`Scenario::default`]. Bounds keep the load reasonable. Contradictory moments are a
//! problem too, since a KPI without expected samples cannot be judged.

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

/// Each agent must have runs in a plan.
const AGENTS_MAX: usize = 32;
/// An agent's weight relative to the others.
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
    let mut scenario = Scenario::default();
    file.within("suites", |suites| {
        scenario.smoke_duration = suites.duration("smoke_duration", SOAK, scenario.smoke_duration);
        scenario.full_duration = suites.duration("full_duration", SOAK, scenario.full_duration);
        let (heartbeat, snapshot) = (seconds(30)..=minutes(60), minutes(1)..=minutes(120));
        scenario.heartbeat_every = suites.duration("heartbeat_every", heartbeat, scenario.heartbeat_every);
        scenario.snapshot_every = suites.duration("snapshot_every", snapshot, scenario.snapshot_every);
        scenario.warm_up = suites.duration("warm_up", Duration::ZERO..=minutes(120), scenario.warm_up);
    });
    let levers;
    (scenario.chaos, levers) = file.within(Workload::Chaos.name(), |table| chaos(table, &scenario.chaos));
    scenario.runs = file.within(Workload::Runs.name(), |table| runs(table, &scenario.runs));
    scenario.streams = file.within(Workload::Churn.name(), |table| streams(table, &scenario.streams));
    scenario.registry = file.within(Workload::Registry.name(), |table| registry(table, &scenario.registry));
    scenario.safety = file.within(Workload::Safety.name(), |table| pulse(table, scenario.safety));
    scenario.privacy = file.within(Workload::Privacy.name(), |table| privacy(table, &scenario.privacy));
    let (probe, scrape) = (Duration::from_millis(100)..=seconds(60), seconds(1)..=seconds(60));
    scenario.availability_every =
        file.within(Workload::Availability.name(), |table| table.duration("every", probe, scenario.availability_every));
    // Drifts look at every scenario minute.
    scenario.metrics_every =
        file.within(Workload::Metrics.name(), |table| table.duration("every", scrape, scenario.metrics_every));
    make_sense(&scenario, file);
    (scenario, levers)
}

fn runs(table: &mut TableReader<'_>, default: &RunLoad) -> RunLoad {
    RunLoad {
        per_minute: table.number("per_minute", 1..=PER_MINUTE_MAX, default.per_minute),
        timeout: table.duration("timeout", seconds(1)..=minutes(10), default.timeout),
        own_stream_percent: table.number("own_stream_percent", 0..=100, default.own_stream_percent),
        agents: table.within("agents", agents).unwrap_or_else(|| default.agents.clone()),
    }
}

/// Every key is an agent. `None` where there is no such table.
fn agents(table: &mut TableReader<'_>) -> Option<Vec<(String, u32)>> {
    let names = table.keys().into_iter();
    let agents: Vec<(String, u32)> = names.map(|name| (name.clone(), table.number(&name, WEIGHT, 1))).collect();
    if agents.len() > AGENTS_MAX {
        table.problem("", format!("has {} agents; there may be {AGENTS_MAX}", agents.len()));
    } else if !agents.is_empty() && agents.iter().all(|(_, weight)| *weight == 0) {
        table.problem("", "gives every agent the weight 0; one of them must have runs");
    }
    (!agents.is_empty()).then_some(agents)
}

fn streams(table: &mut TableReader<'_>, default: &StreamLoad) -> StreamLoad {
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
    load
}

fn registry(table: &mut TableReader<'_>, default: &RegistryLoad) -> RegistryLoad {
    RegistryLoad {
        pulse: pulse(table, default.pulse),
        tamper_every: table.duration("tamper_every", PULSE, default.tamper_every),
    }
}

fn privacy(table: &mut TableReader<'_>, default: &PrivacyLoad) -> PrivacyLoad {
    PrivacyLoad {
        pulse: pulse(table, default.pulse),
        toggle_delay: table.duration("toggle_delay", Duration::ZERO..=seconds(60), default.toggle_delay),
    }
}

/// The moments of disturbances, and the levers that the file names.
fn chaos(table: &mut TableReader<'_>, default: &ChaosLoad) -> (ChaosLoad, BTreeMap<Chaos, Lever>) {
    let load = ChaosLoad {
        redis_restart_at: table.duration("redis_restart_at", PULSE, default.redis_restart_at),
        gateway_restart_at: table.duration("gateway_restart_at", PULSE, default.gateway_restart_at),
        latency_at: table.duration("latency_at", PULSE, default.latency_at),
        latency_added: table.duration("latency_added", Duration::from_millis(10)..=seconds(5), default.latency_added),
        latency_duration: table.duration("latency_duration", seconds(30)..=minutes(60), default.latency_duration),
        settle: table.duration("settle", seconds(10)..=minutes(30), default.settle),
    };
    let mut lever = |chaos: &Chaos| Some((*chaos, table.within(chaos.name(), |table| lever(table, *chaos))?));
    (load, Chaos::ALL.iter().filter_map(&mut lever).collect())
}

fn pulse(table: &mut TableReader<'_>, default: Pulse) -> Pulse {
    Pulse {
        first_at: table.duration("first_at", Duration::ZERO..=*PULSE.end(), default.first_at),
        every: table.duration("every", PULSE, default.every),
    }
}

/// Checks moments and durations against one another.
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
        let over = format!("is {warm_up:?}, more than half of `full_duration` ({full:?})");
        file.problem("suites.warm_up", format!("{over}: drifts would have too little"));
    }
    let chaos = &scenario.chaos;
    let mut events = [
        ("redis_restart_at", chaos.redis_restart_at, chaos.settle),
        ("gateway_restart_at", chaos.gateway_restart_at, chaos.settle),
        ("latency_at", chaos.latency_at, chaos.latency_duration + chaos.settle),
    ];
    events.sort_by_key(|(_, at, _)| *at);
    for (n, (key, at, lasts)) in events.iter().enumerate() {
        let the_end = ("the end of the suite", scenario.full_duration, Duration::ZERO);
        let (next, next_at, _) = events.get(n + 1).unwrap_or(&the_end);
        if *at + *lasts >= *next_at {
            let (end, next_at) = (format_duration(*at + *lasts), format_duration(*next_at));
            let what = format!("and its settling end at {end} at the earliest, not before {next} at {next_at}");
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
