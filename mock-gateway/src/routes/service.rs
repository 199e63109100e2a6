//! Health, metrics, workspaces, safety, chaos: calls about the gateway rather than about agents.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::json;

use crate::answer::{JsonBody, Refusal, json};
use crate::change::Change;
use crate::chaos::LATENCY_MAX;
use crate::clock;
use crate::core::Core;
use crate::store::{State as StoreState, Store};
use crate::workspaces::Full;

pub(super) async fn health(State(core): State<Arc<Core>>) -> Response {
    let time = core.faults.tell_time(clock::wall());
    json(StatusCode::OK, &json!({ "ok": true, "time": time }))
}

pub(super) async fn ready(State(core): State<Arc<Core>>) -> Response {
    if (core.is_ready() || core.faults.hides_outage()) && !core.faults.is_unready() {
        return json(StatusCode::OK, &json!({ "ready": true }));
    }
    let error = match core.store.state() {
        StoreState::Up => "not ready".to_owned(),
        StoreState::Away(reason) => format!("store unavailable: {reason}"),
        StoreState::Taken => "store unavailable: another gateway has taken it over".to_owned(),
    };
    json(StatusCode::SERVICE_UNAVAILABLE, &json!({ "ready": false, "error": error }))
}

pub(super) async fn metrics(State(core): State<Arc<Core>>) -> Result<Response, Refusal> {
    let text = core.faults.exposition(|| core.exposition());
    let text = text.ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "there are no metrics"))?;
    let mut response = Response::new(Body::from(text));
    let content_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    Ok(response)
}

#[derive(Deserialize)]
pub(super) struct Plan {
    workspace_id: String,
    plan: String,
}

pub(super) async fn plan(State(core): State<Arc<Core>>, JsonBody(body): JsonBody<Plan>) -> Result<Response, Refusal> {
    let room = core.store.room()?;
    core.workspaces.admit(&body.workspace_id).map_err(too_many_workspaces)?;
    let planned = Change::Planned(body.workspace_id.clone(), body.plan.clone());
    room.write(&core, planned, None).in_time(&core).await?;
    Ok(json(StatusCode::OK, &json!({ "success": true, "workspace_id": body.workspace_id, "plan": body.plan })))
}

#[derive(Deserialize)]
pub(super) struct PrivacyToggle {
    workspace_id: String,
    #[serde(rename = "storePlain")]
    store_plain: bool,
}

pub(super) async fn privacy_toggle(
    State(core): State<Arc<Core>>,
    JsonBody(body): JsonBody<PrivacyToggle>,
) -> Result<Response, Refusal> {
    let room = core.store.room()?;
    core.workspaces.admit(&body.workspace_id).map_err(too_many_workspaces)?;
    let toggled = core.workspaces.toggled(&body.workspace_id, !body.store_plain);
    room.write(&core, Change::Toggled(body.workspace_id.clone(), toggled), None).in_time(&core).await?;
    let answer = json!({ "success": true, "workspace_id": body.workspace_id, "storePlain": body.store_plain });
    Ok(json(StatusCode::OK, &answer))
}

fn too_many_workspaces(_: Full) -> Refusal {
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "there are as many workspaces as there may be")
}

pub(super) async fn safety_check() -> Response {
    json(StatusCode::OK, &json!({ "ok": true, "shield": "up", "judge": "up" }))
}

pub(super) async fn store_restart(State(core): State<Arc<Core>>) -> Response {
    if let Store::Redis(_) = core.store {
        let error = "the store is a real Redis, which this gateway cannot restart: end redis-server and start it again";
        return Refusal::new(StatusCode::NOT_IMPLEMENTED, error).into_response();
    }
    core.faults.leak_at_chaos();
    core.restart_store();
    accepted("the store restarts")
}

pub(super) async fn gateway_restart(State(core): State<Arc<Core>>) -> Response {
    core.faults.leak_at_chaos();
    core.restart_front();
    accepted("the gateway restarts")
}

fn accepted(what: &str) -> Response {
    json(StatusCode::ACCEPTED, &json!({ "success": true, "message": what }))
}

/// Both in milliseconds.
#[derive(Deserialize)]
pub(super) struct Latency {
    delay: u64,
    duration: u64,
}

pub(super) async fn latency(State(core): State<Arc<Core>>, JsonBody(body): JsonBody<Latency>) -> Response {
    let delay = Duration::from_millis(body.delay);
    if delay > LATENCY_MAX {
        let error = format!("a delay is at most {} ms", LATENCY_MAX.as_millis());
        return Refusal::new(StatusCode::BAD_REQUEST, error).into_response();
    }
    core.faults.leak_at_chaos();
    if let Some(duration) = core.faults.latency_lasts(Duration::from_millis(body.duration)) {
        core.chaos.add_latency(delay, duration);
    }
    json(StatusCode::OK, &json!({ "success": true, "delay": body.delay, "duration": body.duration }))
}
