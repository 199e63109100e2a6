//! What the workspace streams showed of one run.

use super::{Delivered, Lines};

/// What the workspace streams have shown of one run.
#[derive(Debug, Default)]
pub struct SeenLines {
    lines: Lines,
    /// The clients that were shown its end, a bit each.
    ended_by: u128,
}

impl SeenLines {
    /// A client was shown a log line; none where the event has no message that could be read. A line counts once,
    /// however many clients are shown it.
    pub fn line(&mut self, message: Option<&str>, delivered: Delivered) {
        if !delivered.is_first {
            return;
        }
        match message {
            Some(message) => self.lines.add(message, delivered.is_first_equal()),
            None => self.lines.add_unreadable(),
        }
    }

    /// A client was shown the run's end. Says whether it is the first.
    pub fn end(&mut self, client: usize) -> bool {
        let is_first = self.ended_by == 0;
        self.ended_by |= u32::try_from(client).ok().and_then(|client| 1_u128.checked_shl(client)).unwrap_or(0);
        is_first
    }

    /// The lines that clients were shown.
    #[must_use]
    pub const fn lines(&self) -> &Lines {
        &self.lines
    }

    /// The clients that were shown its end, a bit each.
    #[must_use]
    pub const fn ended_by(&self) -> u128 {
        self.ended_by
    }
}
