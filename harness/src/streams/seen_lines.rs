//! The lines and the end of one run, as the workspace streams showed them.

use super::{Delivered, Lines};

/// The lines and the end of one run, as the workspace streams have shown them.
#[derive(Debug, Default)]
pub struct SeenLines {
    /// The lines.
    pub lines: Lines,
    /// Since when a client had been there that was shown the run's end; of several the longest. `None` where none was.
    pub end_shown_since_ms: Option<u64>,
}

impl SeenLines {
    /// A client was shown a log line; none where the message is unreadable. Only its first delivery counts.
    pub fn line(&mut self, message: Option<&str>, delivered: Delivered) {
        match message {
            _ if !delivered.is_first => {}
            Some(message) => self.lines.add(message, delivered.is_first_equal()),
            None => self.lines.unreadable += 1,
        }
    }

    /// A client that has been there since a moment was shown the run's end. Says whether it is the first client.
    pub fn end(&mut self, there_since_ms: u64) -> bool {
        let before = self.end_shown_since_ms;
        self.end_shown_since_ms = Some(before.map_or(there_since_ms, |before| before.min(there_since_ms)));
        before.is_none()
    }
}
