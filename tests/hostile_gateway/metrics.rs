//! Gateways whose metrics are too many, or mean nothing.

use testkit::AnyError;

use crate::{
    front::{Asked, answer, behaviour},
    scene::{self, Played},
};

fn played_with(trial: &str, metrics: fn() -> String) -> Result<Played, AnyError> {
    let odd = behaviour(move |asked: Asked| async move {
        if asked.call == "GET /metrics" {
            asked.say(answer("200 OK", "text/plain", metrics())).await
        } else {
            asked.pass().await
        }
    });
    let played = scene::play(trial, odd)?;
    played.to_its_end()?;
    // Where there are no histograms, what the guard's events say is judged.
    played.green(&["judge_p95", "shield_p95", "error_rate_steady"])?;
    Ok(played)
}

pub(crate) fn metrics_of_50_mb_are_not_read_to_their_end(trial: &str) -> Result<(), AnyError> {
    let lavish = behaviour(|asked: Asked| async move {
        if asked.call != "GET /metrics" {
            return asked.pass().await;
        }
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n";
        asked.flood(head, b"some_gauge{label=\"one of many\"} 17\n", 50 << 20).await
    });
    let played = scene::play(trial, lavish)?;
    played.to_its_end()?;
    played.green(&["judge_p95", "shield_p95", "error_rate_steady"])?;
    played.found("source_failed", &["GET /metrics", "200, with a body that is too large: over 8388608 bytes"])
}

/// Just short of what is read: twenty thousand series are looked at.
pub(crate) fn a_hundred_thousand_series_are_bounded(trial: &str) -> Result<(), AnyError> {
    let metrics = || (0..100_000).map(|n| format!("some_gauge{{label=\"{n}\"}} {n}\n")).collect();
    let played = played_with(trial, metrics)?;
    played
        .found("source_failed", &["GET /metrics", "200, but with over 20000 series: the others are not looked at"])?;
    played.found("metric_missing", &["sse_active_connections"])
}

pub(crate) fn numbers_that_are_none_and_series_that_come_twice_are_said_to(trial: &str) -> Result<(), AnyError> {
    let metrics = || {
        let histogram = "sentinel_judge_duration_seconds";
        [
            "# TYPE runs_started_total elephant\nruns_started_total NaN\n",
            "# TYPE runs_started_total counter\n# TYPE sse_active_connections gauge\nsse_active_connections NaN\n",
            "run_queue_depth 1\nrun_queue_depth 1000000\nruns_concurrent_gauge -Inf\n",
            &format!("# TYPE {histogram} histogram\n{histogram}_bucket{{le=\"0.1\"}} NaN\n"),
            &format!("{histogram}_bucket{{le=\"+Inf\"}} 12\n"),
            "process_open_fds 1e999\nnot a metric\n{} 5\n\u{1b}[2J\n",
        ]
        .concat()
    };
    let played = played_with(trial, metrics)?;
    for (name, why) in [
        ("sse_active_connections", "has a value that is no finite number: nothing of it is taken"),
        ("runs_concurrent_gauge", "has a value that is no finite number"),
        ("process_open_fds", "has a value that is no finite number"),
        ("sentinel_judge_duration_seconds", "has a value that is no finite number"),
        ("run_queue_depth", "has a series twice: nothing of it is taken"),
    ] {
        played.found("source_failed", &["GET /metrics", &format!("200, but {name} {why}")])?;
        // What its process shows itself is not missing.
        if !name.starts_with("process_") {
            played.found("metric_missing", &[name])?;
        }
    }
    Ok(())
}
