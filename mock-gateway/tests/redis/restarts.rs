//! The end of the gateway's process, and another one that goes on.

use std::collections::HashSet;
use std::time::Duration;

use http::StatusCode;
use mock_gateway::{Config, MockGateway, ServeError};
use rustix::process::Signal;
use serde_json::json;
use tokio::time::timeout;

use crate::caller::{Caller, DEADLINE, eventually, quick};
use crate::keep::{Client, begin_runs};
use crate::process::GatewayProcess;
use crate::server::{Keeps, RedisServer};

/// What a stop in good order may take.
const STOP_MAX: Duration = Duration::from_secs(2);

pub(crate) async fn runs_and_streams_go_on_across_ends_of_the_process_at_any_moment() {
    for signal in [Signal::TERM, Signal::KILL] {
        let redis = RedisServer::start(Keeps::Everything);
        let (mut gateway, caller) = GatewayProcess::start(&redis.url()).await;
        let ended_before = caller.play("before").await;
        let never_started = caller.create("waiting").await;

        let mut client = Client::open(&caller).await;
        let mut runs = begin_runs(&caller, 8).await;
        // Ever later in the runs' lives: they tell 40 events.
        for more in [1, 6, 7, 8, 9] {
            // On a busy machine, the last of them have come already.
            client.see(more.min(40 - client.seen.len())).await;
            let (status, took) = gateway.end(signal);
            assert!(signal == Signal::KILL || (status.success() && took < STOP_MAX), "{status} after {took:?}");
            client.see_out().await;
            gateway.start_again(&caller).await;
            client.come_back().await;
        }
        client.see_ends(8).await;

        caller.start_run(&never_started).await;
        client.see_ends(9).await;
        runs.push(never_started);
        client.has_seen_all_of(&runs).await;
        assert_eq!(caller.read_run(ended_before["id"].as_str().unwrap()).await, ended_before);
        assert_eq!(caller.metric("runs_concurrent_gauge").await + caller.metric("run_queue_depth").await, 0.0);
    }
}

pub(crate) async fn versions_stay_found_and_hash_only_stays_on() {
    for signal in [Signal::TERM, Signal::KILL] {
        let redis = RedisServer::start(Keeps::Everything);
        let (mut gateway, caller) = GatewayProcess::start(&redis.url()).await;
        let other = caller.of_workspace("another");
        for version in ["1.0.0-1", "1.0.0-2"] {
            let manifest =
                json!({ "slug": "soak-agent", "version": version, "readme_md": "# Agent", "workspace_id": "w" });
            assert_eq!(caller.post("/api/registry/publish", &manifest).await.status, StatusCode::CREATED);
        }
        let agent = caller.get("/api/agents/soak-agent").await.json();
        let plan = json!({ "workspace_id": "w", "plan": "pro" });
        assert_eq!(caller.post("/api/workspace/plan", &plan).await.status, StatusCode::OK);
        let toggle = json!({ "workspace_id": "w", "storePlain": false });
        assert_eq!(caller.post("/api/privacy/toggle", &toggle).await.status, StatusCode::OK);

        gateway.end(signal);
        gateway.start_again(&caller).await;
        let found = other.get("/api/registry/agents?q=soak-agent").await.json();
        let versions: Vec<_> = found["agents"].as_array().unwrap().iter().map(|v| v["version"].clone()).collect();
        assert_eq!(versions, ["1.0.0-2", "1.0.0-1"]);
        assert_eq!(caller.get("/api/agents/soak-agent").await.json(), agent);
        assert_eq!(redis.query::<String>(&["HGET", "mock-gateway:workspaces:plan", "w"]), "pro");
        // The toggle may have been answered less than its delay ago.
        is_hashed(&caller, "canary-1").await;
        gateway.end(signal);
        gateway.start_again(&caller).await;
        let run = caller.play("canary-2").await.to_string();
        assert!(!run.contains("canary-2"), "{run}");
        assert!(other.play("canary-3").await.to_string().contains("canary-3"));
    }
}

async fn is_hashed(caller: &Caller, canary: &str) {
    eventually("new runs are hashed", async || {
        !caller.read_run(&caller.create(canary).await).await.to_string().contains(canary)
    })
    .await;
}

pub(crate) async fn a_stop_is_quick_even_while_redis_is_away_or_answers_nothing() {
    for signal in [Signal::KILL, Signal::STOP] {
        let redis = RedisServer::start(Keeps::Everything);
        let (mut gateway, caller) = GatewayProcess::start(&redis.url()).await;
        let mut client = Client::open(&caller).await;
        begin_runs(&caller, 3).await;
        client.see(1).await;
        redis.signal(signal);
        let (status, took) = gateway.end(Signal::TERM);
        assert!(status.success() && took < STOP_MAX, "{status} after {took:?}");
    }
}

pub(crate) async fn a_gateway_whose_redis_is_taken_over_closes_and_writes_no_more() {
    let redis = RedisServer::start(Keeps::Everything);
    let slow = Duration::from_secs(600);
    let config = Config { redis: Some(redis.url()), run_duration: slow..=slow, ..quick() };
    let mut old = MockGateway::start(config.clone()).await.unwrap();
    let run = begin_runs(&Caller::new(&old, "w"), 1).await.remove(0);
    let new = MockGateway::start(Config { run_duration: Duration::ZERO..=Duration::ZERO, ..config }).await.unwrap();
    let closed = timeout(DEADLINE, old.closed()).await.expect("the old gateway closes before the deadline");
    assert!(matches!(closed, Err(ServeError::StoreTaken)), "{closed:?}");
    old.shutdown().await;
    let caller = Caller::new(&new, "w");
    assert_eq!(caller.ended(&run).await["status"], "completed");
    let mut client = Client::open(&caller).await;
    let more = begin_runs(&caller, 1).await;
    client.see_ends(1).await;
    client.has_seen_all_of(&more).await;
    new.shutdown().await;
}

/// One that is busy has no time to look whether it is still the one that writes.
pub(crate) async fn a_busy_gateway_is_taken_over_between_two_events() {
    const LINES: usize = 1_000;
    let redis = RedisServer::start(Keeps::EverySecond);
    let at_once = Duration::ZERO..=Duration::ZERO;
    let config = Config { redis: Some(redis.url()), run_duration: at_once, log_lines: LINES, ..quick() };
    let mut old = MockGateway::start(config.clone()).await.unwrap();
    let mut client = Client::open(&Caller::new(&old, "w")).await;
    let run = begin_runs(&Caller::new(&old, "w"), 1).await.remove(0);
    client.see(10).await;
    let new = MockGateway::start(config).await.unwrap();
    client.see_out().await;
    assert!(client.seen.len() <= LINES, "it was taken over too late to tell");
    assert!(matches!(old.closed().await, Err(ServeError::StoreTaken)));
    old.shutdown().await;

    let caller = Caller::new(&new, "w");
    client.come_back_to(&caller).await;
    client.see_ends(1).await;
    assert_eq!(client.seen.len(), LINES + 1);
    let told: HashSet<_> = client.seen.iter().map(|event| event.data["message"].to_string()).collect();
    assert_eq!(told.len(), LINES + 1, "no line is told twice");
    assert_eq!(caller.ended(&run).await["logs"].as_array().unwrap().len(), LINES);
    new.shutdown().await;
}

pub(crate) async fn gateways_with_prefixes_of_their_own_share_a_redis() {
    let redis = RedisServer::start(Keeps::Everything);
    let config = Config { redis: Some(redis.url()), ..quick() };
    let one = MockGateway::start(config.clone()).await.unwrap();
    let other = MockGateway::start(Config { redis_prefix: "other".into(), ..config }).await.unwrap();
    let (caller, other_caller) = (Caller::new(&one, "w"), Caller::new(&other, "w"));
    let run = caller.play("hello").await;
    let path = format!("/api/runs/{}", run["id"].as_str().unwrap());
    assert_eq!(other_caller.get(&path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(other_caller.play("hello").await["status"], "completed");
    assert_eq!(caller.get("/ready").await.status, StatusCode::OK);
    one.shutdown().await;
    other.shutdown().await;
}
