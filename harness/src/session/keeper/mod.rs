//! Keeps one stream open: reads it, and comes back when it is lost, every attempt counted.

mod browser_delay;
mod ending;
mod entering;
mod first_opening;
mod held;
mod opening;
mod reading;

use std::time::Duration;

use tokio::sync::mpsc;

use browser_delay::OpenAsABrowser;
use held::PendingReconnect;

use super::{Context, StartPoint, shared_streams::LastId};
use crate::{
    catalog::{CallName, Workload},
    clock,
    gateway::{Ended, LogEvent, StreamEvent},
    journal::Finding,
};

pub use first_opening::{Earliness, FirstOpening};
pub use held::OpenStreamGuard;

/// Which stream is kept, for whom.
#[derive(Debug, Clone)]
pub struct StreamSpec {
    /// Which stream it is: `7`, `guard`, `of run 3f2a…`.
    pub name: String,
    /// Its path.
    pub path: String,
    /// Which of the dialect's streams it is.
    pub call: CallName,
    /// Whose it is. Openings count in the error rates if its requests do.
    pub workload: Workload,
    /// Its number in the ledger, if it is one of the workspace log streams.
    pub client: Option<usize>,
    /// Whether it is asked for as a browser asks: whoever may compress it does.
    pub as_a_browser: bool,
    /// The run whose stream it is; none where it is the workspace's.
    pub run: Option<String>,
}

/// A command to a keeper.
#[derive(Debug)]
pub enum StreamCommand {
    /// Close the stream, and come back as if it had been lost. Answered when it is back; dropped where it was away.
    Churn(tokio::sync::oneshot::Sender<()>),
}

/// How the keeping of a stream came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptUntil {
    /// The caller had seen enough, or the streams were to close.
    Enough,
    /// The gateway ended the run's own stream, and the run is over: there is no more to come.
    ReadToItsEnd,
}

/// Why reading came to an end.
enum ReadEnd {
    Dropped(Ended),
    Churned(tokio::sync::oneshot::Sender<()>),
    Finished,
}

/// A kept stream's life so far.
#[derive(Debug, Default)]
struct StreamLife {
    last_id: LastId,
    has_seen_events: bool,
    /// Connections so far.
    connections: u32,
    /// The stream's `retry:`.
    retry: Option<Duration>,
    /// Wait that the last refusal asked for.
    retry_after: Option<Duration>,
    /// When it was lost, and how often it has tried to come back since.
    lost: Option<(StartPoint, u32)>,
    back: Option<tokio::sync::oneshot::Sender<()>>,
    /// It was closed for a reason that says nothing against the gateway, and has not tried to come back yet.
    rest: Option<PendingReconnect>,
    /// When the gateway last closed it in good order for no reason that is known, out of chaos windows.
    closed: Option<tokio::time::Instant>,
    /// The gateway has ended a run's own stream, and the run was over by then.
    is_over: bool,
    /// How often the stream was tried since its run was started, where it was refused before.
    tries_after_start: u32,
}

/// Refuses what is ordered while a stream is away: there is nothing to close. Never comes back.
async fn refuse(orders: &mut mpsc::Receiver<StreamCommand>) {
    while let Some(StreamCommand::Churn(back)) = orders.recv().await {
        drop(back);
    }
    std::future::pending::<()>().await;
}

/// Keeps a stream until the streams are to close, or `on_event` says that it has seen enough (`false`), or it is the
/// stream of a run that is over and the gateway has ended it. `first` is notified of the first opening.
pub async fn keep(
    context: &Context,
    kept: &StreamSpec,
    orders: &mut mpsc::Receiver<StreamCommand>,
    first: Option<&FirstOpening>,
    on_event: &mut (dyn FnMut(&StreamEvent, &LogEvent) -> bool + Send),
) -> KeptUntil {
    let last_id = match kept.run {
        Some(_) => LastId::default(),
        None => context.shared_streams.last_id_of(&kept.name, context.schedule.resumed.last_id(&kept.name)),
    };
    let life = StreamLife { last_id, ..StreamLife::default() };
    Keeper { context, kept, first, life }.keep(orders, on_event).await
}

/// Keeps one stream.
struct Keeper<'a> {
    context: &'a Context,
    kept: &'a StreamSpec,
    first: Option<&'a FirstOpening>,
    life: StreamLife,
}

impl Keeper<'_> {
    async fn keep(
        &mut self,
        orders: &mut mpsc::Receiver<StreamCommand>,
        on_event: &mut (dyn FnMut(&StreamEvent, &LogEvent) -> bool + Send),
    ) -> KeptUntil {
        let context = self.context;
        while !context.schedule.closing.is_cancelled() {
            let opened = tokio::select! {
                biased;
                () = context.schedule.closing.cancelled() => break,
                () = refuse(orders) => break,
                // Boxed: the memory for opening a stream is freed while the stream is open.
                opened = Box::pin(self.open()) => opened,
            };
            let Some(mut connection) = opened else {
                if self.life.is_over {
                    return KeptUntil::ReadToItsEnd;
                }
                continue;
            };
            self.life.connections += 1;
            let opened_at = clock::now();
            let mut held = OpenStreamGuard::begin(self.context, self.kept.client);
            let browser = self.kept.as_a_browser.then(|| OpenAsABrowser::begin(self.context));
            let over = self.read(&mut connection, orders, on_event).await;
            let retry = connection.retry().map(|retry| retry.clamp(opening::RETRY_MIN, opening::RECONNECT_DELAY_MAX));
            self.life.retry = retry.or(self.life.retry);
            drop((connection, browser));
            let age = clock::now().saturating_duration_since(opened_at);
            let closing = match &over {
                ReadEnd::Dropped(ended) => Some(self.closing_of(ended, age)),
                ReadEnd::Churned(_) | ReadEnd::Finished => None,
            };
            held.unasked = closing.is_some_and(ending::Closing::is_unasked);
            // Before it counts as closed: in between it would look like one that the gateway has lost.
            let rests = matches!(over, ReadEnd::Churned(_)) || closing.is_some_and(|closing| !closing.is_unasked());
            self.life.rest =
                (self.kept.client.is_some() && rests).then(|| PendingReconnect::begin(&self.context.shared_streams));
            drop(held);
            let mark = self.context.recorder.mark();
            match over {
                ReadEnd::Finished => break,
                ReadEnd::Churned(back) => self.life.back = Some(back),
                ReadEnd::Dropped(ended) => {
                    // What came between the last event and the end of the run is asked for once more.
                    let was_over = self.life.is_over;
                    self.life.is_over = ended.in_good_order && self.is_run_over().await;
                    if was_over && self.life.is_over {
                        return KeptUntil::ReadToItsEnd;
                    }
                    let closing = closing.filter(|_| !self.life.is_over);
                    self.take_down_ending((&ended, age, closing), mark);
                }
            }
            self.life.lost = Some((mark, 0));
        }
        KeptUntil::Enough
    }

    fn route(&self) -> &str {
        self.context.calls.client.dialect().route(self.kept.call)
    }

    /// A stream that shows what it should not.
    fn stream_failed(&self, subject: &str, answer: String) {
        if self.kept.workload.counts_in_error_rate() {
            self.context.calls.request_failed(
                self.kept.workload,
                self.route(),
                subject,
                &answer,
                self.context.recorder.mark(),
            );
        } else {
            self.context.recorder.incident(Finding::SourceFailed { source: self.route().to_owned(), answer });
        }
    }
}

#[cfg(test)]
mod late_lines_tests;
