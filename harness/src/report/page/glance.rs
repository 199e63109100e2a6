//! What a page wants of a history: little, so that whoever measures is held up for no longer than it takes to copy it.

use std::collections::BTreeMap;

use crate::{
    catalog::{HarnessCheck, Kpi},
    history::History,
    journal::Gauge,
    judge::{DriftTrace, Targets, drift_traces},
    plan::Plan,
};

/// A soak at one moment, its course and verdicts aside.
#[derive(Debug, Clone)]
pub struct Glance {
    /// How far it has come, scenario milliseconds.
    pub(super) scenario_ms: u64,
    /// When it ended, if it has; RFC 3339 UTC.
    pub(super) ended_at: Option<String>,
    /// What stopped it, if something did.
    pub(super) fatal: Option<String>,
    traces: BTreeMap<Gauge, Vec<DriftTrace>>,
}

impl Glance {
    /// Takes a glance.
    #[must_use]
    pub fn at(plan: &Plan, targets: &Targets, history: &History) -> Self {
        let drifts = [
            (Gauge::GatewayRss, Kpi::RssDrift),
            (Gauge::GatewayFdSurplus, Kpi::FdDrift),
            (Gauge::GatewaySseSurplus, Kpi::SseConnectionDrift),
            (Gauge::GatewayQueueDepth, Kpi::QueueDrift),
        ];
        // Only what the suite judges: a line through the floors of a day takes megabytes while it is worked out.
        let is_judged = |drift: &Kpi| Kpi::of(plan.suite).any(|kpi| kpi == *drift);
        let of_gateway = drifts.iter().filter(|(_, kpi)| is_judged(kpi));
        let of_gateway = of_gateway.map(|(gauge, kpi)| (*gauge, targets.target(*kpi).limit()));
        let is_self_judged = HarnessCheck::of(plan.suite).any(|check| check == HarnessCheck::SelfDrift);
        let of_ours = is_self_judged.then(|| (Gauge::HarnessRss, targets.self_drift().limit()));
        let judged = of_gateway.chain(of_ours);
        Self {
            scenario_ms: history.timeline.scenario_ms(),
            ended_at: history.timeline.end().map(|end| end.ended_at.clone()),
            fatal: history.timeline.fatal().map(str::to_owned),
            traces: judged.map(|(gauge, limit)| (gauge, drift_traces(gauge, plan, targets, limit, history))).collect(),
        }
    }

    /// What growth of a gauge was judged by.
    pub(super) fn traces(&self, gauge: Gauge) -> &[DriftTrace] {
        self.traces.get(&gauge).map_or(&[], Vec::as_slice)
    }
}
