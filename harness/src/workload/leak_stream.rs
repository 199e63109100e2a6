//! Reads a stream beside a run, for text that must not show.
//!
//! A run's own stream may end before S2 leaves it: healthy gateways close it with the run. It was read completely if it
//! ended in good order when the run was over, or after the run's end was on it. Else it is opened again, as any client
//! does, and asked for what came since.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{sync::Notify, time::sleep};
use tokio_util::sync::CancellationToken;

use super::search_patterns::SearchPatterns;
use crate::{
    catalog::{CallName, Workload},
    gateway::{Client, Connection, Ended, EventReading, NOT_THERE, TOO_EARLY},
    journal::Finding,
    session::{Context, OpenStreamGuard},
};

/// How often a run's own stream is opened again.
const OPENINGS_MAX: u32 = 6;
/// Time for which a stream stays away before it is opened again, unless its run is over first.
const COME_BACK_AFTER: Duration = Duration::from_millis(500);
/// The same for a stream that was refused before its run was started.
const TRY_AFTER_START: Duration = Duration::from_millis(100);
/// Connections without events that complete a stream that its gateway cuts: the first cut may have lost events.
const QUIET_MIN: u32 = 2;

/// The patterns that are watched for, and the findings so far.
#[derive(Debug, Default)]
pub(super) struct Watched {
    pub(super) patterns: SearchPatterns,
    /// Places that showed one of them.
    pub(super) shown: Mutex<BTreeSet<String>>,
    /// Places that could not be searched to their end: without them there is no proof that it showed nowhere.
    pub(super) unseen: Mutex<BTreeSet<String>>,
    /// There is no need to read on.
    pub(super) enough: CancellationToken,
    /// The gateway has answered that the run is started.
    pub(super) is_under_way: CancellationToken,
    /// The run is over.
    pub(super) is_over: CancellationToken,
    /// The run's own log stream has shown its end, or was read completely.
    pub(super) ended: Notify,
    /// Held by each stream that its gateway has ended, and that is to be opened again.
    pub(super) away: Arc<()>,
}

impl Watched {
    pub(super) fn showed(&self, place: &str) {
        self.shown.lock().insert(place.to_owned());
    }

    pub(super) fn not_seen(&self, place: &str) {
        self.unseen.lock().insert(place.to_owned());
    }
}

/// A stream to be read, and the place for its findings.
pub(super) struct LeakReader {
    pub(super) context: Context,
    pub(super) workload: Workload,
    pub(super) client: Client,
    pub(super) stream: CallName,
    /// The run, if it is the stream of one.
    pub(super) run: Option<String>,
    pub(super) watched: Arc<Watched>,
}

/// The known state of the stream so far.
#[derive(Default)]
struct StreamProgress {
    last_id: Option<String>,
    has_shown_end: bool,
    /// Events so far.
    events: u64,
    /// Connections that were opened after the last id, when the run was over, and that showed nothing.
    quiet: u32,
}

impl LeakReader {
    /// Reads the stream until there is enough. Without a connection, it was refused before the start of its run.
    pub(super) async fn read(self, connection: Option<Connection>) {
        if let Err(why) = self.read_completely(connection).await {
            // It is the reason of a trial that proves nothing.
            let source = self.route().to_owned();
            let answer = format!("it was not read completely: {why}");
            self.context.recorder.incident(Finding::SourceFailed { source, answer });
            self.watched.not_seen(self.route());
        } else if self.stream == CallName::RunLogsStream {
            self.watched.ended.notify_one();
        }
    }

    /// Reads all events of the run, or until there was enough while the stream was open; else why it could not.
    async fn read_completely(&self, connection: Option<Connection>) -> Result<(), String> {
        let mut known = StreamProgress::default();
        let mut connection = match connection {
            Some(connection) => connection,
            None => self.open_after_start().await.ok_or("it did not open")?,
        };
        for _ in 0..OPENINGS_MAX {
            let was_over = self.watched.is_over.is_cancelled();
            let held = OpenStreamGuard::begin(&self.context, None);
            let (asked, events) = (known.last_id.is_some(), known.events);
            let ended = self.read_connection(&mut connection, &mut known).await;
            drop(held);
            let Some(ended) = ended else { return Ok(()) };
            known.quiet += u32::from(asked && was_over && events == known.events);
            if known.has_shown_end || was_over && ended.in_good_order || known.quiet >= QUIET_MIN {
                return Ok(());
            }
            // A stream of the workspace has no end, and a cut connection loses events unless they can be requested.
            if self.run.is_none() || !ended.in_good_order && known.last_id.is_none() {
                return Err(ended.answer);
            }
            let _away = Arc::clone(&self.watched.away);
            tokio::select! {
                () = self.watched.enough.cancelled() => return Err(ended.answer),
                () = self.watched.is_over.cancelled() => {}
                () = sleep(COME_BACK_AFTER) => {}
            }
            connection = match self.open(known.last_id.as_deref(), &NOT_THERE).await {
                Ok(connection) => connection,
                Err(None) => return Err("it did not open again".to_owned()),
                Err(Some(status)) => {
                    // It does not exist any more, which is allowed once the run is over.
                    return tokio::select! {
                        biased;
                        () = self.watched.is_over.cancelled() => Ok(()),
                        () = self.watched.enough.cancelled() => Err(format!("{status} before its run was over")),
                    };
                }
            };
        }
        Err(format!("it ended {OPENINGS_MAX} times"))
    }

    /// Reads a connection; how it ended, or `None` if there was enough.
    async fn read_connection(&self, connection: &mut Connection, known: &mut StreamProgress) -> Option<Ended> {
        let events = &self.client.dialect().events;
        loop {
            let event = tokio::select! {
                () = self.watched.enough.cancelled() => return None,
                event = connection.next() => event,
            };
            let event = match event {
                Ok(event) => event,
                Err(ended) => return Some(ended),
            };
            known.events += 1;
            if self.watched.patterns.are_in(&event.content.data) {
                self.watched.showed(self.route());
            }
            if self.stream == CallName::RunLogsStream
                && let EventReading::OfRun(log) =
                    events.reading(self.run.as_deref(), &event.content.name, &event.content.data)
                && log.kind == "end"
                && self.run.as_ref().is_none_or(|run| *run == log.run_id)
            {
                known.has_shown_end = true;
                self.watched.ended.notify_one();
            }
            known.last_id =
                event.content.id.clone().filter(|_| !events.ids_are_the_connections).or(known.last_id.take());
        }
    }

    /// Opens the stream of a run that was not started when it was refused.
    async fn open_after_start(&self) -> Option<Connection> {
        tokio::select! {
            () = self.watched.is_under_way.cancelled() => {}
            () = self.watched.enough.cancelled() => return None,
        }
        let mut wait = TRY_AFTER_START;
        loop {
            let is_last = wait > TRY_AFTER_START * 8;
            let tolerated = if is_last { &[][..] } else { &TOO_EARLY };
            match self.open(None, tolerated).await {
                Ok(connection) => {
                    self.context.shared_streams.earliness.opened_only_after_start();
                    return Some(connection);
                }
                Err(None) => return None,
                Err(Some(_)) => sleep(wait).await,
            }
            wait *= 2;
        }
    }

    /// Opens the stream; the status of its refusal if that is one of these, else `None`.
    pub(super) async fn open(&self, last_id: Option<&str>, tolerated: &[u16]) -> Result<Connection, Option<u16>> {
        let call = self.context.calls.of(self.workload, self.stream, self.client.workspace());
        let path = self.client.stream_path(self.stream, self.run.as_deref());
        self.context.calls.open_stream(call, self.stream, &path, (self.client.workspace(), last_id), tolerated).await
    }

    fn route(&self) -> &str {
        self.client.dialect().route(self.stream)
    }
}
