//! What a page wants of a digest: little, so that whoever measures is held up for no longer than it takes to copy it.

use std::collections::BTreeMap;

use crate::{
    journal::Gauge,
    judge::{Digest, DriftTrace, Targets, drift_traces},
    plan::{Kpi, Plan},
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
    pub fn at(plan: &Plan, targets: &Targets, digest: &Digest) -> Self {
        let limit = |kpi| targets.target(kpi).limit();
        let judged = [
            (Gauge::GatewayRss, limit(Kpi::RssDrift)),
            (Gauge::GatewayFdSurplus, limit(Kpi::FdDrift)),
            (Gauge::GatewaySseSurplus, limit(Kpi::SseConnectionDrift)),
            (Gauge::GatewayQueueDepth, limit(Kpi::QueueDrift)),
            (Gauge::HarnessRss, targets.self_drift().limit()),
        ];
        Self {
            scenario_ms: digest.scenario_ms(),
            ended_at: digest.end().map(|end| end.ended_at.clone()),
            fatal: digest.fatal().map(str::to_owned),
            traces: judged.map(|(gauge, limit)| (gauge, drift_traces(gauge, plan, limit, digest))).into(),
        }
    }

    /// What growth of a gauge was judged by.
    pub(super) fn traces(&self, gauge: Gauge) -> &[DriftTrace] {
        self.traces.get(&gauge).map_or(&[], Vec::as_slice)
    }
}
