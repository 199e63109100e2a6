//! Habits of healthy gateways with connections and events, each seen as a client sees it.

use std::time::Duration;

use http::StatusCode;
use mock_gateway::{Config, Defect, Defects, MockGateway};
use tokio::time::timeout;

use crate::caller::{Caller, Stream, now, quick, start};

const WORKSPACE_LOGS: &str = "/api/runs/logs/stream";
const WORKSPACE_GUARD: &str = "/api/runs/guard/stream";

async fn with(habits: impl Into<Defects>) -> (MockGateway, Caller) {
    start(Config { defects: habits.into(), ..quick() }).await
}

fn of_run(id: &str, channel: &str) -> String {
    format!("/api/runs/{id}/{channel}/stream")
}

/// The kinds of the events that a stream has before it ends.
async fn kinds_to_the_end(stream: &mut Stream) -> Vec<String> {
    let mut kinds = Vec::new();
    while let Some(event) = stream.event().await {
        kinds.push(event.kind);
    }
    kinds.sort();
    kinds
}

#[tokio::test]
async fn a_runs_own_streams_close_after_its_end_and_replay_it_once_it_is_over() {
    for habit in [Defect::ClosedAfterEnd, Defect::ResetAfterEnd] {
        let (gateway, caller) = with(habit).await;
        let mut workspace = caller.open(WORKSPACE_LOGS).await;
        let id = caller.create("hello").await;
        let (logs, guard) = (of_run(&id, "logs"), of_run(&id, "guard"));
        let (mut early_logs, mut early_guard) = (caller.open(&logs).await, caller.open(&guard).await);
        caller.start_run(&id).await;
        let lines = ["end", "log", "log", "log", "log"];
        let verdicts = ["judge.verdict", "shield.decision"];
        assert_eq!(kinds_to_the_end(&mut early_logs).await, lines, "{habit:?}");
        assert_eq!(kinds_to_the_end(&mut early_guard).await, verdicts, "{habit:?}");
        assert_eq!(kinds_to_the_end(&mut caller.open(&logs).await).await, lines, "{habit:?}");
        assert_eq!(kinds_to_the_end(&mut caller.open(&guard).await).await, verdicts, "{habit:?}");
        // A stream of the workspace goes on.
        workspace.events(5).await;
        caller.play("again").await;
        workspace.events(5).await;
        gateway.shutdown().await;
    }
}

#[tokio::test]
async fn a_stream_that_is_opened_after_its_run_has_no_content() {
    let (gateway, caller) = with(Defect::NoContentAfterEnd).await;
    let id = caller.create("hello").await;
    let mut logs = caller.open(&of_run(&id, "logs")).await;
    caller.start_run(&id).await;
    logs.until("end").await;
    caller.ended(&id).await;
    for channel in ["logs", "guard"] {
        assert_eq!(caller.get(&of_run(&id, channel)).await.status, StatusCode::NO_CONTENT);
    }
    gateway.shutdown().await;
}

#[tokio::test]
async fn streams_begin_with_connected_and_ping_and_neither_names_a_run() {
    let (gateway, caller) = with(Defect::PingEvents).await;
    let mut guard = caller.open(WORKSPACE_GUARD).await;
    assert_eq!(guard.block().await.unwrap(), ": open\n\n");
    for kind in ["connected", "ping"] {
        let block = guard.block().await.unwrap();
        assert!(block.starts_with(&format!("event: {kind}\ndata: {{")), "{block}");
        assert!(!block.contains("run_id") && !block.contains("id:"), "{block}");
    }
    gateway.shutdown().await;
}

#[tokio::test]
async fn a_runs_own_streams_leave_its_id_out_and_those_of_the_workspace_do_not() {
    let (gateway, caller) = with(Defect::NoRunId).await;
    let mut workspace = caller.open(WORKSPACE_LOGS).await;
    let id = caller.create("hello").await;
    let (mut logs, mut guard) = (caller.open(&of_run(&id, "logs")).await, caller.open(&of_run(&id, "guard")).await);
    caller.start_run(&id).await;
    let own = [logs.until("end").await, guard.events(2).await].concat();
    assert!(own.iter().all(|event| event.data["run_id"].is_null() && !event.data["timestamp"].is_null()), "{own:?}");
    assert!(workspace.until("end").await.iter().all(|event| event.data["run_id"] == *id));
    gateway.shutdown().await;
}

#[tokio::test]
async fn a_runs_own_stream_shows_nothing_from_before_it_was_opened() {
    let (gateway, caller) = with(Defects::from_iter([Defect::NoReplay, Defect::ClosedAfterEnd])).await;
    let id = caller.create("hello").await;
    let mut logs = caller.open(&of_run(&id, "logs")).await;
    caller.start_run(&id).await;
    let events = logs.until("end").await;
    assert_eq!(events.len(), 5);
    caller.ended(&id).await;
    for last_id in [None, Some(events[0].id.as_str())] {
        let mut late = caller.resume(&of_run(&id, "logs"), last_id).await;
        assert_eq!(kinds_to_the_end(&mut late).await, Vec::<String>::new());
    }
    gateway.shutdown().await;
}

#[tokio::test]
async fn an_idle_guard_stream_is_silent_where_others_get_a_comment() {
    let config = Config { keep_alive: Duration::from_millis(20), ..quick() };
    let (gateway, caller) = start(Config { defects: Defect::SlowHeartbeat.into(), ..config }).await;
    let (mut logs, mut guard) = (caller.open(WORKSPACE_LOGS).await, caller.open(WORKSPACE_GUARD).await);
    assert_eq!(guard.block().await.unwrap(), ": open\n\n");
    let began = now();
    while began.elapsed() < Duration::from_millis(300) {
        logs.block().await.unwrap();
    }
    assert!(timeout(Duration::from_millis(1), guard.block()).await.is_err());
    gateway.shutdown().await;
}

#[tokio::test]
async fn one_run_logs_a_line_of_over_a_megabyte_and_has_it_in_its_record() {
    let (gateway, caller) = with(Defect::LargeEvent).await;
    let mut logs = caller.open(WORKSPACE_LOGS).await;
    let mut large = Vec::new();
    for number in 0..4 {
        let run = caller.play("hello").await;
        let lines = run["logs"].as_array().unwrap().iter().filter_map(|line| line["message"].as_str());
        let most = lines.map(str::len).max().unwrap();
        let shown =
            logs.until("end").await.iter().filter_map(|event| event.data["message"].as_str().map(str::len)).max();
        assert_eq!(shown, Some(most));
        if most > 1_190_000 {
            large.push(number);
        }
    }
    assert_eq!(large, [2]);
    gateway.shutdown().await;
}
