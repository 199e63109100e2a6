//! An event as it came on a stream.

use std::sync::{Arc, OnceLock};

use tokio::time::Instant;

use super::LogEvent;

/// An event as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamEvent {
    /// Its content. Streams that show the same event share it.
    pub(crate) content: Arc<EventContent>,
    /// Known data of the event, if it is larger than the limit and was skipped.
    pub(crate) oversized: Option<Oversized>,
    pub(crate) arrived: Instant,
    /// Number of the connection, of a stream that is kept open.
    pub(crate) connection: u32,
}

/// The content of an event.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EventContent {
    /// The last id that the stream gave.
    pub(crate) id: Option<String>,
    /// The event's name; `message` where it has none.
    pub(crate) name: String,
    /// Its data; empty where it is larger than the limit.
    pub(crate) data: String,
    /// The parsed event, if it was parsed and is about a run.
    pub(crate) log: OnceLock<Arc<LogEvent>>,
}

/// An event that is larger than the limit, and was skipped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Oversized {
    pub(crate) bytes: u64,
    /// Its id, where it has one of its own.
    pub(crate) id: Option<String>,
    /// Its name; empty where it has none.
    pub(crate) name: String,
    /// The beginning of its lines.
    pub(crate) beginning: String,
}

impl StreamEvent {
    pub(super) fn at(arrived: Instant, content: impl Into<Arc<EventContent>>) -> Self {
        Self { content: content.into(), oversized: None, arrived, connection: 0 }
    }
}
