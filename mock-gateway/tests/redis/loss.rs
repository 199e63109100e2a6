//! A Redis that comes back without what it had. The gateway goes on, and makes nothing up.

use std::time::Duration;

use http::StatusCode;
use mock_gateway::{Config, MockGateway};
use rustix::process::Signal;
use serde_json::json;

use crate::caller::{Caller, eventually, quick};
use crate::keep::{Client, begin_runs};
use crate::process::GatewayProcess;
use crate::server::{Keeps, RedisServer};

async fn publish(caller: &Caller) {
    let manifest = json!({ "slug": "soak-agent", "version": "1.0.0-1", "workspace_id": "w" });
    assert_eq!(caller.post("/api/registry/publish", &manifest).await.status, StatusCode::CREATED);
    eventually("the version is found", async || versions(caller).await == 1).await;
}

async fn versions(caller: &Caller) -> u64 {
    caller.get("/api/registry/agents?q=soak-agent").await.json()["total"].as_u64().unwrap()
}

pub(crate) async fn whoever_was_away_misses_what_was_lost_and_the_gateway_goes_on() {
    let mut redis = RedisServer::start(Keeps::Nothing);
    let long = Duration::from_secs(1);
    let config = Config { redis: Some(redis.url()), run_duration: long..=long, ..quick() };
    let gateway = MockGateway::start(config).await.unwrap();
    let caller = Caller::new(&gateway, "w");
    publish(&caller).await;
    let (mut there, mut away) = (Client::open(&caller).await, Client::open(&caller).await);
    let lost = begin_runs(&caller, 1).await;
    away.see(1).await;
    there.see_ends(1).await;
    away.leave();
    let missed: Vec<_> = there.seen[1..].to_vec();

    let under_way = begin_runs(&caller, 1).await;
    there.see(1).await;
    redis.end(Signal::KILL);
    there.see_out().await;
    redis.start_again();
    eventually("the gateway is ready", async || caller.get("/ready").await.status == StatusCode::OK).await;
    there.come_back().await;
    away.come_back().await;
    there.see_ends(2).await;
    away.see_ends(1).await;
    assert_eq!(caller.ended(&under_way[0]).await["status"], "completed");

    assert!(missed.iter().all(|event| !away.seen.contains(event)), "{:#?}", away.seen);
    for client in [&there, &away] {
        assert!(client.seen.is_sorted_by(|a, b| a.id < b.id), "{:#?}", client.seen);
    }
    // The one that was there is told no event again, and none that did not happen.
    assert_eq!(there.seen.len(), 10, "{:#?}", there.seen);
    assert_eq!(caller.get(&format!("/api/runs/{}", lost[0])).await.status, StatusCode::NOT_FOUND);
    assert_eq!(versions(&caller).await, 0);
    publish(&caller).await;

    let next = begin_runs(&caller, 2).await;
    there.see_ends(4).await;
    there.has_seen_all_of(&next).await;
    gateway.shutdown().await;
}

pub(crate) async fn a_loss_without_a_restart_is_noticed_too() {
    let redis = RedisServer::start(Keeps::Nothing);
    let gateway = MockGateway::start(Config { redis: Some(redis.url()), ..quick() }).await.unwrap();
    let caller = Caller::new(&gateway, "w");
    publish(&caller).await;
    let _: String = redis.query(&["FLUSHALL"]);
    eventually("the version is gone", async || versions(&caller).await == 0).await;
    assert_eq!(caller.play("hello").await["status"], "completed");
    gateway.shutdown().await;
}

pub(crate) async fn ids_go_on_ascending_even_when_both_have_forgotten_everything() {
    let mut redis = RedisServer::start(Keeps::Nothing);
    let (mut gateway, caller) = GatewayProcess::start(&redis.url()).await;
    let mut client = Client::open(&caller).await;
    begin_runs(&caller, 2).await;
    client.see(3).await;
    gateway.end(Signal::KILL);
    redis.end(Signal::KILL);
    client.see_out().await;
    let before = client.seen.len();
    redis.start_again();
    gateway.start_again(&caller).await;
    client.come_back().await;
    let runs = begin_runs(&caller, 1).await;
    client.see(5).await;
    assert!(client.seen[before..].iter().all(|event| event.data["run_id"] == *runs[0]), "{:#?}", client.seen);
    client.has_seen_all_of(&runs).await;
}
