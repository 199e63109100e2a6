//! What holds for the gateway as a whole: who gets in, how much, and how it ends.

use http::StatusCode;
use mock_gateway::{Config, MockGateway, StartError};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::caller::{DEADLINE, quick, start};

pub(crate) async fn with_a_token_only_its_bearer_gets_in() {
    let (gateway, caller) = start(Config { token: Some("secret".into()), ..quick() }).await;
    for path in ["/health", "/ready", "/metrics", "/api/runs/logs/stream", "/nowhere"] {
        assert_eq!(caller.get(path).await.status, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(caller.with_token("other").get(path).await.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    let caller = caller.with_token("secret");
    assert_eq!(caller.play("hello").await["status"], "completed");
    assert_eq!(caller.get("/nowhere").await.status, StatusCode::NOT_FOUND);
    gateway.shutdown().await;
}

pub(crate) async fn a_body_that_is_too_large_is_refused_before_it_is_read() {
    let (gateway, caller) = start(quick()).await;
    let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
    let request = "POST /api/runs HTTP/1.1\r\nHost: x\r\nX-Workspace-ID: w\r\nContent-Length: 1048577\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = [0; 12];
    timeout(DEADLINE, stream.read_exact(&mut head)).await.expect("an answer before the deadline").unwrap();
    assert_eq!(std::str::from_utf8(&head).unwrap(), "HTTP/1.1 413");

    let id = "00000000-0000-4000-8000-000000000000";
    let refused = caller.post("/api/runs", &caller.run(id, &"x".repeat(70_000))).await;
    assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(refused.json()["error"].is_string());
    gateway.shutdown().await;
}

pub(crate) async fn a_workspace_gets_its_plan() {
    let (gateway, caller) = start(Config { workspace_capacity: 1, ..quick() }).await;
    let plan = async |workspace: &str| {
        caller.post("/api/workspace/plan", &json!({ "workspace_id": workspace, "plan": "pro" })).await.status
    };
    assert_eq!(plan("a").await, StatusCode::OK);
    assert_eq!(plan("a").await, StatusCode::OK);
    assert_eq!(plan("b").await, StatusCode::SERVICE_UNAVAILABLE);
    gateway.shutdown().await;
}

pub(crate) async fn a_shutdown_ends_streams_in_good_order_and_frees_the_port() {
    let (gateway, caller) = start(quick()).await;
    let mut logs = caller.open("/api/runs/logs/stream").await;
    let id = caller.create("given up").await;
    caller.start_run(&id).await;
    logs.events(1).await;
    let address = gateway.address();
    timeout(DEADLINE, gateway.shutdown()).await.expect("the gateway closes before the deadline");
    while logs.event().await.is_some() {}
    let again = MockGateway::start(Config { listen: address, ..quick() }).await.unwrap();
    again.shutdown().await;
}

pub(crate) async fn an_address_that_is_taken_is_a_clear_error() {
    let (gateway, _) = start(quick()).await;
    let taken = MockGateway::start(Config { listen: gateway.address(), ..quick() }).await;
    let Err(error @ StartError::Listen { .. }) = taken else { panic!("two gateways at one address") };
    assert!(error.to_string().contains(&gateway.address().to_string()), "{error}");
    gateway.shutdown().await;
}
