//! The deliveries of the streams: one handle for the readers of streams and the players of runs.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::{Recorder, RunWatch, StartPoint, Stop, watched_runs::WatchedRuns};
use crate::{
    clock,
    gateway::LogEvent,
    journal::{Counter, Finding, clip},
    plan::{log_stream_name, millis},
    streams::{Delivered, Delivery, Ledger, Missed, RepeatedEvent},
};

/// Maximum time between the return of a stream and an event that it misses, at which the message names the return; real
/// milliseconds.
const BESIDE_RETURN_MS: i64 = 2_000;

/// The deliveries of a session: the ledger of its workspace streams, and the runs that are compared with their records.
#[derive(Debug)]
pub struct Deliveries {
    pub(super) recorder: Recorder,
    pub(super) stop: Stop,
    streams: usize,
    /// Whether the gateway has an event that ends a run.
    pub(super) has_ends: bool,
    pub(super) ledger: Mutex<Ledger>,
    /// The runs that are watched.
    pub watched: WatchedRuns,
    pub(super) pending_runs: Mutex<PendingRuns>,
    /// Watched runs whose end a workspace stream has shown; and where no such streams exist, runs whose own stream has.
    pub(super) ends_shown: AtomicU64,
    own_ends_shown: AtomicU64,
}

/// Runs that have ended, and of which the workspace streams may have more to show.
#[derive(Debug, Default)]
pub(super) struct PendingRuns {
    pub(super) runs: VecDeque<EndedRun>,
    /// The size of their records.
    pub(super) bytes: usize,
}

/// A run that has ended in success.
#[derive(Debug)]
pub(super) struct EndedRun {
    pub(super) run: String,
    pub(super) watch: Arc<RunWatch>,
    pub(super) due: StartPoint,
    /// When its end was known; milliseconds as the ledger counts them.
    pub(super) known_ms: u64,
    /// Its log lines.
    pub(super) record: Vec<String>,
}

/// An event as it was entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entered {
    /// How it came to the client.
    pub delivered: Delivered,
    /// Whether its run is watched.
    pub is_watched: bool,
    /// Whether it is a log line, and the connection has shown the end of its run before.
    pub is_after_end: bool,
}

impl Deliveries {
    /// No deliveries yet, to this many workspace streams. `ids_are_given`: runs get their ids from the gateway.
    pub(super) fn new(
        (recorder, stop): (&Recorder, &Stop),
        (ledger, streams): (Ledger, usize),
        has_ends: bool,
        ids_are_given: bool,
    ) -> Self {
        Self {
            recorder: recorder.clone(),
            stop: stop.clone(),
            streams,
            has_ends,
            ledger: Mutex::new(ledger),
            watched: WatchedRuns::new(ids_are_given),
            pending_runs: Mutex::default(),
            ends_shown: AtomicU64::new(0),
            own_ends_shown: AtomicU64::new(0),
        }
    }

    /// A workspace stream opened; `resumed` if it is owed what came since it was lost.
    pub fn stream_opened(&self, client: usize, resumed: bool) {
        self.ledger.lock().opened(client, self.now_ms(), resumed);
    }

    /// A workspace stream ended.
    pub fn stream_lost(&self, client: usize) {
        self.ledger.lock().lost(client);
    }

    /// A workspace stream showed an event: enters it in the ledger and for its run.
    pub fn enter(&self, client: usize, got: &Delivery<'_>, arrived: Instant) -> Entered {
        // Both under one lock: only the first delivery of a line is entered for its run, and another client that enters
        // the run's end in between would settle the run without that line.
        let mut ledger = self.ledger.lock();
        let delivered = ledger.saw(client, self.now_ms(), got);
        let there_since_ms = ledger.witness_since(client).unwrap_or(u64::MAX);
        let is_after_end = got.kind == "log" && ledger.has_shown_end(client, got.run);
        Entered { delivered, is_watched: self.enter_as(got, arrived, (there_since_ms, delivered)), is_after_end }
    }

    /// Enters an event for its run. Says whether the run is watched.
    pub(super) fn enter_as(&self, got: &Delivery<'_>, arrived: Instant, client: (u64, Delivered)) -> bool {
        let Some(watch) = self.watched.find(got.run) else { return false };
        if watch.enter(got, arrived, Some(client)) {
            self.ends_shown.fetch_add(1, Ordering::Relaxed);
        }
        true
    }

    /// A stream of another kind showed an event.
    pub fn enter_beside(&self, log: &LogEvent, arrived: Instant) {
        if let Some(watch) = self.watched.find(&log.run_id) {
            watch.enter(&log.delivery(""), arrived, None);
        }
    }

    /// The run's own stream has shown its end, where no stream of the workspace does.
    pub fn own_end_shown(&self) {
        self.own_ends_shown.fetch_add(1, Ordering::Relaxed);
    }

    /// Runs whose own stream has shown their end.
    pub fn own_ends_shown(&self) -> u64 {
        self.own_ends_shown.load(Ordering::Relaxed)
    }

    /// Whether nothing is owed any more: neither an event to a connected client, nor a line of a run that has ended.
    pub fn is_settled(&self) -> bool {
        self.ledger.lock().outstanding() == 0 && self.runs_waiting() == 0
    }

    /// Records findings that have become certain, of the ledger and of runs that have ended.
    pub fn settle(&self) {
        self.settle_runs();
        let mut ledger = self.ledger.lock();
        let (settled, evicted) = (ledger.settle(self.now_ms()), ledger.take_evicted());
        drop(ledger);
        let mark = self.recorder.mark();
        self.recorder.add(Counter::EventsMissed, settled.missed.len() as u64, mark);
        self.recorder.add(Counter::EventsDuplicated, settled.repeated.len() as u64, mark);
        self.recorder.add(Counter::LedgerEvicted, evicted, mark);
        let of = |client, run: &str, id: &str| (log_stream_name(client, self.streams), clip(run), clip(id));
        for Missed { client, run, id, line, seen_by, after_return_ms } in settled.missed {
            tracing::debug!("stream {client} missed event {id} of run {run}");
            let (stream, run, id) = of(client, &run, &id);
            let why = after_return_ms.map_or_else(String::new, at_a_return);
            self.recorder.incident(Finding::EventMissed { stream, run, id, seen_by, line, why });
        }
        for RepeatedEvent { client, run, id, line, same_id, others } in settled.repeated {
            let (stream, run, id) = of(client, &run, &id);
            let why = match others {
                0 => String::new(),
                others => format!("{others} other clients did not get it so often"),
            };
            self.recorder.incident(Finding::EventDuplicated { stream, run, id, same_id, line, why });
        }
    }

    /// Real milliseconds since the start of the soak, as the ledger counts them.
    pub(super) fn now_ms(&self) -> u64 {
        self.ms_at(clock::now())
    }

    /// The same, at a moment.
    pub(super) fn ms_at(&self, at: Instant) -> u64 {
        millis(at.saturating_duration_since(self.recorder.clock.instant(0)))
    }
}

/// The return of a stream beside which it missed an event; empty where the event came much later.
fn at_a_return(after_ms: i64) -> String {
    match after_ms {
        0..=BESIDE_RETURN_MS => format!("the stream had come back {after_ms} ms before"),
        i64::MIN..0 => {
            let later_ms = after_ms.unsigned_abs();
            format!("the stream came back {later_ms} ms later, and was not sent it")
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_event_is_explained_by_a_return_beside_it() {
        let reasons = [-120, 0, 2_000, 2_001].map(at_a_return);
        assert_eq!(reasons[0], "the stream came back 120 ms later, and was not sent it");
        assert_eq!(reasons[1], "the stream had come back 0 ms before");
        assert!(reasons[2].starts_with("the stream had come back 2000 ms") && reasons[3].is_empty(), "{reasons:?}");
    }
}
