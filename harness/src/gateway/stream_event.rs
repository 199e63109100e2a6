//! An event as it came on a stream.

use tokio::time::Instant;

use super::Oversized;

/// An event as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamEvent {
    /// The last id that the stream gave.
    pub id: Option<String>,
    /// The event's name; `message` where it has none.
    pub name: String,
    /// Its data; none where it is larger than the limit.
    pub data: String,
    /// What is known of it where it is larger than the limit, and was skipped.
    pub oversized: Option<Oversized>,
    /// When it came.
    pub arrived: Instant,
    /// On which connection of a stream that is kept.
    pub connection: u32,
}
