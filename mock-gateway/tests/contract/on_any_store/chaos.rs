use std::time::Duration;

use http::{Method, StatusCode};
use mock_gateway::Config;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::caller::{eventually, ids, now, quick, start};

const WORKSPACE_LOGS: &str = "/api/runs/logs/stream";

pub(crate) async fn a_gateway_restart_drops_connections_refuses_new_ones_and_comes_back_with_its_state() {
    let config = Config {
        run_duration: Duration::from_millis(600)..=Duration::from_millis(600),
        restart_warmup: Duration::from_millis(300),
        ..quick()
    };
    let (gateway, caller) = start(config).await;
    let before = caller.play("before").await;
    let mut logs = caller.open(WORKSPACE_LOGS).await;
    let id = caller.create("under way").await;
    caller.start_run(&id).await;
    let mut seen = logs.events(1).await;

    assert_eq!(caller.post("/api/chaos/gateway-restart", &json!({})).await.status, StatusCode::ACCEPTED);
    while let Some(event) = logs.event().await {
        seen.push(event);
    }
    eventually("connections are refused", async || TcpStream::connect(gateway.address()).await.is_err()).await;
    let mut unready = false;
    eventually("the gateway is ready", async || {
        let ready = caller.try_send(Method::GET, "/ready", Vec::new()).await.map(|answer| answer.status);
        unready |= ready == Some(StatusCode::SERVICE_UNAVAILABLE);
        ready == Some(StatusCode::OK)
    })
    .await;
    assert!(unready, "it listens before it is ready");

    assert_eq!(caller.read_run(before["id"].as_str().unwrap()).await, before);
    assert_eq!(caller.ended(&id).await["status"], "completed");
    let mut logs = caller.resume(WORKSPACE_LOGS, seen.last().map(|event| event.id.as_str())).await;
    seen.extend(logs.until("end").await);
    let whole = caller.open(&format!("/api/runs/{id}/logs/stream")).await.until("end").await;
    assert_eq!(ids(&seen), ids(&whole));
    gateway.shutdown().await;
}

pub(crate) async fn a_gateway_restarts_again_and_again() {
    let config = Config { restart_downtime: Duration::from_millis(50), ..quick() };
    let (gateway, caller) = start(config).await;
    for _ in 0..5 {
        let mut logs = caller.open(WORKSPACE_LOGS).await;
        assert_eq!(caller.post("/api/chaos/gateway-restart", &json!({})).await.status, StatusCode::ACCEPTED);
        assert!(logs.event().await.is_none());
        eventually("the gateway is ready", async || {
            let ready = caller.try_send(Method::GET, "/ready", Vec::new()).await;
            ready.is_some_and(|answer| answer.status == StatusCode::OK)
        })
        .await;
    }
    gateway.shutdown().await;
}

pub(crate) async fn added_latency_delays_every_answer_and_ends() {
    let (gateway, caller) = start(quick()).await;
    let delay = Duration::from_millis(80);
    let timed = async |path: &str| {
        let asked = now();
        let answer = caller.get(path).await;
        assert_eq!(answer.status, StatusCode::OK);
        asked.elapsed()
    };
    caller.get("/health").await;
    let body = json!({ "delay": 80, "duration": 1_500 });
    assert_eq!(caller.post("/api/chaos/latency", &body).await.status, StatusCode::OK);
    for path in ["/health", "/ready", "/metrics", "/api/safety/check"] {
        assert!(timed(path).await >= delay, "{path}");
    }
    let asked = now();
    drop(caller.open(WORKSPACE_LOGS).await);
    assert!(asked.elapsed() >= delay, "the head of a stream is delayed, too");

    // Side by side, not one after the other.
    let asked = now();
    let mut answers = JoinSet::new();
    for _ in 0..10 {
        let caller = caller.clone();
        answers.spawn(async move { caller.get("/health").await.status });
    }
    answers.join_all().await;
    assert!(asked.elapsed() < 8 * delay, "ten answers took {:?}", asked.elapsed());

    eventually("latency is back to what it was", async || timed("/health").await < delay / 2).await;
    let absurd = json!({ "delay": 3_600_000, "duration": 1 });
    assert_eq!(caller.post("/api/chaos/latency", &absurd).await.status, StatusCode::BAD_REQUEST);
    gateway.shutdown().await;
}
