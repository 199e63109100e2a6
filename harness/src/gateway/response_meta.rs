//! Data in the answer to a request for a stream that the parser of events does not pass on.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use parking_lot::Mutex;

use super::{EventContent, Oversized};

/// The collected data of an answer. Clones belong to the same answer.
#[derive(Debug, Clone, Default)]
pub(super) struct ResponseMeta(Arc<Mutex<ResponseState>>);

#[derive(Debug, Default)]
struct ResponseState {
    head: Option<Head>,
    retry: Option<Duration>,
    bytes: u64,
    oversized: VecDeque<Oversized>,
    known: VecDeque<Arc<EventContent>>,
}

/// Of events that were skipped, and that nobody has asked for yet, so many are told.
const OVERSIZED_MAX: usize = 64;

/// The head of an answer.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) status: u16,
    /// Where it points to, if anywhere.
    pub(super) location: Option<String>,
    /// Time that the answer asks to wait.
    pub(super) retry_after: Option<Duration>,
    /// Why its body cannot be read, where that is so.
    pub(super) undecodable: Option<String>,
}

impl ResponseMeta {
    /// The head, where one has come.
    pub(super) fn head(&self) -> Option<Head> {
        self.0.lock().head.clone()
    }

    /// The delay before coming back that the stream last asked for.
    pub(super) fn retry(&self) -> Option<Duration> {
        self.0.lock().retry
    }

    /// How many bytes of the body have come so far.
    pub(super) fn bytes(&self) -> u64 {
        self.0.lock().bytes
    }

    /// Takes down the head of the answer.
    pub(super) fn answered(&self, head: Head) {
        self.0.lock().head = Some(head);
    }

    /// Records a further part of the body: its size, the retry delay that it asks for, its skipped events and its known events.
    pub(super) fn came(
        &self,
        bytes: usize,
        retry_ms: Option<u64>,
        skipped: impl Iterator<Item = Oversized>,
        known: impl Iterator<Item = Arc<EventContent>>,
    ) {
        let mut with_meta = self.0.lock();
        with_meta.bytes += bytes as u64;
        with_meta.retry = retry_ms.map(Duration::from_millis).or(with_meta.retry);
        with_meta.oversized.extend(skipped);
        with_meta.oversized.truncate(OVERSIZED_MAX);
        with_meta.known.extend(known);
    }

    /// Takes the first known event that was not handed out yet.
    pub(super) fn known(&self) -> Option<Arc<EventContent>> {
        self.0.lock().known.pop_front()
    }

    /// Takes the first skipped event that was not handed out yet.
    pub(super) fn skipped(&self) -> Option<Oversized> {
        self.0.lock().oversized.pop_front()
    }
}
