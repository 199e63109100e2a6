use std::time::Duration;

use http::StatusCode;
use mock_gateway::{Config, MockGateway};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::caller::{Caller, DEADLINE, Event, eventually, ids, parse, quick, start};

const WORKSPACE_LOGS: &str = "/api/runs/logs/stream";

pub(crate) async fn the_stream_of_a_run_opened_before_its_start_tells_it_all() {
    let (gateway, caller) = start(quick()).await;
    let id = caller.create("hello").await;
    let mut logs = caller.open(&format!("/api/runs/{id}/logs/stream")).await;
    assert_eq!(logs.headers["content-type"], "text/event-stream");
    assert_eq!(logs.headers["cache-control"], "no-cache");
    caller.start_run(&id).await;

    let events = logs.until("end").await;
    let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["log", "log", "log", "log", "end"]);
    for event in &events {
        assert_eq!(event.data["type"], *event.kind);
        assert_eq!(event.data["run_id"], *id);
        let timestamp = event.data["timestamp"].as_str().unwrap();
        assert_eq!((timestamp.len(), timestamp.ends_with('Z')), ("2026-11-23T13:49:59.526743Z".len(), true));
    }
    assert_eq!(events[4].data["status"], "completed");
    assert_eq!(caller.read_run(&id).await["status"], "completed");

    // Opened again, it tells the same.
    assert_eq!(caller.open(&format!("/api/runs/{id}/logs/stream")).await.until("end").await, events);
    let verdicts = caller.open(&format!("/api/runs/{id}/guard/stream")).await.events(2).await;
    let verdict = verdicts.iter().find(|event| event.kind == "judge.verdict").unwrap();
    assert!(verdict.data["groundedness"].is_number() && verdict.data["duration_ms"].is_number());
    let decision = verdicts.iter().find(|event| event.kind == "shield.decision").unwrap();
    assert!(decision.data["action"] == "allow" && decision.data["duration_ms"].is_number());
    gateway.shutdown().await;
}

pub(crate) async fn a_workspace_stream_carries_its_workspace_and_no_other() {
    let (gateway, caller) = start(quick()).await;
    let other = caller.of_workspace("another");
    let (mut ours, mut theirs) = (caller.open(WORKSPACE_LOGS).await, other.open(WORKSPACE_LOGS).await);
    let (our_run, their_run) = (caller.create("ours").await, other.create("theirs").await);
    caller.start_run(&our_run).await;
    other.start_run(&their_run).await;
    assert!(ours.until("end").await.iter().all(|event| event.data["run_id"] == *our_run));
    assert!(theirs.until("end").await.iter().all(|event| event.data["run_id"] == *their_run));
    gateway.shutdown().await;
}

pub(crate) async fn a_stream_without_a_run_or_with_a_foreign_id_is_refused() {
    let (gateway, caller) = start(quick()).await;
    let unknown = caller.get("/api/runs/00000000-0000-4000-8000-000000000000/logs/stream").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert_eq!(caller.of_workspace("").get(WORKSPACE_LOGS).await.status, StatusCode::BAD_REQUEST);
    gateway.shutdown().await;
}

pub(crate) async fn a_client_that_comes_and_goes_gets_every_event_once_and_in_order() {
    let (gateway, caller) = start(Config { log_lines: 12, ..quick() }).await;
    const RUNS: usize = 24;
    const EVENTS: usize = RUNS * 13;
    let mut witness = caller.open(WORKSPACE_LOGS).await;
    let mut clients = JoinSet::new();
    for client in 0..6 {
        let (caller, first) = (caller.clone(), caller.open(WORKSPACE_LOGS).await);
        clients.spawn(async move { come_and_go(&caller, first, client + 1, EVENTS).await });
    }
    let mut runs = JoinSet::new();
    for _ in 0..RUNS {
        let caller = caller.clone();
        runs.spawn(async move { caller.play("hello").await });
    }
    let expected = witness.events(EVENTS).await;
    assert!(expected.is_sorted_by(|a, b| a.id < b.id), "ids are ordered");
    for seen in clients.join_all().await {
        assert_eq!(ids(&seen), ids(&expected));
        assert_eq!(seen, expected);
    }
    assert_eq!(runs.join_all().await.len(), RUNS);
    gateway.shutdown().await;
}

/// Reads so many events, and comes back with the last id after every few.
async fn come_and_go(caller: &Caller, first: crate::caller::Stream, few: usize, count: usize) -> Vec<Event> {
    let (mut stream, mut seen) = (first, Vec::<Event>::new());
    loop {
        let wanted = few.min(count - seen.len());
        seen.extend(stream.events(wanted).await);
        if seen.len() == count {
            return seen;
        }
        drop(stream);
        stream = caller.resume(WORKSPACE_LOGS, seen.last().map(|event| event.id.as_str())).await;
    }
}

pub(crate) async fn an_idle_stream_is_kept_alive_by_comments() {
    let (gateway, caller) = start(Config { keep_alive: Duration::from_millis(20), ..quick() }).await;
    let mut logs = caller.open(WORKSPACE_LOGS).await;
    assert_eq!(logs.block().await.unwrap(), ": open\n\n");
    assert_eq!(logs.block().await.unwrap(), ": keep-alive\n\n");
    assert_eq!(logs.block().await.unwrap(), ": keep-alive\n\n");
    gateway.shutdown().await;
}

pub(crate) async fn no_more_streams_are_open_than_allowed() {
    let (gateway, caller) = start(Config { stream_capacity: 1, ..quick() }).await;
    let first = caller.open(WORKSPACE_LOGS).await;
    assert_eq!(caller.get(WORKSPACE_LOGS).await.status, StatusCode::SERVICE_UNAVAILABLE);
    drop(first);
    eventually("there is room again", async || caller.metric("sse_active_connections").await == 0.0).await;
    drop(caller.open(WORKSPACE_LOGS).await);
    gateway.shutdown().await;
}

pub(crate) async fn a_stream_that_lags_is_disconnected_and_loses_nothing_by_coming_back() {
    const RUNS: usize = 10;
    const LINES: usize = 4_000;
    let config = Config {
        run_duration: Duration::ZERO..=Duration::ZERO,
        log_lines: LINES,
        event_log_capacity: 100_000,
        stream_queue_capacity: 64,
        ..quick()
    };
    let (gateway, caller) = start(config).await;
    let mut lagging = open_unread(&gateway).await;
    eventually("the stream is open", async || caller.metric("sse_active_connections").await == 1.0).await;

    // Nobody asks whether they have ended: an answer with so many log lines is slow to make.
    for _ in 0..RUNS {
        let id = caller.create("hello").await;
        caller.start_run(&id).await;
    }
    eventually("the stream is cut", async || caller.metric("sse_active_connections").await == 0.0).await;

    // What had got to the client before the cut, and then the rest.
    let mut received = Vec::new();
    // A cut may well show as a reset.
    let _ = timeout(DEADLINE, lagging.read_to_end(&mut received)).await.expect("the connection is closed");
    let mut seen = whole_events(&String::from_utf8_lossy(&received));
    assert!(!seen.is_empty());
    while seen.len() < RUNS * (LINES + 1) {
        let mut resumed = caller.resume(WORKSPACE_LOGS, seen.last().map(|event| event.id.as_str())).await;
        // It may lag again, as long as there is so much to tell.
        while seen.len() < RUNS * (LINES + 1)
            && let Some(event) = resumed.event().await
        {
            seen.push(event);
        }
    }
    assert!(seen.is_sorted_by(|a, b| a.id < b.id));
    gateway.shutdown().await;
}

/// A client that asks for a stream and reads none of it; its buffer is small, so that it lags soon.
async fn open_unread(gateway: &MockGateway) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(gateway.address()).await.unwrap();
    let request = format!("GET {WORKSPACE_LOGS} HTTP/1.1\r\nHost: x\r\nX-Workspace-ID: w\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// The whole events in a chunked answer. A chunk holds one event, so its size stands on a line of its own, between.
fn whole_events(answer: &str) -> Vec<Event> {
    let blocks = answer.split_inclusive("\n\n").filter(|block| block.ends_with("\n\n"));
    blocks.filter_map(|block| block.find("id: ").map(|start| parse(&block[start..]))).collect()
}
