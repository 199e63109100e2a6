//! The snapshot that is taken every few minutes.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{number::minutes, process::ProcessStats, rounded};
use crate::{
    history::{History, Scope},
    journal::{Counter, Timing},
};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Snapshot<'a> {
    minute: u64,
    taken_at: &'a str,
    session: Session,
    gateway_metrics: BTreeMap<&'a str, f64>,
    system: ProcessStats,
    latencies_ms: BTreeMap<&'static str, LatencyQuantiles>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Session {
    scenario_minutes: f64,
    open_streams: u64,
    runs_started: u64,
    requests: u64,
    /// All counters, with those at 0.
    counters: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Serialize)]
struct LatencyQuantiles {
    count: u64,
    p50: f64,
    p95: f64,
    p99: f64,
    max: f64,
}

/// A snapshot as JSON: the gateway's metrics, the session's counters, both processes, and the quantiles of all
/// latencies so far in milliseconds. `taken_at` is RFC 3339 UTC.
pub(crate) fn snapshot_json(
    history: &History,
    gateway_metrics: &BTreeMap<String, f64>,
    minute: u64,
    taken_at: &str,
) -> String {
    let latency = |timing: &Timing| {
        let quantiles = history.totals.quantiles(*timing, Scope::All)?;
        let latency = LatencyQuantiles {
            count: quantiles.count,
            p50: rounded(quantiles.p50_ms),
            p95: rounded(quantiles.p95_ms),
            p99: rounded(quantiles.p99_ms),
            max: rounded(quantiles.max_ms),
        };
        Some((timing.name(), latency))
    };
    let counters = Counter::ALL.iter().map(|counter| (counter.name(), history.totals.counter(*counter, Scope::All)));
    let snapshot = Snapshot {
        minute,
        taken_at,
        session: Session {
            scenario_minutes: minutes(history.timeline.scenario_ms()),
            open_streams: history.totals.open_streams(),
            runs_started: history.totals.runs_started(),
            requests: history.totals.requests(),
            counters: counters.collect(),
        },
        gateway_metrics: gateway_metrics.iter().map(|(name, value)| (name.as_str(), *value)).collect(),
        system: ProcessStats::of(history),
        latencies_ms: Timing::ALL.iter().filter_map(latency).collect(),
    };
    let mut json = serde_json::to_string_pretty(&snapshot).expect("a snapshot is strings, numbers and maps");
    json.push('\n');
    json
}
