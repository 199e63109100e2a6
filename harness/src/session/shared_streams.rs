//! Shared knowledge of the workers about the streams.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;

use super::{as_a_browser::AsABrowser, keeper::Earliness, opening_pace::OpeningPace};
use crate::gateway::KnownEvents;

/// The streams of a session, as its workers know them.
#[derive(Debug, Default)]
pub struct SharedStreams {
    log_streams_open: AtomicUsize,
    all_streams_open: AtomicUsize,
    /// The minimum since the last question for it.
    least_streams_open: AtomicUsize,
    log_streams_dropped: AtomicU64,
    /// Workspace log streams that S2 closed, and that wait for their turn to come back.
    pub(super) log_streams_resting: AtomicUsize,
    /// The delay of the stream that asks as a browser does, compared with the others.
    pub(super) as_a_browser: AsABrowser,
    /// The last ids of the streams that are kept for hours, by name.
    last_ids: Mutex<BTreeMap<String, LastId>>,
    /// Observed behaviour of the gateway with streams of runs that have not been started.
    pub earliness: Earliness,
    /// The events that workspace streams have shown last.
    pub(super) known_events: Arc<KnownEvents>,
    pub(super) opening_pace: OpeningPace,
}

/// The last id of a stream, for `Last-Event-ID`; none where it gave none, or one that no header can carry.
#[derive(Debug, Clone, Default)]
pub(super) struct LastId(Arc<Mutex<Option<String>>>);

impl LastId {
    pub(super) fn get(&self) -> Option<String> {
        self.0.lock().clone()
    }

    pub(super) fn set(&self, id: Option<&str>) {
        let mut last = self.0.lock();
        match (last.as_mut(), id) {
            (Some(last), Some(id)) => id.clone_into(last),
            (_, id) => *last = id.map(str::to_owned),
        }
    }
}

impl SharedStreams {
    /// The last id of a stream that is kept for hours; at first `resumed`, the one that the session before received.
    pub(super) fn last_id_of(&self, stream: &str, resumed: Option<&str>) -> LastId {
        let first = || LastId(Arc::new(Mutex::new(resumed.map(str::to_owned))));
        self.last_ids.lock().entry(stream.to_owned()).or_insert_with(first).clone()
    }

    /// The last ids of the streams that are kept for hours, by name.
    pub fn last_ids(&self) -> BTreeMap<String, String> {
        let last_ids = self.last_ids.lock();
        last_ids.iter().filter_map(|(stream, last)| Some((stream.clone(), last.get()?))).collect()
    }

    /// A stream opened.
    pub fn stream_opened(&self, is_workspace_logs: bool) {
        self.all_streams_open.fetch_add(1, Ordering::SeqCst);
        if is_workspace_logs {
            self.log_streams_open.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A stream ended.
    pub fn stream_closed(&self, is_workspace_logs: bool, unasked: bool) {
        let before = self.all_streams_open.fetch_sub(1, Ordering::SeqCst);
        self.least_streams_open.fetch_min(before.saturating_sub(1), Ordering::SeqCst);
        if is_workspace_logs {
            self.log_streams_open.fetch_sub(1, Ordering::Relaxed);
            self.log_streams_dropped.fetch_add(u64::from(unasked), Ordering::Relaxed);
        }
    }

    /// Workspace log streams that are open.
    pub fn log_streams_open(&self) -> usize {
        self.log_streams_open.load(Ordering::Relaxed)
    }

    /// Workspace log streams that are open, or that S2 churned and has not opened again yet.
    pub fn log_streams_well(&self) -> usize {
        self.log_streams_open() + self.log_streams_resting.load(Ordering::Relaxed)
    }

    /// All streams that are open, runs' own and the safety layer's among them.
    pub fn all_streams_open(&self) -> usize {
        self.all_streams_open.load(Ordering::Relaxed)
    }

    /// The fewest streams that were open at once since the last call.
    pub fn take_least_streams_open(&self) -> usize {
        let open = || self.all_streams_open.load(Ordering::SeqCst);
        let least = self.least_streams_open.swap(open(), Ordering::SeqCst);
        // A stream that closed in between counts for the next call, too.
        let now = open();
        self.least_streams_open.fetch_min(now, Ordering::SeqCst);
        least.min(now)
    }

    /// Workspace log streams that ended unasked, so far.
    pub fn log_streams_dropped(&self) -> u64 {
        self.log_streams_dropped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_begins_after_the_last_id_of_the_session_before_and_goes_on_after_its_own() {
        let streams = SharedStreams::default();
        let last_id = streams.last_id_of("log-00", Some("41"));
        assert_eq!(Some("41".to_owned()), last_id.get());
        last_id.set(Some("42"));
        assert_eq!(Some("42".to_owned()), streams.last_id_of("log-00", Some("41")).get(), "a worker that starts again");
        assert_eq!(BTreeMap::from([("log-00".to_owned(), "42".to_owned())]), streams.last_ids());
        streams.last_id_of("log-01", None);
        assert_eq!(1, streams.last_ids().len(), "one without an id is not in the journal");
    }
}
