use std::time::Duration;

use http::{Method, StatusCode};
use mock_gateway::Config;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::caller::{eventually, quick, start};

pub(crate) async fn a_run_is_created_then_under_way_then_completed() {
    let config = Config { run_duration: Duration::from_millis(100)..=Duration::from_millis(100), ..quick() };
    let (gateway, caller) = start(config).await;
    let id = Uuid::new_v4().to_string();

    let created = caller.post("/api/runs", &caller.run(&id, "hello")).await;
    assert_eq!(created.status, StatusCode::CREATED);
    assert_eq!(created.json(), json!({ "success": true, "run": { "id": id, "status": "created" } }));

    let run = caller.read_run(&id).await;
    assert_eq!(run["status"], "created");
    assert_eq!(run["input"]["message"], "hello");
    assert_eq!(run["output"], Value::Null);
    assert_eq!(run["started_at"], Value::Null);

    caller.start_run(&id).await;
    eventually("the run is under way", async || caller.read_run(&id).await["status"] == "running").await;

    let run = caller.ended(&id).await;
    assert_eq!(run["status"], "completed");
    assert_eq!(run["logs"].as_array().unwrap().len(), 4);
    assert!(run["logs"][0]["level"].is_string() && run["logs"][0]["message"].is_string());
    assert!(run["output"].to_string().contains("hello"));
    assert!(run["started_at"].as_str().unwrap() < run["completed_at"].as_str().unwrap());
    gateway.shutdown().await;
}

pub(crate) async fn a_run_is_created_once_and_started_once() {
    let (gateway, caller) = start(quick()).await;
    let id = caller.create("hello").await;
    assert_eq!(caller.post("/api/runs", &caller.run(&id, "again")).await.status, StatusCode::CONFLICT);
    caller.start_run(&id).await;
    let again = caller.post(&format!("/api/runs/{id}/start"), &json!({})).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert!(again.json()["error"].is_string());
    gateway.shutdown().await;
}

pub(crate) async fn what_is_malformed_is_refused_with_an_error() {
    let (gateway, caller) = start(quick()).await;
    let id = Uuid::new_v4().to_string();
    let bodies = [
        b"{ no json".to_vec(),
        b"[]".to_vec(),
        json!({ "id": id, "agent": "demo-enricher" }).to_string().into_bytes(),
        json!({ "id": id, "agent": "demo-enricher", "input": {} }).to_string().into_bytes(),
        caller.run("no uuid", "hello").to_string().into_bytes(),
        caller.of_workspace("another").run(&id, "hello").to_string().into_bytes(),
    ];
    for body in bodies {
        let shown = String::from_utf8_lossy(&body).into_owned();
        let answer = caller.try_send(Method::POST, "/api/runs", body).await.unwrap();
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{shown}");
        assert!(answer.json()["error"].is_string(), "{shown}");
    }
    let mut unknown_agent = caller.run(&id, "hello");
    unknown_agent["agent"] = "nobody".into();
    let answer = caller.post("/api/runs", &unknown_agent).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(answer.json()["error"].is_string());
    gateway.shutdown().await;
}

pub(crate) async fn to_another_workspace_a_run_does_not_exist() {
    let (gateway, caller) = start(quick()).await;
    let other = caller.of_workspace("another");
    let id = caller.create("hello").await;
    assert_eq!(other.get(&format!("/api/runs/{id}")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(other.get(&format!("/api/runs/{id}/logs/stream")).await.status, StatusCode::NOT_FOUND);
    let started = other.post(&format!("/api/runs/{id}/start"), &json!({})).await;
    assert_eq!(started.status, StatusCode::NOT_FOUND);
    assert_eq!(caller.of_workspace("").get(&format!("/api/runs/{id}")).await.status, StatusCode::BAD_REQUEST);
    gateway.shutdown().await;
}

pub(crate) async fn runs_beyond_the_workers_are_queued_until_there_is_one() {
    let (gateway, caller) = start(Config { worker_capacity: 1, ..quick() }).await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(caller.create("hello").await);
    }
    for id in &ids {
        caller.start_run(id).await;
    }
    for id in &ids {
        assert_eq!(caller.ended(id).await["status"], "completed");
    }
    gateway.shutdown().await;
}

pub(crate) async fn a_run_that_nobody_starts_is_canceled_and_waits_no_more() {
    let (gateway, caller) = start(Config { start_timeout: Duration::from_millis(50), ..quick() }).await;
    let id = caller.create("hello").await;
    let mut logs = caller.open(&format!("/api/runs/{id}/logs/stream")).await;
    assert_eq!(caller.ended(&id).await["status"], "canceled");
    assert_eq!(logs.event().await.unwrap().data["status"], "canceled");
    assert_eq!(caller.metric("run_queue_depth").await, 0.0);
    gateway.shutdown().await;
}

pub(crate) async fn no_more_runs_live_than_allowed_and_only_the_last_ended_are_kept() {
    let (gateway, caller) = start(Config { live_run_capacity: 1, finished_run_capacity: 1, ..quick() }).await;
    let first = caller.create("hello").await;
    let refused = caller.post("/api/runs", &caller.run(&Uuid::new_v4().to_string(), "hello")).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    caller.start_run(&first).await;
    caller.ended(&first).await;
    let second = caller.create("hello").await;
    caller.start_run(&second).await;
    caller.ended(&second).await;
    assert_eq!(caller.get(&format!("/api/runs/{first}")).await.status, StatusCode::NOT_FOUND);
    gateway.shutdown().await;
}
