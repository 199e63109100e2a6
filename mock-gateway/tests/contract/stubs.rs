use std::time::Duration;

use http::{Method, StatusCode};
use mock_gateway::Config;
use mock_gateway::wiremock::matchers::{body_partial_json, header, method, path};
use mock_gateway::wiremock::{Mock, ResponseTemplate};
use serde_json::json;

use crate::caller::{now, quick, start};

#[tokio::test]
async fn a_stub_wins_over_a_built_in_route_and_leaves_the_others_alone() {
    let (gateway, caller) = start(quick()).await;
    assert_eq!(caller.get("/metrics").await.status, StatusCode::OK);
    let stub = Mock::given(method("GET")).and(path("/metrics")).respond_with(ResponseTemplate::new(404)).expect(2);
    gateway.mount(stub).await;
    assert_eq!(caller.get("/metrics").await.status, StatusCode::NOT_FOUND);
    assert_eq!(caller.get("/metrics").await.text, "");
    assert_eq!(caller.play("hello").await["status"], "completed");
    assert_eq!(caller.get("/health").await.json()["ok"], true);
    gateway.server().await.verify().await;
    gateway.shutdown().await;
}

#[tokio::test]
async fn a_stub_sees_the_request_as_it_came() {
    let (gateway, caller) = start(quick()).await;
    let stub = Mock::given(method("POST"))
        .and(path("/api/workspace/plan"))
        .and(header("x-workspace-id", "w"))
        .and(body_partial_json(json!({ "plan": "pro" })))
        .respond_with(
            ResponseTemplate::new(418)
                .set_body_json(json!({ "stub": true }))
                .insert_header("x-stub", "yes")
                .set_delay(Duration::from_millis(50)),
        );
    gateway.mount(stub).await;
    let asked = now();
    let answer = caller.post("/api/workspace/plan", &json!({ "workspace_id": "w", "plan": "pro" })).await;
    assert!(asked.elapsed() >= Duration::from_millis(50));
    assert_eq!((answer.status, answer.json()), (StatusCode::IM_A_TEAPOT, json!({ "stub": true })));
    assert_eq!(
        (&answer.headers["x-stub"], &answer.headers["content-type"]),
        (&"yes".parse().unwrap(), &"application/json".parse().unwrap())
    );
    let other = caller.post("/api/workspace/plan", &json!({ "workspace_id": "w", "plan": "free" })).await;
    assert_eq!(other.status, StatusCode::OK);
    gateway.shutdown().await;
}

#[tokio::test]
async fn a_stub_over_a_stream_wins_too_and_streams_beside_it_still_flow() {
    let (gateway, caller) = start(quick()).await;
    let stub = Mock::given(path("/api/runs/logs/stream")).respond_with(ResponseTemplate::new(503)).up_to_n_times(1);
    gateway.mount(stub).await;
    assert_eq!(caller.get("/api/runs/logs/stream").await.status, StatusCode::SERVICE_UNAVAILABLE);
    let mut logs = caller.open("/api/runs/logs/stream").await;
    let run = caller.play("hello").await;
    assert_eq!(logs.until("end").await[0].data["run_id"], run["id"]);
    gateway.shutdown().await;
}

#[tokio::test]
async fn a_stub_that_answers_with_an_error_breaks_the_connection() {
    let (gateway, caller) = start(quick()).await;
    let stub = Mock::given(path("/ready"))
        .respond_with_err(|_: &mock_gateway::wiremock::Request| std::io::Error::other("as a gateway that fell over"));
    gateway.mount(stub).await;
    assert!(caller.try_send(Method::GET, "/ready", Vec::new()).await.is_none());
    assert_eq!(caller.get("/health").await.status, StatusCode::OK);
    gateway.shutdown().await;
}

#[tokio::test]
#[should_panic(expected = "Verifications failed")]
async fn an_expectation_that_was_not_met_fails_the_shutdown() {
    let (gateway, _) = start(quick()).await;
    gateway.mount(Mock::given(path("/ready")).respond_with(ResponseTemplate::new(200)).expect(1)).await;
    gateway.shutdown().await;
}

#[tokio::test]
async fn requests_are_recorded_only_when_asked_for() {
    let (gateway, caller) = start(quick()).await;
    caller.get("/health").await;
    assert!(gateway.received_requests().await.is_none());
    gateway.shutdown().await;

    let (gateway, caller) = start(Config { record_requests: true, ..quick() }).await;
    caller.get("/health").await;
    caller.post("/api/workspace/plan", &json!({ "workspace_id": "w", "plan": "pro" })).await;
    let received = gateway.received_requests().await.unwrap();
    let paths: Vec<_> = received.iter().map(|request| request.url.path()).collect();
    assert_eq!(paths, ["/health", "/api/workspace/plan"]);
    assert_eq!(received[1].body_json::<serde_json::Value>().unwrap()["plan"], "pro");
    gateway.shutdown().await;
}
