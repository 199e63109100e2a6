use http::StatusCode;

use crate::caller::{eventually, quick, start};

pub(crate) async fn streams_are_counted_while_they_are_open() {
    let (gateway, caller) = start(quick()).await;
    let mut streams = Vec::new();
    for open in 1..=5 {
        streams.push(caller.open("/api/runs/logs/stream").await);
        assert_eq!(caller.metric("sse_active_connections").await, f64::from(open));
    }
    streams.truncate(2);
    eventually("two are left", async || caller.metric("sse_active_connections").await == 2.0).await;
    drop(streams);
    eventually("none is left", async || caller.metric("sse_active_connections").await == 0.0).await;
    assert_eq!(caller.metric("sse_connections_total").await, 5.0);
    gateway.shutdown().await;
}

pub(crate) async fn the_histograms_are_those_of_the_events() {
    let (gateway, caller) = start(quick()).await;
    let (mut logs, mut guard) =
        (caller.open("/api/runs/logs/stream").await, caller.open("/api/runs/guard/stream").await);
    for _ in 0..3 {
        caller.play("hello").await;
    }
    let told = guard.events(6).await;
    logs.events(15).await;
    for (kind, name) in
        [("judge.verdict", "sentinel_judge_duration_seconds"), ("shield.decision", "shield_decision_duration_seconds")]
    {
        let of_kind = told.iter().filter(|event| event.kind == kind);
        let durations: Vec<_> = of_kind.map(|event| event.data["duration_ms"].as_f64().unwrap()).collect();
        assert_eq!(caller.metric(&format!("{name}_count")).await, 3.0);
        assert_eq!(caller.metric(&format!("{name}_bucket{{le=\"+Inf\"}}")).await, 3.0);
        let sum_ms = caller.metric(&format!("{name}_sum")).await * 1_000.0;
        assert!((sum_ms - durations.iter().sum::<f64>()).abs() < 0.01, "{name}: {sum_ms} and {durations:?}");
        for bound in ["0.2", "0.3"] {
            let within = durations.iter().filter(|ms| **ms <= bound.parse::<f64>().unwrap() * 1_000.0).count();
            assert_eq!(caller.metric(&format!("{name}_bucket{{le=\"{bound}\"}}")).await, within as f64);
        }
    }
    assert_eq!(caller.metric("sse_write_duration_seconds_count").await, 21.0);
    assert_eq!(caller.metric("sse_messages_total").await, 21.0);
    let of_workspace = format!("sse_log_messages_total{{workspace=\"{}\"}}", caller.workspace);
    assert_eq!(caller.metric(&of_workspace).await, 15.0);
    gateway.shutdown().await;
}

pub(crate) async fn runs_are_counted_where_they_are() {
    let (gateway, caller) = start(quick()).await;
    let id = caller.create("hello").await;
    assert_eq!(caller.metric("run_queue_depth").await, 1.0);
    assert_eq!(caller.metric("runs_started_total").await, 0.0);
    caller.start_run(&id).await;
    caller.ended(&id).await;
    assert_eq!(caller.metric("run_queue_depth").await, 0.0);
    assert_eq!(caller.metric("runs_concurrent_gauge").await, 0.0);
    assert_eq!(caller.metric("runs_started_total").await, 1.0);
    gateway.shutdown().await;
}

pub(crate) async fn the_process_is_told_as_the_system_sees_it() {
    let (gateway, caller) = start(quick()).await;
    let answer = caller.get("/metrics").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.headers["content-type"].to_str().unwrap().starts_with("text/plain; version=0.0.4"));
    assert!(caller.metric("process_resident_memory_bytes").await > 1_000_000.0);
    // Ours and the gateway's ends, since both are in this process. So are those of the tests beside this one, which may well
    // close more than these meanwhile.
    eventually("twenty streams are forty descriptors", async || {
        let before = caller.metric("process_open_fds").await;
        let mut streams = Vec::new();
        for _ in 0..20 {
            streams.push(caller.open("/api/runs/logs/stream").await);
        }
        caller.metric("process_open_fds").await >= before + 30.0
    })
    .await;
    let health = caller.get("/health").await.json();
    let time: jiff::Timestamp = health["time"].as_str().unwrap().parse().unwrap();
    let started = caller.metric("process_start_time_seconds").await;
    assert!((0.0..3_600.0).contains(&(time.as_second() as f64 + 2.0 - started)), "{time} and {started}");
    gateway.shutdown().await;
}
