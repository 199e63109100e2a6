//! The KPIs: a row each, with all fixed properties.

use super::{
    call_name::CallName::{GuardStream, Health, LogsStream, Publish, RunLogsStream, Search, TogglePrivacy},
    kpi_spec::{
        KpiSpec,
        Need::{self, Call, Metric, Process},
        RegressionBase::{OfTarget, OfValue},
        RestartEffect::{Always, Later, Near},
        SampleSource::{MetricsGauge, MetricsHistogram, ProcessEach, ProcessSum, Session},
        Suites::{All, WithChaos},
        kpis,
    },
    names::Suite,
    target::{
        Target::{AtLeast, AtMost, Below},
        Unit::{Count, Millis, Percent, Seconds},
    },
};

const ANY_LOGS: &[Need] = &[Call(LogsStream), Call(RunLogsStream)];

const RUNS: &[&str] = &["POST /api/runs", "POST /api/runs/{id}/start"];
const LOGS_OF_RUNS: &[&str] =
    &["POST /api/runs", "POST /api/runs/{id}/start", "GET /api/runs/logs/stream", "GET /api/runs/{id}/logs/stream"];
const GUARDED_RUNS: &[&str] = &["POST /api/runs", "POST /api/runs/{id}/start", "GET /api/runs/guard/stream"];
const REGISTRY: &[&str] = &["POST /api/registry/publish", "GET /api/registry/agents"];
/// The requests that create, start and read a run of a probe.
const PROBED_RUNS: &[&str] = &[
    "POST /api/runs",
    "POST /api/runs/{id}/start",
    "GET /api/runs/{id}",
    "GET /api/runs/logs/stream",
    "GET /api/runs/guard/stream",
    "GET /api/runs/{id}/logs/stream",
    "GET /api/runs/{id}/guard/stream",
];
const HASHED_RUNS: &[&str] = &[
    "POST /api/privacy/toggle",
    "POST /api/runs",
    "POST /api/runs/{id}/start",
    "GET /api/runs/{id}",
    "GET /api/runs/logs/stream",
    "GET /api/runs/guard/stream",
    "GET /api/runs/{id}/logs/stream",
    "GET /api/runs/{id}/guard/stream",
    "GET /api/registry/agents",
];

kpis! {
    /// Share of readiness probes answered 200, steady.
    Availability = "availability" {
        title: "availability",
        unit: Percent, target_key: "availability_percent_min", default_target: AtLeast(99.9),
        suites: All, needs: &[], routes: &[],
        chart: "availability", chart_limit: Some("at least"),
        quantile: None, regression: OfValue, restarts: Always, source: Session,
    }
    /// Share of runs that ended in success.
    RunSuccess = "run_success" {
        title: "run success",
        unit: Percent, target_key: "run_success_percent_min", default_target: AtLeast(95.0),
        suites: All, needs: &[], routes: RUNS,
        chart: "runs", chart_limit: None,
        quantile: None, regression: OfValue, restarts: Near, source: Session,
    }
    /// From a run's due start to its first log line, 95th percentile, steady.
    StartToLogP95 = "start_to_log_p95" {
        title: "start-to-log p95",
        unit: Millis, target_key: "start_to_log_p95_ms_max", default_target: AtMost(1_200.0),
        suites: All, needs: &[ANY_LOGS], routes: LOGS_OF_RUNS,
        chart: "start_to_log", chart_limit: Some("p95"),
        quantile: Some(0.95), regression: OfValue, restarts: Near, source: Session,
    }
    /// The same, 99th percentile.
    StartToLogP99 = "start_to_log_p99" {
        title: "start-to-log p99",
        unit: Millis, target_key: "start_to_log_p99_ms_max", default_target: AtMost(1_800.0),
        suites: All, needs: &[ANY_LOGS], routes: LOGS_OF_RUNS,
        chart: "start_to_log", chart_limit: Some("p99"),
        quantile: Some(0.99), regression: OfValue, restarts: Near, source: Session,
    }
    /// The judge's duration, 95th percentile.
    JudgeP95 = "judge_p95" {
        title: "judge p95",
        unit: Millis, target_key: "judge_p95_ms_max", default_target: AtMost(300.0),
        suites: All, needs: &[&[Metric("sentinel_judge_duration_seconds"), Call(GuardStream)]], routes: GUARDED_RUNS,
        chart: "judge", chart_limit: Some("p95"),
        quantile: Some(0.95), regression: OfValue, restarts: Near, source: MetricsHistogram,
    }
    /// The shield's duration, 95th percentile.
    ShieldP95 = "shield_p95" {
        title: "shield p95",
        unit: Millis, target_key: "shield_p95_ms_max", default_target: AtMost(200.0),
        suites: All, needs: &[&[Metric("shield_decision_duration_seconds"), Call(GuardStream)]], routes: GUARDED_RUNS,
        chart: "shield", chart_limit: Some("p95"),
        quantile: Some(0.95), regression: OfValue, restarts: Near, source: MetricsHistogram,
    }
    /// Writing an event to a stream, 99th percentile. Judged by events, it needs the gateway's clock, too.
    SseWriteP99 = "sse_write_p99" {
        title: "SSE write p99",
        unit: Millis, target_key: "sse_write_p99_ms_max", default_target: AtMost(200.0),
        suites: All, needs: &[&[Metric("sse_write_duration_seconds"), Call(Health)], ANY_LOGS], routes: LOGS_OF_RUNS,
        chart: "sse_write", chart_limit: Some("p99"),
        quantile: Some(0.99), regression: OfValue, restarts: Near, source: MetricsHistogram,
    }
    /// Share of reconnect attempts that opened a stream, steady.
    SseReconnectSuccess = "sse_reconnect_success" {
        title: "SSE reconnect success",
        unit: Percent, target_key: "sse_reconnect_success_percent_min", default_target: AtLeast(99.0),
        suites: All, needs: &[ANY_LOGS], routes: LOGS_OF_RUNS,
        chart: "reconnects", chart_limit: None,
        quantile: None, regression: OfValue, restarts: Near, source: Session,
    }
    /// Streams that dropped unasked, a share of streams opened, steady.
    SseReconnectRate = "sse_reconnect_rate" {
        title: "SSE reconnect rate",
        unit: Percent, target_key: "sse_reconnect_rate_percent_below", default_target: Below(1.0),
        suites: All, needs: &[ANY_LOGS], routes: LOGS_OF_RUNS,
        chart: "reconnects", chart_limit: None,
        quantile: None, regression: OfValue, restarts: Near, source: Session,
    }
    /// Events delivered twice to one client.
    SseDuplicates = "sse_duplicates" {
        title: "the number of SSE events delivered twice",
        unit: Count, target_key: "sse_duplicates_max", default_target: AtMost(0.0),
        suites: All, needs: &[ANY_LOGS], routes: LOGS_OF_RUNS,
        chart: "events", chart_limit: None,
        quantile: None, regression: OfValue, restarts: Near, source: Session,
    }
    /// Events others saw that a client, there before and after, did not.
    SseGaps = "sse_gaps" {
        title: "the number of SSE events that did not come",
        unit: Count, target_key: "sse_gaps_max", default_target: AtMost(0.0),
        suites: All, needs: &[ANY_LOGS], routes: LOGS_OF_RUNS,
        chart: "events", chart_limit: None,
        quantile: None, regression: OfValue, restarts: Later, source: Session,
    }
    /// Requests of W1 to W5 that went wrong, out of chaos windows.
    ErrorRateSteady = "error_rate_steady" {
        title: "the error rate out of chaos windows",
        unit: Percent, target_key: "error_rate_steady_percent_max", default_target: AtMost(0.5),
        suites: All, needs: &[], routes: RUNS,
        chart: "errors", chart_limit: None,
        quantile: None, regression: OfValue, restarts: Near, source: Session,
    }
    /// Requests of W1 to W5 that went wrong, in chaos windows.
    ErrorRateChaos = "error_rate_chaos" {
        title: "the error rate in chaos windows",
        unit: Percent, target_key: "error_rate_chaos_percent_max", default_target: AtMost(2.0),
        suites: WithChaos, needs: &[], routes: RUNS,
        chart: "errors", chart_limit: None,
        quantile: None, regression: OfValue, restarts: Near, source: Session,
    }
    /// The slowest publish to appear in search.
    PublishSearchDelay = "publish_search_delay" {
        title: "the slowest publish-to-search delay",
        unit: Seconds, target_key: "publish_search_delay_seconds_max", default_target: AtMost(10.0),
        suites: All, needs: &[&[Call(Publish)], &[Call(Search)]], routes: REGISTRY,
        chart: "publish_to_search", chart_limit: Some("slowest"),
        quantile: None, regression: OfValue, restarts: Near, source: Session,
    }
    /// Earlier versions that every later search still finds.
    RegistryConsistency = "registry_consistency" {
        title: "registry consistency",
        unit: Percent, target_key: "registry_consistency_percent_min", default_target: AtLeast(100.0),
        suites: All, needs: &[&[Call(Publish)], &[Call(Search)]], routes: REGISTRY,
        chart: "publish_to_search", chart_limit: None,
        quantile: None, regression: OfValue, restarts: Later, source: Session,
    }
    /// Tampered manifests rejected.
    TamperedManifests = "tampered_manifests" {
        title: "the share of tampered manifests rejected",
        unit: Percent, target_key: "tampered_manifests_percent_min", default_target: AtLeast(100.0),
        suites: All, needs: &[&[Call(Publish)]], routes: &["POST /api/registry/publish (tampered)"],
        chart: "findings", chart_limit: None,
        quantile: None, regression: OfValue, restarts: Near, source: Session,
    }
    /// Prompt injections refused.
    InjectionsBlocked = "injections_blocked" {
        title: "the share of prompt injections refused",
        unit: Percent, target_key: "injections_blocked_percent_min", default_target: AtLeast(100.0),
        suites: All, needs: &[], routes: &["POST /api/runs (injection)", "GET /api/safety/check"],
        chart: "findings", chart_limit: None,
        quantile: None, regression: OfValue, restarts: Near, source: Session,
    }
    /// Personal data masked.
    PiiMasked = "pii_masked" {
        title: "the share of personal data masked",
        unit: Percent, target_key: "pii_masked_percent_min", default_target: AtLeast(100.0),
        suites: All, needs: &[], routes: PROBED_RUNS,
        chart: "findings", chart_limit: None,
        quantile: None, regression: OfValue, restarts: Near, source: Session,
    }
    /// Canaries seen after the toggle to hash-only.
    PlaintextLeaks = "plaintext_leaks" {
        title: "the number of canaries shown in plain text",
        unit: Count, target_key: "plaintext_leaks_max", default_target: AtMost(0.0),
        suites: All, needs: &[&[Call(TogglePrivacy)]], routes: HASHED_RUNS,
        chart: "findings", chart_limit: None,
        quantile: None, regression: OfValue, restarts: Later, source: Session,
    }
    /// Growth of the gateway's memory.
    RssDrift = "rss_drift" {
        title: "growth of the gateway's memory (RSS)",
        unit: Percent, target_key: "rss_drift_percent_max", default_target: AtMost(10.0),
        suites: WithChaos, needs: &[&[Metric("process_resident_memory_bytes"), Process]], routes: &[],
        chart: "gateway_rss", chart_limit: None,
        quantile: None, regression: OfTarget, restarts: Near, source: ProcessEach,
    }
    /// Growth of the gateway's open descriptors.
    FdDrift = "fd_drift" {
        title: "growth of the gateway's open descriptors beyond our own",
        unit: Count, target_key: "fd_drift_max", default_target: AtMost(5.0),
        suites: WithChaos, needs: &[&[Metric("process_open_fds"), Process]], routes: &[],
        chart: "descriptors", chart_limit: None,
        quantile: None, regression: OfTarget, restarts: Near, source: ProcessSum,
    }
    /// Growth of the streams the gateway counts beyond those we hold.
    SseConnectionDrift = "sse_connection_drift" {
        title: "growth of streams the gateway counts beyond ours",
        unit: Count, target_key: "sse_connection_drift_max", default_target: AtMost(5.0),
        suites: WithChaos, needs: &[&[Metric("sse_active_connections")]], routes: &[],
        chart: "streams", chart_limit: None,
        quantile: None, regression: OfTarget, restarts: Near, source: MetricsGauge,
    }
    /// Growth of the runs waiting.
    QueueDrift = "queue_drift" {
        title: "growth of the gateway's run queue",
        unit: Count, target_key: "queue_drift_max", default_target: AtMost(5.0),
        suites: WithChaos, needs: &[&[Metric("run_queue_depth")]], routes: &[],
        chart: "queue", chart_limit: None,
        quantile: None, regression: OfTarget, restarts: Near, source: MetricsGauge,
    }
    /// How far the gateway's clock moved against ours.
    ClockDrift = "clock_drift" {
        title: "drift of the gateway's clock against ours",
        unit: Millis, target_key: "clock_drift_ms_max", default_target: AtMost(500.0),
        suites: WithChaos, needs: &[&[Call(Health)]], routes: &[],
        chart: "clock", chart_limit: None,
        quantile: None, regression: OfTarget, restarts: Near, source: Session,
    }
    /// Injection to ready and every stream back, the slowest.
    ChaosRecovery = "chaos_recovery" {
        title: "the slowest recovery from chaos",
        unit: Seconds, target_key: "chaos_recovery_seconds_max", default_target: AtMost(30.0),
        suites: WithChaos, needs: &[], routes: &[],
        chart: "availability", chart_limit: None,
        quantile: None, regression: OfValue, restarts: Near, source: Session,
    }
}

impl Kpi {
    /// The KPIs that the suite judges.
    pub fn of(suite: Suite) -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(move |kpi| suite.has_chaos() || kpi.spec().suites == All)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Target, Unit};

    #[test]
    fn a_target_key_begins_with_its_kpi_and_ends_with_unit_and_direction() {
        for kpi in Kpi::ALL {
            let KpiSpec { target_key, unit, default_target, .. } = *kpi.spec();
            let unit = match unit {
                Unit::Percent => "_percent",
                Unit::Millis => "_ms",
                Unit::Seconds => "_seconds",
                Unit::Count | Unit::YesNo => "",
            };
            let direction = match default_target {
                Target::AtLeast(_) => "_min",
                Target::AtMost(_) => "_max",
                Target::Below(_) => "_below",
            };
            assert_eq!(target_key, format!("{kpi}{unit}{direction}"));
        }
    }

    #[test]
    fn a_name_with_a_quantile_is_that_quantile() {
        for kpi in Kpi::ALL {
            let of_name = kpi.name().rsplit_once("_p").and_then(|(_, digits)| digits.parse::<f64>().ok());
            assert_eq!(of_name.map(|percent| percent / 100.0), kpi.spec().quantile, "{kpi}");
        }
    }
}
