//! A store in memory, which can be restarted by a call.

use std::time::Duration;

use http::StatusCode;
use mock_gateway::Config;
use serde_json::json;

use crate::caller::{eventually, quick, start};

const WORKSPACE_LOGS: &str = "/api/runs/logs/stream";

#[tokio::test]
async fn a_store_restart_drops_streams_and_is_over_soon() {
    let (gateway, caller) = start(Config { store_downtime: Duration::from_millis(300), ..quick() }).await;
    let id = caller.create("hello").await;
    let mut logs = caller.open(WORKSPACE_LOGS).await;
    assert_eq!(caller.post("/api/chaos/redis-restart", &json!({})).await.status, StatusCode::ACCEPTED);

    let away = caller.get(&format!("/api/runs/{id}")).await;
    assert_eq!((away.status, &away.json()["error"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("store unavailable")));
    assert_eq!(caller.get("/ready").await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(caller.get("/health").await.status, StatusCode::OK);
    assert_eq!(caller.get("/metrics").await.status, StatusCode::OK);
    assert!(logs.event().await.is_none());

    eventually("the gateway is ready", async || caller.get("/ready").await.status == StatusCode::OK).await;
    caller.start_run(&id).await;
    assert_eq!(caller.ended(&id).await["status"], "completed");
    gateway.shutdown().await;
}
