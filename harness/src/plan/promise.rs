//! How many samples each KPI is promised. With under nine tenths of them a KPI is unproven, whatever they say.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Chaos, Kpi, Plan, PlannedChaos, PlannedRun, Workload, millis};

/// Prompts that each safety probe tries to inject.
pub const INJECTIONS_PER_PROBE: u64 = 3;
/// Kinds of personal data that each safety probe sends.
pub const PII_PER_PROBE: u64 = 3;
/// How long a restart may last until its window closes all the same, in real milliseconds: the recovery that is aimed
/// at. At a high pace even a short restart covers minutes of scenario.
const DOWNTIME_REAL_MS: f64 = 30_000.0;
/// No restart is granted more of the scenario than this.
const DOWNTIME_SCENARIO_MS_MAX: f64 = 6.0 * 60_000.0;

/// Samples promised, by KPI.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promises(BTreeMap<Kpi, u64>);

impl Promises {
    /// The samples that the KPI is promised; 0 where the suite does not judge it.
    #[must_use]
    pub fn get(&self, kpi: Kpi) -> u64 {
        self.0.get(&kpi).copied().unwrap_or(0)
    }

    /// Every promise, in the order of the KPIs.
    pub fn iter(&self) -> impl Iterator<Item = (Kpi, u64)> {
        self.0.iter().map(|(kpi, n)| (*kpi, *n))
    }

    pub(super) fn of(plan: &Plan) -> Self {
        Self(Kpi::of(plan.suite).map(|kpi| (kpi, promise(plan, kpi))).collect())
    }
}

fn promise(plan: &Plan, kpi: Kpi) -> u64 {
    let steady = Steady::of(plan);
    let count = |n: usize| n as u64;
    match kpi {
        Kpi::Availability => steady.of_evenly_spread(plan.cycles(Workload::Availability)),
        Kpi::RunSuccess | Kpi::JudgeP95 | Kpi::ShieldP95 => count(plan.runs.len()),
        Kpi::StartToLogP95 | Kpi::StartToLogP99 => steady.of_moments(plan.runs.iter().map(|run| run.at_ms)),
        Kpi::SseReconnectSuccess => steady.returns(plan),
        // The first opening of every stream, the streams of their own that steady runs have, and those that come back.
        Kpi::SseReconnectRate => {
            let lacks = &plan.lacks;
            let kept = if lacks.workspace_stream { 0 } else { u64::from(plan.scenario.streams.count) };
            // Where no other shows a run, each has its own.
            let has_own = |run: &&PlannedRun| (run.own_stream || lacks.workspace_stream) && !lacks.run_streams;
            let own = plan.runs.iter().filter(|run| steady.contains(run.at_ms)).filter(has_own).count();
            kept + count(own) + steady.returns(plan)
        }
        // Every run writes at least a line and an end to each workspace stream.
        Kpi::SseWriteP99 | Kpi::SseDuplicates | Kpi::SseGaps => {
            let streams = if plan.lacks.workspace_stream { 1 } else { u64::from(plan.scenario.streams.count) };
            count(plan.runs.len()) * 2 * streams
        }
        // A run is at least created, started and looked at.
        Kpi::ErrorRateSteady => 3 * steady.of_moments(plan.runs.iter().map(|run| run.at_ms)),
        // Windows close when the gateway is well, so only the settling time after each event is certain.
        Kpi::ErrorRateChaos => 3 * chaos_runs(plan),
        Kpi::PublishSearchDelay => count(plan.pulses.len()),
        // Each pulse looks for every earlier version from two workspaces: none, two, four, …
        Kpi::RegistryConsistency => count(plan.pulses.len()) * count(plan.pulses.len()).saturating_sub(1),
        Kpi::TamperedManifests => count(plan.pulses.iter().filter(|pulse| pulse.tampered).count()),
        Kpi::InjectionsBlocked => INJECTIONS_PER_PROBE * count(plan.safety_ms.len()),
        Kpi::PiiMasked => PII_PER_PROBE * count(plan.safety_ms.len()),
        Kpi::PlaintextLeaks => count(plan.privacy_ms.len()),
        Kpi::RssDrift | Kpi::FdDrift | Kpi::SseConnectionDrift | Kpi::QueueDrift | Kpi::ClockDrift => {
            steady.minutes_after(millis(plan.scenario.warm_up))
        }
        Kpi::ChaosRecovery => count(plan.chaos.len()),
    }
}

/// Runs that arrive while a window is certainly open.
fn chaos_runs(plan: &Plan) -> u64 {
    let settle_ms = millis(plan.scenario.chaos.settle);
    let certain = |at_ms: u64| {
        plan.chaos.iter().any(|event| {
            let lasts_ms = match event.chaos {
                Chaos::Latency => millis(plan.scenario.chaos.latency_duration) + settle_ms,
                Chaos::RedisRestart | Chaos::GatewayRestart => settle_ms,
            };
            (event.at_ms..event.at_ms + lasts_ms).contains(&at_ms)
        })
    };
    plan.runs.iter().filter(|run| certain(run.at_ms)).count() as u64
}

impl Plan {
    /// When the window of an event closes at the latest, scenario milliseconds. A gateway that is not well by then is
    /// judged as it is: promises set no more time aside, and its users wait for no window either.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a bounded count of milliseconds, not negative"
    )]
    pub fn window_ends_ms(&self, event: &PlannedChaos) -> u64 {
        let lasts_ms = match event.chaos {
            Chaos::Latency => millis(self.scenario.chaos.latency_duration),
            Chaos::RedisRestart | Chaos::GatewayRestart => {
                (DOWNTIME_REAL_MS * self.pace).clamp(0.0, DOWNTIME_SCENARIO_MS_MAX) as u64
            }
        };
        event.at_ms + lasts_ms + millis(self.scenario.chaos.settle)
    }
}

/// The scenario less the time that chaos windows are expected to take.
struct Steady {
    duration_ms: u64,
    windows_ms: Vec<(u64, u64)>,
}

impl Steady {
    fn of(plan: &Plan) -> Self {
        let window = |event: &PlannedChaos| (event.at_ms, plan.window_ends_ms(event).min(plan.duration_ms));
        Self { duration_ms: plan.duration_ms, windows_ms: plan.chaos.iter().map(window).collect() }
    }

    fn contains(&self, at_ms: u64) -> bool {
        at_ms < self.duration_ms && !self.windows_ms.iter().any(|(from, to)| (*from..*to).contains(&at_ms))
    }

    fn of_moments(&self, moments_ms: impl Iterator<Item = u64>) -> u64 {
        moments_ms.filter(|at| self.contains(*at)).count() as u64
    }

    fn of_evenly_spread(&self, count: u64) -> u64 {
        let every_ms = (self.duration_ms / count.max(1)).max(1);
        self.of_moments((0..count).map(|n| n * every_ms))
    }

    /// Streams that a churn closes, and that come back.
    fn returns(&self, plan: &Plan) -> u64 {
        let churns = plan.churns.iter().filter(|churn| self.contains(churn.at_ms));
        churns.map(|churn| churn.streams.len() as u64).sum()
    }

    fn minutes_after(&self, warm_up_ms: u64) -> u64 {
        self.of_moments((0..self.duration_ms / 60_000).map(|n| n * 60_000).filter(|at| *at >= warm_up_ms))
    }
}
