//! The input of the renderers of output files and pages.

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
pub(crate) struct FileInput<'a> {
    pub(crate) header: &'a Header,
    pub(crate) results: &'a Results,
    pub(crate) glance: &'a Glance,
    pub(crate) series: &'a ChartSeries,
    pub(crate) timeline: &'a Timeline,
    pub(crate) targets: &'a Targets,
    /// The soak's folder for display, or other words on where to read on.
    pub(crate) folder: &'a str,
}

/// A soak at one moment, without charts and timeline: small, so that a copy does not delay measurements.
#[derive(Debug, Clone)]
pub(crate) struct Glance {
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
    pub(crate) fn at(plan: &Plan, targets: &Targets, history: &History) -> Self {
        let drifts = [
            (Gauge::GatewayRss, Kpi::RssDrift),
            (Gauge::GatewayFdSurplus, Kpi::FdDrift),
            (Gauge::GatewaySseSurplus, Kpi::SseConnectionDrift),
            (Gauge::GatewayQueueDepth, Kpi::QueueDrift),
        ];
        // Only growth that the suite judges: a line through the floors of a day takes megabytes to compute.
        let of_gateway = drifts.into_iter().filter(|(_, drift)| Kpi::of(plan.suite).any(|kpi| kpi == *drift));
        let of_gateway = of_gateway.map(|(gauge, kpi)| (gauge, targets.target(kpi).limit()));
        let own = HarnessCheck::of(plan.suite).find(|check| *check == HarnessCheck::SelfDrift);
        let judged = of_gateway.chain(own.map(|_| (Gauge::HarnessRss, targets.self_drift().limit())));
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

    /// The data by which growth of a gauge was judged.
    pub(super) fn traces(&self, gauge: Gauge) -> &[DriftTrace] {
        self.traces.get(&gauge).map_or(&[], Vec::as_slice)
    }
}
