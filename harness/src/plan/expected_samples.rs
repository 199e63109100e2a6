//! How many samples each KPI is promised. With under nine tenths of them a KPI is unproven, whatever they say.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Arrivals, Plan, PlannedChaos, Regular, millis};
use crate::catalog::{Chaos, Kpi, Workload};

/// Prompts that each safety probe tries to inject.
pub const INJECTIONS_PER_PROBE: u64 = 3;
/// Kinds of personal data that each safety probe sends.
pub const PII_PER_PROBE: u64 = 3;
/// Published versions that are searched again, including the new one. Beyond it the oldest are forgotten.
pub const VERSIONS_MAX: u64 = 256;
const MINUTE_MS: u64 = 60_000;

/// Samples promised, by KPI.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectedSamples(BTreeMap<Kpi, u64>);

impl ExpectedSamples {
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
        let steady = Steady::of(plan, &[]);
        Self(Kpi::of(plan.suite).map(|kpi| (kpi, promise(plan, kpi, &steady))).collect())
    }
}

impl Plan {
    /// The samples that a KPI is promised if chaos windows were open from and to these moments, scenario milliseconds:
    /// a gateway that drains before it restarts keeps its window open for longer than planned. At least half of the
    /// planned samples are required, for windows of any length.
    #[must_use]
    pub fn expected_samples(&self, kpi: Kpi, windows_ms: &[(u64, u64)]) -> u64 {
        let planned = self.promises.get(kpi);
        if windows_ms.is_empty() {
            return planned;
        }
        let of = |windows_ms| promise(self, kpi, &Steady::of(self, windows_ms));
        let lost = of(&[]).saturating_sub(of(windows_ms));
        planned.saturating_sub(lost).max(planned.div_ceil(2))
    }
}

fn promise(plan: &Plan, kpi: Kpi, steady: &Steady) -> u64 {
    match kpi {
        Kpi::Availability => steady.of_evenly_spread(plan.cycles(Workload::Availability)),
        Kpi::RunSuccess | Kpi::JudgeP95 | Kpi::ShieldP95 => plan.runs.count(),
        Kpi::StartToLogP95 | Kpi::StartToLogP99 => steady.arrivals(&plan.runs),
        Kpi::SseReconnectSuccess => steady.returns(plan),
        // The first opening of every stream, the own streams of steady runs, and the streams that come back.
        Kpi::SseReconnectRate => {
            let unsupported = &plan.unsupported;
            let kept = if unsupported.workspace_stream { 0 } else { u64::from(plan.scenario.streams.count) };
            let own = match (unsupported.run_streams, unsupported.workspace_stream) {
                (true, _) => 0,
                // Each run has its own if no other stream shows it.
                (false, true) => steady.arrivals(&plan.runs),
                (false, false) => steady.own_streams(&plan.runs),
            };
            kept + own + steady.returns(plan)
        }
        // Every run writes at least a line and an end to each workspace stream.
        Kpi::SseWriteP99 | Kpi::SseDuplicates | Kpi::SseGaps => {
            let streams = if plan.unsupported.workspace_stream { 1 } else { u64::from(plan.scenario.streams.count) };
            plan.runs.count().saturating_mul(2 * streams)
        }
        // A run is at least created, started and looked at.
        Kpi::ErrorRateSteady => 3 * steady.arrivals(&plan.runs),
        // Windows close when the gateway is well, so only the settling time after each event is certain.
        Kpi::ErrorRateChaos => 3 * chaos_runs(plan),
        Kpi::PublishSearchDelay => plan.pulses.count(),
        // Each pulse searches the earlier versions from two workspaces: none, two, four, … up to the maximum.
        Kpi::RegistryConsistency => {
            let growing = plan.pulses.count().min(VERSIONS_MAX);
            let full = plan.pulses.count() - growing;
            growing * growing.saturating_sub(1) + full.saturating_mul(2 * (VERSIONS_MAX - 1))
        }
        Kpi::TamperedManifests => plan.pulses.tampered(),
        Kpi::InjectionsBlocked => INJECTIONS_PER_PROBE * plan.safety_ms.count(),
        Kpi::PiiMasked => PII_PER_PROBE * plan.safety_ms.count(),
        Kpi::PlaintextLeaks => plan.privacy_ms.count(),
        Kpi::RssDrift | Kpi::FdDrift | Kpi::SseConnectionDrift | Kpi::QueueDrift | Kpi::ClockDrift => {
            steady.minutes_after(millis(plan.scenario.warm_up))
        }
        Kpi::ChaosRecovery => plan.chaos.len() as u64,
    }
}

/// Runs that arrive while a window is certainly open.
fn chaos_runs(plan: &Plan) -> u64 {
    let settle_ms = millis(plan.scenario.chaos.settle);
    let certain = plan.chaos.iter().map(|event| {
        let lasts_ms = match event.chaos {
            Chaos::Latency => millis(plan.scenario.chaos.latency_duration) + settle_ms,
            Chaos::RedisRestart | Chaos::GatewayRestart => settle_ms,
        };
        (event.at_ms, event.at_ms + lasts_ms)
    });
    merged(certain.collect()).into_iter().map(|(from_ms, to_ms)| arrivals_within(&plan.runs, from_ms, to_ms)).sum()
}

fn arrivals_within(runs: &Arrivals, from_ms: u64, to_ms: u64) -> u64 {
    runs.before(to_ms).saturating_sub(runs.before(from_ms))
}

/// The same time as spans in order that do not overlap.
fn merged(mut spans: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    spans.sort_unstable();
    let mut merged: Vec<(u64, u64)> = Vec::new();
    for (from, to) in spans.into_iter().filter(|(from, to)| from < to) {
        match merged.last_mut() {
            Some((_, last)) if from <= *last => *last = to.max(*last),
            _ => merged.push((from, to)),
        }
    }
    merged
}

/// The scenario less the time that chaos windows are expected to take.
struct Steady {
    duration_ms: u64,
    windows_ms: Vec<(u64, u64)>,
}

impl Steady {
    /// The time outside the plan's windows and `others_ms`.
    fn of(plan: &Plan, others_ms: &[(u64, u64)]) -> Self {
        let window = |event: &PlannedChaos| (event.at_ms, plan.window_ends_ms(event).min(plan.duration_ms));
        let windows_ms = plan.chaos.iter().map(window).chain(others_ms.iter().copied()).collect();
        Self { duration_ms: plan.duration_ms, windows_ms }
    }

    /// The time that no window takes.
    fn spans(&self) -> Vec<(u64, u64)> {
        let mut spans = Vec::new();
        let mut from_ms = 0;
        for (begins, ends) in merged(self.windows_ms.clone()) {
            spans.push((from_ms, begins.min(self.duration_ms)));
            from_ms = ends;
        }
        spans.push((from_ms, self.duration_ms));
        spans.retain(|(from, to)| from < to);
        spans
    }

    /// The sum of a count over these spans.
    fn sum(&self, count_within: impl Fn(u64, u64) -> u64) -> u64 {
        self.spans().into_iter().map(|(from_ms, to_ms)| count_within(from_ms, to_ms)).sum()
    }

    fn arrivals(&self, runs: &Arrivals) -> u64 {
        self.sum(|from_ms, to_ms| arrivals_within(runs, from_ms, to_ms))
    }

    fn own_streams(&self, runs: &Arrivals) -> u64 {
        self.sum(|from_ms, to_ms| runs.own_streams(runs.before(from_ms)..runs.before(to_ms)))
    }

    fn of_evenly_spread(&self, count: u64) -> u64 {
        let every_ms = (self.duration_ms / count.max(1)).max(1);
        self.sum(|from_ms, to_ms| Regular { first_ms: 0, every_ms, count }.within(from_ms, to_ms))
    }

    /// Streams that a churn closes, and that come back.
    fn returns(&self, plan: &Plan) -> u64 {
        self.sum(|from_ms, to_ms| plan.churns.closed_within(from_ms, to_ms))
    }

    fn minutes_after(&self, warm_up_ms: u64) -> u64 {
        let whole_minutes_ms = self.duration_ms / MINUTE_MS * MINUTE_MS;
        let minutes = Regular::before(warm_up_ms.next_multiple_of(MINUTE_MS), MINUTE_MS, whole_minutes_ms);
        self.sum(|from_ms, to_ms| minutes.within(from_ms, to_ms))
    }
}
