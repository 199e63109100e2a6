//! The matrix: gateways, each with its defect or habit, and the verdicts that turn red for it. No other verdict may be red.

use mock_gateway::Defect;

use crate::{
    dialects::{CODES, LINES, STRICT},
    row::{Row, defect, gone, healthy, two},
};

/// A defect each, and what it must turn red.
pub(crate) const DEFECTS: &[Row] = &[
    defect(&[Defect::Unready], &["availability"]).shares("a"),
    defect(&[Defect::RunsFail], &["run_success"]).shares("b"),
    defect(&[Defect::SlowStartTail], &["start_to_log_p99"]).shares("c"),
    defect(&[Defect::SlowStart], &["start_to_log_p95"]).shares("d"),
    defect(&[Defect::SlowJudge], &["judge_p95"]).shares("a"),
    defect(&[Defect::SlowShield], &["shield_p95"]).shares("b"),
    defect(&[Defect::SlowWriteTail], &["sse_write_p99"]).shares("e"),
    // A stream that was cut while it was searched, and is not resumed, has not shown everything.
    Row {
        unproven_by_chance: &["pii_masked", "plaintext_leaks"],
        ..defect(&[Defect::RefuseResume], &["sse_reconnect_success"]).shares("d")
    },
    // A canary counts where the streams that could show it were read completely.
    Row {
        unproven_by_chance: &["plaintext_leaks"],
        ..defect(&[Defect::DropStreams], &["sse_reconnect_rate"]).shares("f")
    },
    defect(&[Defect::DuplicateEvents], &["sse_duplicates"]).shares("g"),
    defect(&[Defect::RedeliverNewId], &["sse_duplicates"]).shares("h"),
    defect(&[Defect::LoseEvents], &["sse_gaps"]).shares("i"),
    defect(&[Defect::IgnoreLastEventId], &["sse_gaps"]).shares("j"),
    // With twenty streams that replay all there is, this one soak carries four times the events of the others beside it.
    Row { settings: "[w2_sse_churn]\nstreams = 5\n", ..defect(&[Defect::ReplayFromStart], &["sse_duplicates"]) },
    // A canary's run may not start, in each of the tries that a slice has.
    Row {
        unproven_by_chance: &["plaintext_leaks"],
        ..defect(&[Defect::ApiErrors], &["error_rate_steady"]).shares("i")
    },
    defect(&[Defect::ChaosErrors], &["error_rate_chaos"]).shares("j"),
    defect(&[Defect::SlowIndex], &["publish_search_delay"]).shares("b"),
    defect(&[Defect::ForgetVersions], &["registry_consistency"]).shares("c"),
    defect(&[Defect::AcceptTampered], &["tampered_manifests"]).shares("a"),
    defect(&[Defect::AcceptInjections], &["injections_blocked"]).shares("b"),
    defect(&[Defect::LeakPii], &["pii_masked"]).shares("a"),
    defect(&[Defect::LeakPiiOutput], &["pii_masked"]).shares("e"),
    defect(&[Defect::LeakCanaryLog], &["plaintext_leaks"]).shares("c"),
    defect(&[Defect::LeakCanaryBase64], &["plaintext_leaks"]).shares("e"),
    defect(&[Defect::LeakMemory], &["rss_drift"]).shares("d"),
    defect(&[Defect::LeakDescriptors], &["fd_drift"]).shares("c"),
    // The process that listens grows by nothing.
    defect(&[Defect::WorkerLeak], &["fd_drift", "rss_drift"]).shares("t"),
    // Known by its metrics alone, which the other one answers half of the time.
    Row { knows_pid: false, ..defect(&[Defect::OneWorkerLeaks], &["rss_drift"]).shares("x") },
    defect(&[Defect::LeakStreams], &["sse_connection_drift"]).shares("b"),
    defect(&[Defect::LeakQueue], &["queue_drift"]).shares("a"),
    defect(&[Defect::ClockDrift], &["clock_drift"]).shares("h"),
    defect(&[Defect::ClockJump], &["clock_drift"]).shares("d"),
    defect(&[Defect::NeverHeals], &["chaos_recovery"]).shares("h"),
    // A recovery is measured in real time. One that misses the target by default would be half of a compressed soak.
    Row {
        settings: "[targets]\nchaos_recovery_seconds_max = 2.5\n",
        ..defect(&[Defect::SlowRecovery], &["chaos_recovery"]).shares("o")
    },
    // Readiness says nothing of it, so the gateway is well again when its reads are answered.
    Row {
        settings: "[targets]\nchaos_recovery_seconds_max = 2.5\n",
        ..defect(&[Defect::HiddenOutage], &["chaos_recovery"]).shares("t")
    },
    defect(&[Defect::LatencyNotApplied], &["w6_light_chaos"]).shares("c"),
    defect(&[Defect::RestartNotDone], &["w6_light_chaos"]).shares("e"),
    Row { unproven: &["queue_drift", "sse_connection_drift"], ..defect(&[Defect::NoMetrics], &[]).shares("k") },
    Row { unproven: &["queue_drift", "sse_connection_drift"], ..defect(&[Defect::MetricsFrozen], &[]).shares("l") },
    // Where there are no histograms, the guard's events say how long it took; and where there are none of these either,
    // nothing does.
    defect(&[Defect::NoHistograms], &[]).shares("habits-1"),
    Row {
        name: "no-histograms-and-no-guard-events",
        unproven: &["judge_p95", "shield_p95"],
        ..defect(&[Defect::NoHistograms, Defect::KeepAliveOnly], &[]).shares("m")
    },
];

/// Defects that were thought of by who knew the contract and not the judges. Where a KPI has a defect of its own above, two
/// that have nothing to do with each other share a soak.
pub(crate) const AFRESH: &[Row] = &[
    two("leak-guard", &[Defect::LeakCanaryGuard, Defect::LeakPiiGuard], &["pii_masked", "plaintext_leaks"]).shares("k"),
    two(
        "leak-metrics-and-short-signature",
        &[Defect::LeakCanaryMetrics, Defect::ShortSignature],
        &["plaintext_leaks", "tampered_manifests"],
    )
    .shares("s"),
    two(
        "leak-input-and-descriptors-at-chaos",
        &[Defect::LeakCanaryInput, Defect::DescriptorsAtChaos],
        &["fd_drift", "plaintext_leaks"],
    )
    .shares("m"),
    two(
        "leak-hex-and-newest-only",
        &[Defect::LeakCanaryHex, Defect::NewestOnly],
        &["plaintext_leaks", "registry_consistency"],
    )
    .shares("o"),
    two("hide-and-leak-at-chaos", &[Defect::HideWhileHashOnly, Defect::LeakAtChaos], &["plaintext_leaks", "rss_drift"])
        .shares("n"),
    two(
        "late-toggle-and-resume-one-again",
        &[Defect::LateToggle, Defect::ResumeOneAgain],
        &["plaintext_leaks", "sse_duplicates"],
    )
    .shares("l"),
    defect(&[Defect::EndBeforeLastLog], &["error_rate_chaos", "error_rate_steady", "sse_gaps"]).shares("t"),
    defect(&[Defect::LoseForAll], &["sse_gaps"]).shares("k"),
    defect(&[Defect::LoseOnWorkspaceStreams], &["sse_gaps"]).shares("o"),
    // What no workspace stream showed of its runs was missed by all.
    defect(&[Defect::SilentAfterRestart], &["sse_gaps", "start_to_log_p95", "start_to_log_p99"]).shares("p"),
    defect(&[Defect::ResumeOneShort], &["sse_gaps"]).shares("q"),
    defect(&[Defect::ForeignEvents], &["error_rate_chaos", "error_rate_steady"]).shares("w"),
    defect(&[Defect::MixedRuns], &["error_rate_chaos", "error_rate_steady"]).shares("r"),
    defect(&[Defect::SlowAfterRestart], &["start_to_log_p99"]).shares("l"),
    // It flaps after it was said to be well, and no longer when the window closes: then it would be availability's. A
    // compressed window is too short for that, and half a minute of flapping would be half of a compressed soak.
    Row {
        settings: "[w6_light_chaos]\nsettle = \"7m\"\n[targets]\nchaos_recovery_seconds_max = 3.0\n",
        ..defect(&[Defect::FlapAfterRestart], &["chaos_recovery"])
    },
    defect(&[Defect::SlowCreate], &["start_to_log_p99"]).shares("n"),
    defect(&[Defect::LyingHistogram], &["sse_write_p99"]).shares("r"),
    defect(&[Defect::StallingWrites], &["sse_write_p99"]).shares("content"),
    // Only one of its twenty streams asks for that, as browsers do. The last events of the soak never come on it.
    Row {
        says: &[
            ("sse_write_p99", "asks for gzip, deflate, br as a browser does) shows one event in ten over "),
            ("sse_gaps", "as a browser does) shows events late (see sse_write_p99)"),
        ],
        ..defect(&[Defect::CompressedStreams], &["sse_gaps", "sse_write_p99"]).shares("b")
    },
    Row {
        // The runs whose end does not come may be those that carry a canary, two in a row: then their streams cannot be looked at.
        unproven_by_chance: &["plaintext_leaks"],
        ..defect(&[Defect::NoEnd], &["sse_gaps"]).shares("content")
    },
    // Long runs are many events; on a few streams they are no load.
    Row { settings: "[w2_sse_churn]\nstreams = 5\n", ..defect(&[Defect::LongRunsLose], &["sse_gaps"]) },
    defect(&[Defect::RedeliverToOne], &["sse_duplicates"]).shares("content"),
    // One create in twenty is just about what both of these targets allow: they are moved out of its way, to either side.
    Row {
        settings: "[targets]\nrun_success_percent_min = 97\nerror_rate_chaos_percent_max = 10\n",
        says: &[("error_rate_steady", "POST /api/runs (run "), ("run_success", "not created: 200 {")],
        ..defect(&[Defect::OkWithError], &["error_rate_steady", "run_success"]).shares("p")
    },
    // So few are within the target, and each is kept for ever.
    Row {
        settings: "[w1_realistic_runs]\ntimeout = \"8s\"\n",
        unproven: &["run_success"],
        says: &[("run_success", "had not ended when the soak did (run ")],
        ..defect(&[Defect::RunsStuck], &[]).shares("k")
    },
    defect(&[Defect::PublishRejected], &["tampered_manifests"]).shares("f"),
    defect(&[Defect::RunRefused], &["injections_blocked"]).shares("f"),
    defect(&[Defect::ForgetPrivacy], &["plaintext_leaks"]).shares("q"),
    defect(&[Defect::LeakSecondHour], &["rss_drift"]).shares("g"),
    // Its heap is told by metrics, which no other row of its soak may be without.
    defect(&[Defect::LeakBelowGarbage], &["rss_drift"]).shares("w"),
    Row { unproven: &["sse_connection_drift"], ..defect(&[Defect::UndercountStreams], &[]).shares("n") },
    defect(&[Defect::SwingingClock], &["clock_drift"]).shares("i"),
    defect(&[Defect::FrozenClock], &["clock_drift"]).shares("f"),
    Row {
        unproven: &["registry_consistency"],
        ..defect(&[Defect::SearchOwnOnly], &["publish_search_delay"]).shares("j")
    },
    Row {
        unproven: &["registry_consistency"],
        ..defect(&[Defect::WrongVersion], &["publish_search_delay"]).shares("m")
    },
    defect(&[Defect::FlickeringSearch], &["registry_consistency"]).shares("g"),
    defect(&[Defect::EmptyRegistry], &["registry_consistency"]).shares("p"),
    defect(&[Defect::EmptyRuns], &["start_to_log_p95", "start_to_log_p99"]).shares("q"),
    defect(&[Defect::OddEnd], &["error_rate_chaos", "error_rate_steady"]).shares("s"),
    defect(&[Defect::LatencyReadyOnly], &["w6_light_chaos"]).shares("g"),
    // Without a word of the dialect's a refusal proves nothing. A paged search shows all that is asked for by itself.
    Row {
        unproven: &["pii_masked"],
        ..two(
            "unnoticed-restart-and-refusals-unsaid",
            &[Defect::UnnoticedRestart, Defect::PiiRefused, Defect::PagedSearch],
            &["w6_light_chaos"],
        )
    },
    // What is accepted is looked for, and what is on no page is not there.
    Row {
        dialect: STRICT,
        ..two(
            "leaks-and-losses-behind-habits",
            &[Defect::LeakPii, Defect::NewestOnly, Defect::PiiRefused, Defect::PagedSearch, Defect::StrictVersions],
            &["pii_masked", "registry_consistency"],
        )
        .shares("r")
    },
];

/// Gateways that are healthy, and look ill.
pub(crate) const ODDITIES: &[Row] = &[
    healthy(&[Defect::Sawtooth]).shares("habits-1"),
    healthy(&[Defect::WarmUpGrowth]).shares("habits-2"),
    healthy(&[Defect::LazyHeap]).shares("habits-3"),
    // As everybody has it: in a real minute memory says nothing, and is not judged.
    Row { settings: "[drift]\n", ..healthy(&[Defect::RuntimeWarmUp]).shares("habits-4") },
    healthy(&[Defect::SparseIds]).shares("habits-1"),
    healthy(&[Defect::IdsPerConnection]).shares("habits-2"),
    healthy(&[Defect::BurstEvents]).shares("habits-2"),
    healthy(&[Defect::SlowButSteady]).shares("habits-4"),
    healthy(&[Defect::KeepAliveOnly]).shares("habits-2"),
    healthy(&[Defect::LogBeforeAnswer]).shares("habits-1"),
    healthy(&[Defect::HourlyClose]).shares("habits-1"),
    healthy(&[Defect::ClosedAfterEnd]).shares("habits-3"),
    Row { dialect: "[limits]\nconnection_age = \"8s\"\n", ..healthy(&[Defect::RotatedStreams]).shares("habits-3") },
    healthy(&[Defect::PingEvents]).shares("habits-3"),
    healthy(&[Defect::NoRunId]).shares("habits-3"),
    healthy(&[Defect::NoReplay]).shares("habits-3"),
    healthy(&[Defect::ResetAfterEnd]).shares("habits-1"),
    healthy(&[Defect::LargeEvent]).shares("habits-1"),
    healthy(&[Defect::NoContentAfterEnd]).shares("habits-1"),
    // Nothing comes on guard streams, by another habit of this soak: S2 closes the idle one itself, twice.
    Row { dialect: "[limits]\nstream_idle = \"20s\"\n", ..healthy(&[Defect::SlowHeartbeat]).shares("habits-2") },
    healthy(&[Defect::EqualLines]).shares("habits-4"),
    healthy(&[Defect::RecordCut]).shares("habits-4"),
    healthy(&[Defect::GzipUnasked]).shares("habits-3"),
    healthy(&[Defect::LargeRecord]).shares("habits-2"),
    healthy(&[Defect::StaleConnection]).shares("habits-4"),
    healthy(&[Defect::ClockInSeconds]).shares("habits-2"),
    healthy(&[Defect::FlushedStreams]).shares("habits-3"),
    healthy(&[Defect::MetricsEmptyBraces]).shares("habits-1"),
    healthy(&[Defect::MetricsBlanks]).shares("habits-3"),
    healthy(&[Defect::GaugesVanish]).shares("habits-4"),
    // A gateway behind HTTP/2, and metrics that are not.
    Row {
        dialect: "[calls.metrics]\npath = \"METRICS_URL\"\n",
        ..healthy(&[Defect::MetricsElsewhere]).shares("elsewhere")
    },
    healthy(&[Defect::Http2Only]).shares("elsewhere"),
    Row { dialect: LINES, ..healthy(&[Defect::BatchedLines]).shares("elsewhere") },
    Row { dialect: CODES, ..healthy(&[Defect::CodedErrors]).shares("elsewhere") },
    // Other forms of the same habits, together.
    healthy(&[Defect::CutOnStreams, Defect::PrefixedRecord, Defect::EqualLines, Defect::LateEnd]),
    healthy(&[Defect::RecordTail, Defect::BurstEvents]).shares("v"),
    // Neither is known by its pid, as they would not be behind a load balancer.
    Row { knows_pid: false, ..healthy(&[Defect::TwoProcesses]).shares("y") },
    Row { knows_pid: false, ..healthy(&[Defect::SeveralWorkers]) },
    Row { knows_pid: false, ..healthy(&[Defect::FdRace]).shares("z") },
    Row {
        dialect: STRICT,
        ..two(
            "strict-registry",
            &[Defect::PagedSearch, Defect::StrictVersions, Defect::PiiRefused, Defect::DrainFirst],
            &[],
        )
        .shares("elsewhere")
    },
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
    )
    .shares("z"),
    gone(
        "publishing",
        &["POST /api/registry/publish"],
        &["error_rate_steady"],
        &["publish_search_delay", "registry_consistency", "tampered_manifests"],
    )
    .shares("x"),
    gone(
        "search",
        &["GET /api/registry/agents"],
        &["error_rate_chaos", "error_rate_steady", "publish_search_delay"],
        &["registry_consistency"],
    )
    .shares("y"),
    gone("toggle", &["POST /api/privacy/toggle"], &["error_rate_steady"], &["plaintext_leaks"]).shares("v"),
    // Where there is neither a clock nor metrics, nothing says how long events are written: these two have a soak each.
    gone("safety-check", &["GET /api/safety/check"], &[], &["injections_blocked"]).shares("u"),
    gone("health", &["GET /health"], &[], &["clock_drift"]).shares("u"),
    Row {
        knows_pid: false,
        ..gone("metrics", &["GET /metrics"], &[], &["fd_drift", "queue_drift", "rss_drift", "sse_connection_drift"])
    },
    gone(
        "chaos",
        &["POST /api/chaos/redis-restart", "POST /api/chaos/gateway-restart", "POST /api/chaos/latency"],
        &["w6_light_chaos"],
        &["chaos_recovery", "error_rate_chaos"],
    )
    .shares("v"),
];
