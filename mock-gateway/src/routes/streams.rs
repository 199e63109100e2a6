//! The four streams, as Server-Sent Events.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::feed::{Feed, OfRun, is_over};
use super::runs::unknown_run;
use crate::answer::{Refusal, WorkspaceId};
use crate::core::Core;
use crate::defect::Gzip;
use crate::event::{Audience, Channel};
use crate::events::ReplayFrom;
use crate::front::ConnectionCut;
use crate::store::Store;

pub(super) async fn workspace_logs(
    State(core): State<Arc<Core>>,
    WorkspaceId(workspace): WorkspaceId,
    Extension(cut): Extension<ConnectionCut>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    open(
        &core,
        0,
        Audience { channel: Channel::Logs, workspace, run: None, reach: core.faults.reach(None) },
        &headers,
        cut,
    )
    .await
}

pub(super) async fn workspace_guard(
    State(core): State<Arc<Core>>,
    WorkspaceId(workspace): WorkspaceId,
    Extension(cut): Extension<ConnectionCut>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    open(
        &core,
        0,
        Audience { channel: Channel::Guard, workspace, run: None, reach: core.faults.reach(None) },
        &headers,
        cut,
    )
    .await
}

pub(super) async fn run_logs(
    State(core): State<Arc<Core>>,
    WorkspaceId(workspace): WorkspaceId,
    Extension(cut): Extension<ConnectionCut>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    open_run(&core, Channel::Logs, workspace, &id, &headers, cut).await
}

pub(super) async fn run_guard(
    State(core): State<Arc<Core>>,
    WorkspaceId(workspace): WorkspaceId,
    Extension(cut): Extension<ConnectionCut>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    open_run(&core, Channel::Guard, workspace, &id, &headers, cut).await
}

async fn open_run(
    core: &Arc<Core>,
    channel: Channel,
    workspace: Arc<str>,
    id: &str,
    headers: &HeaderMap,
    cut: ConnectionCut,
) -> Result<Response, Refusal> {
    let run = core.runs.look(id, &workspace, |run| (Arc::clone(&run.id), run.after));
    let (run, before) = run.ok_or_else(|| unknown_run(id))?;
    if core.faults.answers_no_content() && is_over(core, &run, &workspace) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        return Ok(response);
    }
    let reach = core.faults.reach(Some(&run));
    open(core, before, Audience { channel, workspace, run: Some(run), reach }, headers, cut).await
}

/// `before` is an event before the first that the stream can carry.
async fn open(
    core: &Arc<Core>,
    before: u64,
    audience: Audience,
    headers: &HeaderMap,
    ConnectionCut(cut): ConnectionCut,
) -> Result<Response, Refusal> {
    let last_id = last_event_id(headers)?;
    if last_id.is_some() && core.faults.refuses_resume() {
        return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the stream cannot be resumed now"));
    }
    let (numbering, sequence) = if core.faults.numbers_connections() {
        let (numbering, sequence) = core.numberings.begin(&audience, last_id).ok_or_else(foreign_id)?;
        (Some(numbering), last_id.map(|_| sequence))
    } else {
        (None, last_id)
    };
    let from = match sequence {
        _ if audience.run.is_some() && core.faults.replays_no_run() => ReplayFrom::Now,
        Some(sequence) => core.faults.resumes_after(sequence).map_or(ReplayFrom::Now, ReplayFrom::After),
        // A run is short, and its stream is often opened when it is over: its streams tell it from the beginning.
        None if audience.run.is_some() => ReplayFrom::After(before),
        None => ReplayFrom::Now,
    };
    let ending = core.faults.ending(&cut);
    let of_run =
        OfRun { run: audience.run.clone(), workspace: Arc::clone(&audience.workspace), channel: audience.channel };
    let connection = cut.clone();
    let subscription = match (&core.store, from) {
        (Store::Redis(redis), ReplayFrom::After(after)) => redis.subscribe(&core.log, audience, after, cut).await?,
        _ => core.log.subscribe(audience, from, cut),
    };
    let mut subscription = subscription
        .ok_or_else(|| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "there are as many streams as there may be"))?;
    core.metrics().streams_opened.increment();
    if matches!(from, ReplayFrom::After(_)) && core.faults.resumes_short(headers.contains_key("last-event-id")) {
        subscription.replay.pop_front();
    }

    let feed = Feed::new(core, (subscription, numbering), ending, of_run, connection);
    let mut response = match core.faults.codes_stream(headers) {
        None => Response::new(Body::from_stream(feed.into_stream())),
        Some(gzip) => {
            let mut response = Response::new(Body::from_stream(gzip.over(feed.into_stream())));
            Gzip::name_in(response.headers_mut());
            response
        }
    };
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, Refusal> {
    let Some(header) = headers.get("last-event-id").filter(|value| !value.is_empty()) else { return Ok(None) };
    let sequence = header.to_str().ok().and_then(|id| id.parse().ok());
    sequence.map(Some).ok_or_else(foreign_id)
}

fn foreign_id() -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "Last-Event-ID is none that this gateway gave")
}
