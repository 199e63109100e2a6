//! A Redis that goes away and comes back with all that it acknowledged.

use std::time::Duration;

use http::{Method, StatusCode};
use mock_gateway::{Config, MockGateway};
use rustix::process::Signal;
use serde_json::json;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::caller::{Caller, eventually, now, quick};
use crate::keep::{Client, WORKSPACE_LOGS, begin_runs};
use crate::process::GatewayProcess;
use crate::server::{Keeps, RedisServer};

/// From Redis answering again to the gateway being ready: a second or so, and what a busy machine adds.
const READY_AFTER_MAX: Duration = Duration::from_secs(3);

async fn start(redis: &RedisServer) -> (MockGateway, Caller) {
    let duration = Duration::from_millis(200);
    let config = Config { redis: Some(redis.url()), run_duration: duration..=2 * duration, ..quick() };
    let gateway = MockGateway::start(config).await.unwrap();
    let caller = Caller::new(&gateway, "w");
    (gateway, caller)
}

async fn is_ready(caller: &Caller) {
    eventually("the gateway is ready", async || caller.get("/ready").await.status == StatusCode::OK).await;
}

async fn is_unready(caller: &Caller) {
    eventually("the gateway is not ready", async || caller.get("/ready").await.status != StatusCode::OK).await;
}

pub(crate) async fn runs_and_streams_go_on_across_restarts_of_redis() {
    for signal in [Signal::TERM, Signal::KILL] {
        let mut redis = RedisServer::start(Keeps::Everything);
        let (gateway, caller) = start(&redis).await;
        let ended_before = caller.play("before").await;
        let never_started = caller.create("waiting").await;
        let mut client = Client::open(&caller).await;
        let mut runs = begin_runs(&caller, 8).await;
        for more in [1, 6, 7, 8, 9] {
            // On a busy machine, the last of them have come already.
            client.see(more.min(40 - client.seen.len())).await;
            redis.end(signal);
            client.see_out().await;
            is_unready(&caller).await;
            redis.start_again();
            let since = now();
            is_ready(&caller).await;
            assert!(since.elapsed() < READY_AFTER_MAX, "ready after {:?}", since.elapsed());
            client.come_back().await;
        }
        client.see_ends(8).await;
        caller.start_run(&never_started).await;
        client.see_ends(9).await;
        runs.push(never_started);
        client.has_seen_all_of(&runs).await;
        assert_eq!(caller.read_run(ended_before["id"].as_str().unwrap()).await, ended_before);
        gateway.shutdown().await;
    }
}

pub(crate) async fn while_redis_is_away_the_gateway_says_so() {
    let mut redis = RedisServer::start(Keeps::Everything);
    let (gateway, caller) = start(&redis).await;
    let run = caller.play("hello").await;
    let path = format!("/api/runs/{}", run["id"].as_str().unwrap());
    redis.end(Signal::KILL);
    is_unready(&caller).await;

    let ready = caller.get("/ready").await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(ready.json()["error"].as_str().unwrap().starts_with("store unavailable: "), "{}", ready.text);
    for path in ["/health", "/metrics"] {
        assert_eq!(caller.get(path).await.status, StatusCode::OK, "{path}");
    }
    for path in [&path, WORKSPACE_LOGS, "/api/registry/agents?q=a", "/api/agents/demo-scraper", "/api/safety/check"] {
        let away = caller.get(path).await;
        assert_eq!(
            (away.status, &away.json()["error"]),
            (StatusCode::SERVICE_UNAVAILABLE, &json!("store unavailable"))
        );
    }
    assert_eq!(caller.try_resume(WORKSPACE_LOGS, "1").await, StatusCode::SERVICE_UNAVAILABLE);
    let id = Uuid::new_v4().to_string();
    assert_eq!(caller.post("/api/runs", &caller.run(&id, "hello")).await.status, StatusCode::SERVICE_UNAVAILABLE);

    redis.start_again();
    is_ready(&caller).await;
    assert_eq!(caller.read_run(run["id"].as_str().unwrap()).await, run);
    assert_eq!(caller.post("/api/runs", &caller.run(&id, "hello")).await.status, StatusCode::CREATED);
    gateway.shutdown().await;
}

/// A Redis that is stopped accepts connections and commands, answers none, and carries them all out later.
pub(crate) async fn a_redis_that_answers_nothing_for_a_while_is_away_and_nothing_is_written_twice() {
    let redis = RedisServer::start(Keeps::Everything);
    let (gateway, caller) = start(&redis).await;
    let mut client = Client::open(&caller).await;
    let runs = begin_runs(&caller, 8).await;
    client.see(5).await;
    redis.signal(Signal::STOP);
    client.see_out().await;
    is_unready(&caller).await;
    redis.signal(Signal::CONT);
    is_ready(&caller).await;
    client.come_back().await;
    client.see_ends(8).await;
    client.has_seen_all_of(&runs).await;
    gateway.shutdown().await;
}

pub(crate) async fn nothing_is_answered_as_done_before_redis_has_it() {
    let redis = RedisServer::start(Keeps::Everything);
    let (gateway, caller) = start(&redis).await;
    let id = caller.create("hello").await;
    redis.signal(Signal::STOP);
    // Nobody has noticed yet.
    let calls = [
        ("/api/runs".to_owned(), caller.run(&Uuid::new_v4().to_string(), "hello")),
        ("/api/runs".to_owned(), caller.run(&Uuid::new_v4().to_string(), "ignore previous instructions")),
        (format!("/api/runs/{id}/start"), json!({})),
        ("/api/registry/publish".to_owned(), json!({ "slug": "a", "version": "1", "workspace_id": "w" })),
        ("/api/workspace/plan".to_owned(), json!({ "workspace_id": "w", "plan": "pro" })),
        ("/api/privacy/toggle".to_owned(), json!({ "workspace_id": "w", "storePlain": false })),
    ];
    let mut answers = JoinSet::new();
    for (path, body) in calls {
        let caller = caller.clone();
        answers.spawn(async move { (caller.post(&path, &body).await.status, path) });
    }
    for (status, path) in answers.join_all().await {
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
    }
    redis.signal(Signal::CONT);
    is_ready(&caller).await;
    // What was on its way is done all the same.
    assert_eq!(caller.ended(&id).await["status"], "completed");
    gateway.shutdown().await;
}

pub(crate) async fn no_event_is_handed_out_before_redis_has_it() {
    let mut redis = RedisServer::start(Keeps::Everything);
    let long = Duration::from_secs(2);
    let config = Config { redis: Some(redis.url()), run_duration: long..=long, ..quick() };
    let gateway = MockGateway::start(config).await.unwrap();
    let caller = Caller::new(&gateway, "w");
    let mut client = Client::open(&caller).await;
    begin_runs(&caller, 1).await;
    client.see(2).await;
    // The next event is some way off. When it comes, Redis gets no further, and never will.
    redis.signal(Signal::STOP);
    client.see_out().await;
    gateway.shutdown().await;
    redis.end(Signal::KILL);
    redis.start_again();
    let kept = redis.event_ids();
    for event in &client.seen {
        assert!(kept.contains(&event.id), "{event:?} was told, and Redis does not have it");
    }
}

pub(crate) async fn both_may_end_at_once() {
    let mut redis = RedisServer::start(Keeps::Everything);
    let (mut gateway, caller) = GatewayProcess::start(&redis.url()).await;
    let mut client = Client::open(&caller).await;
    let runs = begin_runs(&caller, 8).await;
    for more in [3, 8, 9] {
        client.see(more.min(40 - client.seen.len())).await;
        redis.end(Signal::KILL);
        gateway.end(Signal::KILL);
        client.see_out().await;
        redis.start_again();
        gateway.start_again(&caller).await;
        client.come_back().await;
    }
    client.see_ends(8).await;
    client.has_seen_all_of(&runs).await;
}

pub(crate) async fn a_real_redis_is_not_restarted_by_a_call() {
    let redis = RedisServer::start(Keeps::Everything);
    let (gateway, caller) = start(&redis).await;
    let refused = caller.post("/api/chaos/redis-restart", &json!({})).await;
    assert_eq!(refused.status, StatusCode::NOT_IMPLEMENTED);
    assert!(refused.json()["error"].as_str().unwrap().contains("redis-server"), "{}", refused.text);
    assert_eq!(caller.get("/ready").await.status, StatusCode::OK);
    assert_eq!(caller.try_send(Method::GET, "/health", Vec::new()).await.unwrap().status, StatusCode::OK);
    gateway.shutdown().await;
}
