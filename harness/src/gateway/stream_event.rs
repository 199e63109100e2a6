//! An event as it came on a stream.

use std::sync::{Arc, OnceLock};

use tokio::time::Instant;

use super::LogEvent;

/// An event as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamEvent {
    /// Its content. Streams that show the same event share it.
    pub content: Arc<EventContent>,
    /// Known data of the event, if it is larger than the limit and was skipped.
    pub oversized: Option<Oversized>,
    /// When it came.
    pub arrived: Instant,
    /// On which connection of a stream that is kept.
    pub connection: u32,
}

/// The content of an event.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EventContent {
    /// The last id that the stream gave.
    pub id: Option<String>,
    /// The event's name; `message` where it has none.
    pub name: String,
    /// Its data; none where it is larger than the limit.
    pub data: String,
    /// The parsed event, where it was parsed and is about a run.
    pub log: OnceLock<Arc<LogEvent>>,
}

/// An event that is larger than the limit, and was skipped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Oversized {
    /// How large it is.
    pub bytes: u64,
    /// Its id, where it has one of its own.
    pub id: Option<String>,
    /// Its name; empty where it has none.
    pub name: String,
    /// How its lines begin.
    pub beginning: String,
}

impl StreamEvent {
    /// An event that has just come.
    pub(super) fn now(content: impl Into<Arc<EventContent>>) -> Self {
        Self::at(crate::clock::now(), content)
    }

    /// An event that came at a moment.
    pub(super) fn at(arrived: Instant, content: impl Into<Arc<EventContent>>) -> Self {
        Self { content: content.into(), oversized: None, arrived, connection: 0 }
    }
}
