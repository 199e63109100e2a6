//! The contract's calls: which there are, and what every one of them goes through first.

mod feed;
mod registry;
mod runs;
mod service;
mod streams;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::StatusCode;
use http::header::{AUTHORIZATION, CONTENT_LENGTH};

use crate::answer::Refusal;
use crate::call::Call;
use crate::core::Core;
use crate::front::Stubbed;
use crate::store::Away;

/// The metrics, where they have a port of their own, and 404 for the rest.
pub(crate) fn metrics_router(core: Arc<Core>) -> Router {
    Router::new()
        .route("/metrics", get(service::metrics))
        .fallback(async || Refusal::new(StatusCode::NOT_FOUND, "there is nothing but metrics"))
        .with_state(core)
}

/// Every call of the contract, and 404 for the rest.
pub(crate) fn router(core: Arc<Core>) -> Router {
    let router = if core.faults.has_metrics_elsewhere() {
        Router::new()
    } else {
        Router::new().route("/metrics", get(service::metrics))
    };
    router
        .route("/health", get(service::health))
        .route("/ready", get(service::ready))
        .route("/api/workspace/plan", post(service::plan))
        .route("/api/privacy/toggle", post(service::privacy_toggle))
        .route("/api/safety/check", get(service::safety_check))
        .route("/api/chaos/redis-restart", post(service::store_restart))
        .route("/api/chaos/gateway-restart", post(service::gateway_restart))
        .route("/api/chaos/latency", post(service::latency))
        .route("/api/runs", post(runs::create))
        .route("/api/runs/{id}", get(runs::read))
        .route("/api/runs/{id}/start", post(runs::start))
        .route("/api/runs/logs/stream", get(streams::workspace_logs))
        .route("/api/runs/guard/stream", get(streams::workspace_guard))
        .route("/api/runs/{id}/logs/stream", get(streams::run_logs))
        .route("/api/runs/{id}/guard/stream", get(streams::run_guard))
        .route("/api/agents/{slug}", get(registry::agent))
        .route("/api/registry/publish", post(registry::publish))
        .route("/api/registry/agents", get(registry::search))
        .fallback(async || Refusal::new(StatusCode::NOT_FOUND, "there is no such call"))
        .method_not_allowed_fallback(async || Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "not by this method"))
        .layer(from_fn_with_state(Arc::clone(&core), gate))
        .layer(DefaultBodyLimit::max(core.config.body_bytes_max))
        .with_state(core)
}

/// Applies the layers before every call: stubs, which win over all else; the token; the store; added latency.
async fn gate(State(core): State<Arc<Core>>, request: Request, next: Next) -> Response {
    // Latency is that of the moment of arrival, so the call that asks for it is itself answered at once.
    let latency = core.chaos.latency().filter(|_| core.faults.slows(request.uri().path()));
    let response = answer(&core, request, next).await.unwrap_or_else(Refusal::into_response);
    let response = core.faults.encode(response).await;
    if let Some(latency) = latency {
        core.closing.run_until_cancelled(tokio::time::sleep(latency)).await;
    }
    response
}

async fn answer(core: &Core, request: Request, next: Next) -> Result<Response, Refusal> {
    limit(core, &request)?;
    match core.stubs.answer(request).await {
        Stubbed::Answered(response) => Ok(response),
        Stubbed::Untouched(request) => {
            admit(core, &request)?;
            Ok(next.run(request).await)
        }
    }
}

/// A body that says it is too large is refused unread. One that does not say so is refused where it is read.
fn limit(core: &Core, request: &Request) -> Result<(), Refusal> {
    let length = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: u64| length > core.config.body_bytes_max as u64) {
        let error = format!("a body is at most {} bytes", core.config.body_bytes_max);
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, error));
    }
    Ok(())
}

fn admit(core: &Core, request: &Request) -> Result<(), Refusal> {
    if let Some(token) = &core.config.token {
        let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        if header.and_then(|value| value.strip_prefix("Bearer ")) != Some(token) {
            return Err(Refusal::new(StatusCode::UNAUTHORIZED, "the bearer token is missing or another one"));
        }
    }
    let matched = request.extensions().get::<MatchedPath>();
    let is_this = |call: &Call| matched.is_some_and(|path| call.is(request.method().as_str(), path.as_str()));
    if core.config.without.iter().any(is_this) {
        return Err(Refusal::new(StatusCode::NOT_FOUND, "this gateway has no such call"));
    }
    if needs_store(request.uri().path()) && !core.is_store_up() {
        return Err(Away.into());
    }
    if needs_store(request.uri().path()) && core.faults.is_back_too_early() {
        return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "not up yet"));
    }
    if core.faults.fails_softly(request.uri().path()) {
        return Err(Refusal::new(StatusCode::OK, "internal error"));
    }
    if core.faults.fails_call(request.method(), request.uri().path(), &core.chaos) {
        return Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "internal error"));
    }
    Ok(())
}

/// `/health` says that the process is alive, `/ready` itself says that it cannot serve, and chaos is not stopped by
/// chaos.
fn needs_store(path: &str) -> bool {
    !matches!(path, "/health" | "/ready" | "/metrics") && !path.starts_with("/api/chaos/")
}
