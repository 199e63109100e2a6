//! The matrix: what is wrong with a gateway, and what turns red for it. Nothing else may.

use mock_gateway::Defect;

/// One soak: a gateway, and what is to be said of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// What the trial is called, after its kind.
    pub(crate) name: &'static str,
    /// What is wrong with the gateway, or merely odd about it.
    pub(crate) defects: &'static [Defect],
    /// The calls of the contract that it does not have.
    pub(crate) without: &'static [&'static str],
    /// Whether the gateway's process is known: then memory and descriptors are read from it, else from its metrics.
    pub(crate) knows_pid: bool,
    /// Settings that differ from `tests/soak.toml`'s, as TOML.
    pub(crate) settings: &'static str,
    /// The dialect that the gateway needs, as TOML: what differs from the contract. Empty: the contract itself.
    pub(crate) dialect: &'static str,
    /// What fails.
    pub(crate) fails: &'static [&'static str],
    /// What cannot be proven.
    pub(crate) unproven: &'static [&'static str],
}

/// What a call is answered that is not there.
pub(crate) const GONE: &str = "this gateway has no such call";

impl Row {
    /// A gateway with which nothing is wrong.
    pub(crate) const HEALTHY: Self = Self {
        name: "",
        defects: &[],
        without: &[],
        knows_pid: true,
        settings: "",
        dialect: "",
        fails: &[],
        unproven: &[],
    };
}

const fn defect(defects: &'static [Defect], fails: &'static [&'static str]) -> Row {
    Row { name: defects[0].name(), defects, fails, ..Row::HEALTHY }
}

const fn two(name: &'static str, defects: &'static [Defect], fails: &'static [&'static str]) -> Row {
    Row { name, ..defect(defects, fails) }
}

const fn healthy(oddity: &'static [Defect]) -> Row {
    defect(oddity, &[])
}

const fn gone(
    name: &'static str,
    without: &'static [&'static str],
    fails: &'static [&'static str],
    unproven: &'static [&'static str],
) -> Row {
    Row { name, without, fails, unproven, ..Row::HEALTHY }
}

/// A defect each, and what it must turn red.
pub(crate) const DEFECTS: &[Row] = &[
    defect(&[Defect::Unready], &["availability"]),
    defect(&[Defect::RunsFail], &["run_success"]),
    defect(&[Defect::SlowStartTail], &["start_to_log_p99"]),
    defect(&[Defect::SlowStart], &["start_to_log_p95"]),
    defect(&[Defect::SlowJudge], &["judge_p95"]),
    defect(&[Defect::SlowShield], &["shield_p95"]),
    defect(&[Defect::SlowWriteTail], &["sse_write_p99"]),
    defect(&[Defect::RefuseResume], &["sse_reconnect_success"]),
    defect(&[Defect::DropStreams], &["sse_reconnect_rate"]),
    defect(&[Defect::DuplicateEvents], &["sse_duplicates"]),
    defect(&[Defect::RedeliverNewId], &["sse_duplicates"]),
    defect(&[Defect::LoseEvents], &["sse_gaps"]),
    defect(&[Defect::IgnoreLastEventId], &["sse_gaps"]),
    // With twenty streams that replay all there is, this one soak carries four times the events of the others beside it.
    Row { settings: "[w2_sse_churn]\nstreams = 5\n", ..defect(&[Defect::ReplayFromStart], &["sse_duplicates"]) },
    defect(&[Defect::ApiErrors], &["error_rate_steady"]),
    defect(&[Defect::ChaosErrors], &["error_rate_chaos"]),
    defect(&[Defect::SlowIndex], &["publish_search_delay"]),
    defect(&[Defect::ForgetVersions], &["registry_consistency"]),
    defect(&[Defect::AcceptTampered], &["tampered_manifests"]),
    defect(&[Defect::AcceptInjections], &["injections_blocked"]),
    defect(&[Defect::LeakPii], &["pii_masked"]),
    defect(&[Defect::LeakPiiOutput], &["pii_masked"]),
    defect(&[Defect::LeakCanaryLog], &["plaintext_leaks"]),
    defect(&[Defect::LeakCanaryBase64], &["plaintext_leaks"]),
    defect(&[Defect::LeakMemory], &["rss_drift"]),
    defect(&[Defect::LeakDescriptors], &["fd_drift"]),
    defect(&[Defect::LeakStreams], &["sse_connection_drift"]),
    defect(&[Defect::LeakQueue], &["queue_drift"]),
    defect(&[Defect::ClockDrift], &["clock_drift"]),
    defect(&[Defect::ClockJump], &["clock_drift"]),
    defect(&[Defect::NeverHeals], &["chaos_recovery"]),
    // A recovery is measured in real time. One that misses the target by default would be half of a compressed soak.
    Row {
        settings: "[targets]\nchaos_recovery_seconds_max = 2.5\n",
        ..defect(&[Defect::SlowRecovery], &["chaos_recovery"])
    },
    defect(&[Defect::LatencyNotApplied], &["w6_light_chaos"]),
    defect(&[Defect::RestartNotDone], &["w6_light_chaos"]),
    Row { unproven: &["queue_drift", "sse_connection_drift"], ..defect(&[Defect::NoMetrics], &[]) },
    Row { unproven: &["queue_drift", "sse_connection_drift"], ..defect(&[Defect::MetricsFrozen], &[]) },
    // Where there are no histograms, the guard's events say how long it took; and where there are none of these either,
    // nothing does.
    defect(&[Defect::NoHistograms], &[]),
    Row {
        name: "no-histograms-and-no-guard-events",
        unproven: &["judge_p95", "shield_p95"],
        ..defect(&[Defect::NoHistograms, Defect::KeepAliveOnly], &[])
    },
];

/// Defects that were thought of by who knew the contract and not the judges. Where a KPI has a defect of its own above, two
/// that have nothing to do with each other share a soak.
pub(crate) const AFRESH: &[Row] = &[
    two("leak-guard", &[Defect::LeakCanaryGuard, Defect::LeakPiiGuard], &["pii_masked", "plaintext_leaks"]),
    two(
        "leak-metrics-and-short-signature",
        &[Defect::LeakCanaryMetrics, Defect::ShortSignature],
        &["plaintext_leaks", "tampered_manifests"],
    ),
    two(
        "leak-input-and-descriptors-at-chaos",
        &[Defect::LeakCanaryInput, Defect::DescriptorsAtChaos],
        &["fd_drift", "plaintext_leaks"],
    ),
    two(
        "leak-hex-and-newest-only",
        &[Defect::LeakCanaryHex, Defect::NewestOnly],
        &["plaintext_leaks", "registry_consistency"],
    ),
    two("hide-and-leak-at-chaos", &[Defect::HideWhileHashOnly, Defect::LeakAtChaos], &["plaintext_leaks", "rss_drift"]),
    two(
        "late-toggle-and-resume-one-again",
        &[Defect::LateToggle, Defect::ResumeOneAgain],
        &["plaintext_leaks", "sse_duplicates"],
    ),
    defect(&[Defect::EndBeforeLastLog], &["error_rate_chaos", "error_rate_steady", "sse_gaps"]),
    defect(&[Defect::LoseForAll], &["sse_gaps"]),
    defect(&[Defect::LoseOnWorkspaceStreams], &["sse_gaps"]),
    // What no workspace stream showed of its runs was missed by all.
    defect(&[Defect::SilentAfterRestart], &["sse_gaps", "start_to_log_p95", "start_to_log_p99"]),
    defect(&[Defect::ResumeOneShort], &["sse_gaps"]),
    defect(&[Defect::ForeignEvents], &["error_rate_chaos", "error_rate_steady"]),
    defect(&[Defect::MixedRuns], &["error_rate_chaos", "error_rate_steady"]),
    defect(&[Defect::SlowAfterRestart], &["start_to_log_p99"]),
    // It flaps after it was said to be well, and no longer when the window closes: then it would be availability's. A
    // compressed window is too short for that, and half a minute of flapping would be half of a compressed soak.
    Row {
        settings: "[w6_light_chaos]\nsettle = \"7m\"\n[targets]\nchaos_recovery_seconds_max = 3.0\n",
        ..defect(&[Defect::FlapAfterRestart], &["chaos_recovery"])
    },
    defect(&[Defect::SlowCreate], &["start_to_log_p99"]),
    defect(&[Defect::LyingHistogram], &["sse_write_p99"]),
    defect(&[Defect::PublishRejected], &["tampered_manifests"]),
    defect(&[Defect::RunRefused], &["injections_blocked"]),
    defect(&[Defect::ForgetPrivacy], &["plaintext_leaks"]),
    defect(&[Defect::LeakSecondHour], &["rss_drift"]),
    Row { unproven: &["sse_connection_drift"], ..defect(&[Defect::UndercountStreams], &[]) },
    defect(&[Defect::SwingingClock], &["clock_drift"]),
    defect(&[Defect::FrozenClock], &["clock_drift"]),
    Row { unproven: &["registry_consistency"], ..defect(&[Defect::SearchOwnOnly], &["publish_search_delay"]) },
    Row { unproven: &["registry_consistency"], ..defect(&[Defect::WrongVersion], &["publish_search_delay"]) },
    defect(&[Defect::FlickeringSearch], &["registry_consistency"]),
    defect(&[Defect::EmptyRegistry], &["registry_consistency"]),
    defect(&[Defect::EmptyRuns], &["start_to_log_p95", "start_to_log_p99"]),
    defect(&[Defect::OddEnd], &["error_rate_chaos", "error_rate_steady"]),
    defect(&[Defect::LatencyReadyOnly], &["w6_light_chaos"]),
];

/// Gateways that are healthy, and look ill.
pub(crate) const ODDITIES: &[Row] = &[
    healthy(&[Defect::Sawtooth]),
    healthy(&[Defect::WarmUpGrowth]),
    healthy(&[Defect::SparseIds]),
    healthy(&[Defect::IdsPerConnection]),
    healthy(&[Defect::BurstEvents]),
    healthy(&[Defect::SlowButSteady]),
    healthy(&[Defect::KeepAliveOnly]),
    healthy(&[Defect::LogBeforeAnswer]),
    healthy(&[Defect::HourlyClose]),
    // Neither is known by its pid, as they would not be behind a load balancer.
    Row { knows_pid: false, ..healthy(&[Defect::TwoProcesses]) },
];

/// Gateways on which one call is not there: what lived on it has no samples, or only bad ones.
pub(crate) const STARVED: &[Row] = &[
    gone(
        "runs",
        &["POST /api/runs"],
        &["error_rate_chaos", "run_success"],
        &[
            "error_rate_steady",
            "injections_blocked",
            "judge_p95",
            "pii_masked",
            "plaintext_leaks",
            "shield_p95",
            "sse_duplicates",
            "sse_gaps",
            "sse_reconnect_rate",
            "sse_write_p99",
            "start_to_log_p95",
            "start_to_log_p99",
        ],
    ),
    gone(
        "streams",
        &["GET /api/runs/logs/stream"],
        &["chaos_recovery", "error_rate_chaos", "error_rate_steady"],
        &[
            "pii_masked",
            "plaintext_leaks",
            "sse_duplicates",
            "sse_gaps",
            "sse_reconnect_rate",
            "sse_reconnect_success",
            "sse_write_p99",
            "start_to_log_p95",
            "start_to_log_p99",
        ],
    ),
    gone(
        "guard",
        &["GET /api/runs/guard/stream", "GET /api/runs/{id}/guard/stream"],
        &["error_rate_chaos", "error_rate_steady"],
        &["pii_masked", "plaintext_leaks"],
    ),
    gone(
        "publishing",
        &["POST /api/registry/publish"],
        &["error_rate_steady"],
        &["publish_search_delay", "registry_consistency", "tampered_manifests"],
    ),
    gone(
        "search",
        &["GET /api/registry/agents"],
        &["error_rate_chaos", "error_rate_steady", "publish_search_delay"],
        &["registry_consistency"],
    ),
    gone("toggle", &["POST /api/privacy/toggle"], &["error_rate_steady"], &["plaintext_leaks"]),
    gone("safety-check", &["GET /api/safety/check"], &[], &["injections_blocked"]),
    gone("health", &["GET /health"], &[], &["clock_drift"]),
    Row {
        knows_pid: false,
        ..gone("metrics", &["GET /metrics"], &[], &["fd_drift", "queue_drift", "rss_drift", "sse_connection_drift"])
    },
    gone(
        "chaos",
        &["POST /api/chaos/redis-restart", "POST /api/chaos/gateway-restart", "POST /api/chaos/latency"],
        &["w6_light_chaos"],
        &["chaos_recovery", "error_rate_chaos"],
    ),
];
