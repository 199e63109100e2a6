//! Keeps one stream open: reads it, and opens it again when it is lost, every attempt counted.

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

/// A stream to keep.
#[derive(Debug, Clone)]
pub struct StreamSpec {
    /// Its name: `7`, `guard`, `of run 3f2a…`.
    pub name: String,
    /// Its path.
    pub path: String,
    /// Its name in the dialect.
    pub call: CallName,
    /// The workload that it belongs to. Openings count in the error rates if its requests do.
    pub workload: Workload,
    /// Its number in the ledger, if it is one of the workspace log streams.
    pub client: Option<usize>,
    /// Whether it accepts content codings, as a browser does.
    pub as_a_browser: bool,
    /// The run whose stream it is; none where it is the workspace's.
    pub run: Option<String>,
}

/// A command to a keeper.
#[derive(Debug)]
pub enum StreamCommand {
    /// Close the stream, and open it again as if it had been lost. Answered when it is back; dropped where it was away.
    Churn(tokio::sync::oneshot::Sender<()>),
}

/// The reason why a stream is no longer kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptUntil {
    /// The caller had seen enough, or the streams were to close.
    Enough,
    /// The gateway ended the run's own stream, and the run is over: no more events will come.
    ReadToItsEnd,
}

enum ReadEnd {
    Dropped(Ended),
    Churned(tokio::sync::oneshot::Sender<()>),
    Finished,
}

#[derive(Debug, Default)]
struct StreamLife {
    last_id: LastId,
    has_seen_events: bool,
    connections: u32,
    /// The stream's `retry:`.
    retry: Option<Duration>,
    /// Wait that the last refusal asked for.
    retry_after: Option<Duration>,
    /// When it was lost, and the number of attempts to open it since.
    lost: Option<(StartPoint, u32)>,
    back: Option<tokio::sync::oneshot::Sender<()>>,
    /// It was closed for a reason that says nothing against the gateway, and has not been opened again yet.
    rest: Option<PendingReconnect>,
    /// When the gateway last closed it in good order for no known reason, out of chaos windows.
    closed: Option<tokio::time::Instant>,
    /// The gateway has ended a run's own stream, and the run was over by then.
    is_over: bool,
    /// The number of attempts since its run was started, where it was refused before.
    tries_after_start: u32,
}

/// Refuses orders while a stream is away: there is nothing to close. Never returns.
async fn refuse(orders: &mut mpsc::Receiver<StreamCommand>) {
    while let Some(StreamCommand::Churn(back)) = orders.recv().await {
        drop(back);
    }
    std::future::pending::<()>().await;
}

/// Keeps a stream until the streams are to close, or `on_event` has seen enough (`false`), or it is the stream of a run
/// that is over and the gateway has ended it. `first` is notified of the first opening.
pub async fn keep(
    context: &Context,
    kept: &StreamSpec,
    orders: &mut mpsc::Receiver<StreamCommand>,
    first: Option<&FirstOpening>,
    on_event: &mut (dyn FnMut(&StreamEvent, &LogEvent) -> bool + Send),
) -> KeptUntil {
    let mut life = StreamLife::default();
    if kept.run.is_none() {
        let resumed = context.schedule.resumed.last_ids.get(&kept.name).map(String::as_str);
        life.last_id = context.shared_streams.last_id_of(&kept.name, resumed);
    }
    Keeper { context, kept, first, life }.keep(orders, on_event).await
}

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
        let (context, kept) = (self.context, self.kept);
        while !context.schedule.closing.is_cancelled() {
            let opened = tokio::select! {
                biased;
                () = context.schedule.closing.cancelled() => break,
                () = refuse(orders) => break,
                // Boxed: the memory for opening a stream is freed while the stream is open.
                opened = Box::pin(self.open()) => opened,
            };
            let mut connection = match opened {
                Some(connection) => connection,
                None if self.life.is_over => return KeptUntil::ReadToItsEnd,
                None => continue,
            };
            self.life.connections += 1;
            let opened_at = clock::now();
            let mut held = OpenStreamGuard::begin(context, kept.client);
            let browser = kept.as_a_browser.then(|| OpenAsABrowser::begin(context));
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
            let rests = rests && kept.client.is_some();
            self.life.rest = rests.then(|| PendingReconnect::begin(&context.shared_streams));
            drop(held);
            let mark = context.recorder.mark();
            match over {
                ReadEnd::Finished => break,
                ReadEnd::Churned(back) => self.life.back = Some(back),
                ReadEnd::Dropped(ended) => {
                    // Events between the last one and the end of the run are asked for once more.
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

    /// Records a stream that shows something wrong.
    fn stream_failed(&self, subject: &str, answer: String) {
        let (workload, recorder) = (self.kept.workload, &self.context.recorder);
        if workload.counts_in_error_rate() {
            self.context.calls.request_failed(workload, self.route(), subject, &answer, recorder.mark());
        } else {
            recorder.incident(Finding::SourceFailed { source: self.route().to_owned(), answer });
        }
    }
}

#[cfg(test)]
mod late_lines_tests;
