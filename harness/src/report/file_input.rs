//! The input that the output files and pages of a soak are rendered from.

use std::collections::BTreeMap;

use serde::Serialize;

use super::process::ProcessStats;
use crate::{
    catalog::{HarnessCheck, Kpi},
    history::{ChartSeries, History, Scope, Timeline},
    journal::{Counter, Gauge, Header},
    judge::{DriftTrace, Targets, drift_traces},
    plan::Plan,
    results::Results,
};

/// A soak at one moment.
#[derive(Debug, Clone, Copy)]
pub struct FileInput<'a> {
    /// The journal's header: the plan, the gateway, the settings.
    pub header: &'a Header,
    /// The judgements and their status.
    pub results: &'a Results,
    /// A summary of the soak so far.
    pub glance: &'a Glance,
    /// The measured values so far, step by step.
    pub series: &'a ChartSeries,
    /// The events, with their times.
    pub timeline: &'a Timeline,
    /// The targets that charts show.
    pub targets: &'a Targets,
    /// The soak's folder, as failures name it, or other words that say where to read on.
    pub folder: &'a str,
}

/// A soak at one moment, without charts and timeline: small, so that whoever measures is not held up by a copy of it.
#[derive(Debug, Clone)]
pub struct Glance {
    pub(super) activity: Activity,
    pub(super) processes: ProcessStats,
    traces: BTreeMap<Gauge, Vec<DriftTrace>>,
}

/// The activity of the soak so far.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Activity {
    runs_started: u64,
    runs_ended: u64,
    runs_succeeded: u64,
    open_streams: u64,
    streams_opened: u64,
    events_delivered: u64,
    requests: u64,
    request_errors: u64,
    requests_throttled: u64,
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
        let totals = &history.totals;
        let counter = |counter| totals.counter(counter, Scope::All);
        let activity = Activity {
            runs_started: totals.runs_started(),
            runs_ended: counter(Counter::RunsEnded),
            runs_succeeded: counter(Counter::RunsSucceeded),
            open_streams: totals.open_streams(),
            streams_opened: counter(Counter::StreamsOpened),
            events_delivered: counter(Counter::EventsDelivered),
            requests: totals.requests(),
            request_errors: counter(Counter::RequestErrors),
            requests_throttled: counter(Counter::RequestsThrottled),
        };
        Self {
            activity,
            processes: ProcessStats::of(history),
            traces: judged.map(|(gauge, limit)| (gauge, drift_traces(gauge, plan, targets, limit, history))).collect(),
        }
    }

    /// The data that growth of a gauge was judged by.
    pub(super) fn traces(&self, gauge: Gauge) -> &[DriftTrace] {
        self.traces.get(&gauge).map_or(&[], Vec::as_slice)
    }
}
