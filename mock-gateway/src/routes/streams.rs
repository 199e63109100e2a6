//! The four streams, as Server-Sent Events.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::response::Response;
use futures_util::{StreamExt, future, stream};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::time::Instant;

use super::runs::unknown_run;
use crate::answer::{Refusal, WorkspaceId};
use crate::clock;
use crate::core::Core;
use crate::defect::Ending;
use crate::event::{Audience, Channel};
use crate::events::{ReplayFrom, Subscription};
use crate::front::ConnectionCut;
use crate::numbering::Numbering;
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
        Some(sequence) => core.faults.resumes_after(sequence).map_or(ReplayFrom::Now, ReplayFrom::After),
        // A run is short, and its stream is often opened when it is over: its streams tell it from the beginning.
        None if audience.run.is_some() => ReplayFrom::After(before),
        None => ReplayFrom::Now,
    };
    let ending = core.faults.ending(&cut);
    let is_of_run = audience.run.is_some();
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

    let feed = Feed { core: Arc::clone(core), subscription, numbering, opened: clock::now(), ending, is_of_run };
    // A comment at once, so that the client sees the stream open before anything happens.
    let opening = stream::once(future::ready(Ok::<_, Infallible>(Bytes::from_static(b": open\n\n"))));
    let mut response = Response::new(Body::from_stream(opening.chain(stream::unfold(feed, next))));
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

/// What a stream's body is made from. It goes when the body goes: at the client's leaving, or at ours.
struct Feed {
    core: Arc<Core>,
    subscription: Subscription,
    /// Where every connection numbers its events anew.
    numbering: Option<Numbering>,
    opened: Instant,
    ending: Ending,
    /// Of one run, or of a workspace.
    is_of_run: bool,
}

/// The next piece of a stream's body; none when the gateway closes, or the stream lagged.
async fn next(mut feed: Feed) -> Option<(Result<Bytes, Infallible>, Feed)> {
    let event = match feed.subscription.replay.pop_front() {
        Some(event) => event,
        None => tokio::select! {
            event = feed.subscription.live.recv() => event?,
            () = feed.core.closing.cancelled() => return None,
            () = feed.ending.reached() => return None,
            () = tokio::time::sleep(feed.core.faults.keep_alive(feed.core.config.keep_alive)) => return comment(feed),
        },
    };
    let faults = &feed.core.faults;
    if faults.is_mute(feed.opened, feed.is_of_run) || faults.passes_over(&event, feed.is_of_run) {
        return comment(feed);
    }
    // A replayed event counts from when the stream was opened: before, there was nobody to write it to.
    let since = event.created.max(feed.opened);
    feed.core.faults.hold_write(since).await;
    feed.core.metrics().stream_write.observe(feed.core.faults.told_write(since.elapsed()));
    feed.core.metrics().messages_sent.increment();
    feed.core.faults.hold_write_unseen(since).await;
    let frame = match &mut feed.numbering {
        Some(numbering) => event.frame_as(&numbering.number(event.sequence).to_string()),
        None => event.frame.clone(),
    };
    Some((Ok(frame), feed))
}

fn comment(feed: Feed) -> Option<(Result<Bytes, Infallible>, Feed)> {
    Some((Ok(Bytes::from_static(b": keep-alive\n\n")), feed))
}
