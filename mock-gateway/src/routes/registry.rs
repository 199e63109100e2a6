//! Agents and their versions: read, published, found.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::json;

use crate::answer::{JsonBody, Refusal, json};
use crate::change::Change;
use crate::core::Core;
use crate::registry::{Manifest, PublishError};

pub(super) async fn agent(State(core): State<Arc<Core>>, Path(slug): Path<String>) -> Result<Response, Refusal> {
    let agent = core.registry.agent(&slug);
    let agent = agent.ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, format!("there is no agent {slug:?}")))?;
    Ok(json(StatusCode::OK, &agent))
}

pub(super) async fn publish(
    State(core): State<Arc<Core>>,
    JsonBody(manifest): JsonBody<Manifest>,
) -> Result<Response, Refusal> {
    let room = core.store.room()?;
    let tampered =
        || Refusal::new(StatusCode::BAD_REQUEST, "`signature` is not that of the manifest: it has been tampered with");
    let (version, is_tampered) = core.registry.publish(manifest).map_err(|e| match e {
        PublishError::Unnamed => Refusal::new(StatusCode::BAD_REQUEST, "`slug` and `version` are 1 to 128 bytes long"),
        PublishError::OddVersion => Refusal::new(StatusCode::BAD_REQUEST, "`version` is not x.y.z"),
        PublishError::Tampered => tampered(),
        PublishError::Published => Refusal::new(StatusCode::CONFLICT, "this version is published already"),
        PublishError::Full => Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the registry is full"),
    })?;
    room.write(&core, Change::Published(Box::new(version.clone())), None).in_time(&core).await?;
    if is_tampered {
        return Err(tampered());
    }
    Ok(json(StatusCode::CREATED, &json!({ "success": true, "agent": version })))
}

#[derive(Deserialize)]
pub(super) struct Search {
    #[serde(default)]
    q: String,
    /// From 1; heeded only where a search shows its hits page by page.
    page: Option<usize>,
}

pub(super) async fn search(
    State(core): State<Arc<Core>>,
    headers: HeaderMap,
    Query(search): Query<Search>,
) -> Response {
    let asking = headers.get("x-workspace-id").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (agents, total) = core.registry.search(&search.q, asking, search.page.unwrap_or(1));
    json(StatusCode::OK, &json!({ "agents": agents, "total": total }))
}
