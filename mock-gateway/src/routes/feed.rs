//! The body of a stream: its events, its comments, and its end.

use std::convert::Infallible;
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use futures_util::{Stream, StreamExt, future, stream};
use tokio::time::{Instant, Sleep, sleep, sleep_until};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::clock;
use crate::core::Core;
use crate::defect::{AfterEnd, Ending};
use crate::event::{Channel, Event};
use crate::events::Subscription;
use crate::metrics::Counter;
use crate::numbering::Numbering;

/// Between looks at whether a run is over.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Subject of a stream.
pub(super) struct OfRun {
    /// One run, or none where it is a workspace's.
    pub(super) run: Option<Arc<str>>,
    pub(super) workspace: Arc<str>,
    pub(super) channel: Channel,
}

/// Source of a stream's body. It is dropped with the body: when the client leaves, or when the gateway ends the stream.
pub(super) struct Feed {
    core: Arc<Core>,
    subscription: Subscription,
    /// Where every connection numbers its events anew.
    numbering: Option<Numbering>,
    opened: Instant,
    ending: Ending,
    of: OfRun,
    /// Counts its events apart, if it shows the logs of a whole workspace.
    log_messages: Option<Arc<Counter>>,
    /// Whether the run's end was told, or came before the stream was opened.
    has_told_end: bool,
    next_ping: Option<Instant>,
    connection: CancellationToken,
    /// The end of the gateway, and the keep-alive timer. Both are set up once per stream: per event that would take longer than to
    /// write it.
    closing: Pin<Box<WaitForCancellationFutureOwned>>,
    keep_alive: Pin<Box<Sleep>>,
}

type Piece = Result<Bytes, Infallible>;

impl Feed {
    pub(super) fn new(
        core: &Arc<Core>,
        (subscription, numbering): (Subscription, Option<Numbering>),
        ending: Ending,
        of: OfRun,
        connection: CancellationToken,
    ) -> Self {
        let opened = clock::now();
        let has_told_end = of.run.as_ref().is_some_and(|run| is_over(core, run, &of.workspace));
        let is_of_workspace_logs = of.run.is_none() && of.channel == Channel::Logs;
        let log_messages = is_of_workspace_logs.then(|| core.metrics().log_messages(&of.workspace));
        let next_ping = core.faults.pings_every().map(|every| opened + every);
        let core = Arc::clone(core);
        let closing = Box::pin(core.closing.clone().cancelled_owned());
        let keep_alive = Box::pin(sleep(core.faults.keep_alive(core.config.keep_alive, of.channel)));
        Self {
            core,
            subscription,
            numbering,
            opened,
            ending,
            of,
            log_messages,
            has_told_end,
            next_ping,
            connection,
            closing,
            keep_alive,
        }
    }

    pub(super) fn into_stream(self) -> impl Stream<Item = Piece> {
        // A comment at once, so that the client sees the stream open before anything happens.
        let opening = match self.next_ping {
            None => ": open\n\n".to_owned(),
            Some(_) => format!(": open\n\n{}", unnamed("connected")),
        };
        stream::once(future::ready(Ok(Bytes::from(opening)))).chain(stream::unfold(self, next))
    }

    /// The event over this stream.
    fn frame(&mut self, event: &Event) -> Bytes {
        let frame = match &mut self.numbering {
            Some(numbering) => event.frame_as(&numbering.number(event.sequence).to_string()),
            None => event.frame.clone(),
        };
        if self.of.run.is_some() && self.core.faults.leaves_run_out() {
            let text = std::str::from_utf8(&frame).expect("a frame is made from text");
            return Bytes::from(text.replace(&format!("\"run_id\":\"{}\",", event.run), ""));
        }
        frame
    }
}

/// Whether a run has ended. One that is not kept any more has.
pub(super) fn is_over(core: &Core, run: &str, workspace: &str) -> bool {
    core.runs.look(run, workspace, |run| run.completed_at.is_some()).unwrap_or(true)
}

/// An event that is about no run.
fn unnamed(kind: &str) -> String {
    format!("event: {kind}\ndata: {{\"time\":\"{}\"}}\n\n", clock::rfc3339_millis(clock::wall()))
}

/// Returns when the run is over and all of it was told, on a gateway that ends its stream then.
async fn done(core: &Core, of: &OfRun, has_told_end: bool) {
    let (Some(run), AfterEnd::Closes(wait) | AfterEnd::Resets(wait)) = (&of.run, core.faults.after_end()) else {
        return pending().await;
    };
    // Of the logs, the end is one of the events.
    while !(is_over(core, run, &of.workspace) && (of.channel == Channel::Guard || has_told_end)) {
        sleep(LOOK_EVERY).await;
    }
    sleep(wait).await;
}

async fn reached(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => pending().await,
    }
}

/// Waits until a stream has been silent for `silent_for`. `timer` is reset only when it fires.
async fn silence(timer: &mut Pin<Box<Sleep>>, silent_for: Duration) {
    let Some(until) = clock::now().checked_add(silent_for) else { return pending().await };
    if timer.deadline() > until {
        timer.as_mut().reset(until);
    }
    loop {
        timer.as_mut().await;
        if clock::now() >= until {
            return;
        }
        timer.as_mut().reset(until);
    }
}

/// The next piece of a stream's body; none when the gateway closes, or the stream lagged.
async fn next(mut feed: Feed) -> Option<(Piece, Feed)> {
    let silent_for = feed.core.faults.keep_alive(feed.core.config.keep_alive, feed.of.channel);
    let event = match feed.subscription.replay.pop_front() {
        Some(event) => event,
        None => tokio::select! {
            event = feed.subscription.live.recv() => event?,
            () = &mut feed.closing => return None,
            () = feed.ending.reached() => return None,
            () = done(&feed.core, &feed.of, feed.has_told_end) => match feed.subscription.live.try_recv() {
                Ok(event) => event,
                Err(_) => return end(&feed).await,
            },
            () = reached(feed.next_ping) => {
                feed.next_ping = feed.core.faults.pings_every().map(|every| clock::now() + every);
                return Some((Ok(Bytes::from(unnamed("ping"))), feed));
            }
            () = silence(&mut feed.keep_alive, silent_for) => {
                return comment(feed);
            }
        },
    };
    let is_of_run = feed.of.run.is_some();
    feed.has_told_end |= is_of_run && event.kind() == "end";
    let faults = &feed.core.faults;
    if faults.is_mute(feed.opened, is_of_run) || faults.passes_over(&event, is_of_run) {
        return comment(feed);
    }
    // A replayed event counts from when the stream was opened: before, there was nobody to write it to.
    let since = event.created.max(feed.opened);
    feed.core.faults.hold_write(since).await;
    feed.core.metrics().stream_write.observe(feed.core.faults.told_write(since.elapsed()));
    feed.core.metrics().messages_sent.increment();
    feed.log_messages.iter().for_each(|sent| sent.increment());
    feed.core.faults.hold_write_unseen(since).await;
    let frame = feed.frame(&event);
    Some((Ok(frame), feed))
}

/// The end of a run's own stream: in good order, or by a reset of its connection.
async fn end<T>(feed: &Feed) -> Option<T> {
    if matches!(feed.core.faults.after_end(), AfterEnd::Resets(_)) {
        feed.connection.cancel();
        pending::<()>().await;
    }
    None
}

fn comment(feed: Feed) -> Option<(Piece, Feed)> {
    Some((Ok(Bytes::from_static(b": keep-alive\n\n")), feed))
}
