//! What the answer to a request for a stream says that the parser of events does not pass on.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// What was said. Clones are of the same answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Told(Arc<Mutex<Telling>>);

#[derive(Debug, Default)]
struct Telling {
    head: Option<Head>,
    retry: Option<Duration>,
    bytes: u64,
}

/// The head of an answer.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) status: u16,
    /// Where it points to, if anywhere.
    pub(super) location: Option<String>,
    /// How long it asks to wait.
    pub(super) retry_after: Option<Duration>,
}

impl Told {
    /// The head, where one has come.
    pub(super) fn head(&self) -> Option<Head> {
        self.lock().head.clone()
    }

    /// The delay before coming back that the stream last asked for.
    pub(super) fn retry(&self) -> Option<Duration> {
        self.lock().retry
    }

    /// How many bytes of the body have come so far.
    pub(super) fn bytes(&self) -> u64 {
        self.lock().bytes
    }

    /// Takes down the head of the answer.
    pub(super) fn answered(&self, head: Head) {
        self.lock().head = Some(head);
    }

    /// Takes down that more of the body has come, and the delay that it asked for, if it did.
    pub(super) fn came(&self, bytes: usize, retry_ms: Option<u64>) {
        let mut telling = self.lock();
        telling.bytes += bytes as u64;
        telling.retry = retry_ms.map(Duration::from_millis).or(telling.retry);
    }

    fn lock(&self) -> MutexGuard<'_, Telling> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
