//! The parts of an answer to a request for a stream that the parser of events does not pass on.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use parking_lot::Mutex;

use super::{EventContent, Oversized};

/// The parts of an answer. Clones belong to the same answer.
pub(super) type ResponseMeta = Arc<Mutex<ResponseState>>;

#[derive(Debug, Default)]
pub(super) struct ResponseState {
    pub(super) head: Option<Head>,
    /// The delay before the next request that the stream last asked for.
    pub(super) retry: Option<Duration>,
    /// Size of the body so far.
    pub(super) bytes: u64,
    /// Skipped events that were not handed out yet.
    pub(super) oversized: VecDeque<Oversized>,
    /// Known events that were not handed out yet.
    pub(super) known: VecDeque<Arc<EventContent>>,
}

#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) location: Option<String>,
    /// Time that the answer asks to wait.
    pub(super) retry_after: Option<Duration>,
    /// The reason why its body cannot be read.
    pub(super) undecodable: Option<String>,
}
