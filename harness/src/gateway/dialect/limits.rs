//! Limits of a gateway that the contract leaves open.

use std::time::Duration;

/// Limits of one gateway. Durations are real time, whatever the pace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The age at which the gateway closes any stream in good order, where it has such a rule.
    pub(crate) connection_age: Option<Duration>,
    /// Maximum silence of an open stream, comments included, before S2 closes it and opens it again.
    pub(crate) stream_idle: Duration,
    /// Maximum size of one event. A larger event is skipped while it streams.
    pub(crate) event_bytes_max: usize,
    /// Maximum size of one answer, decoded.
    pub(crate) answer_bytes_max: usize,
    /// Maximum time between the answer to a restart and its effect.
    pub(crate) restart_effect: Duration,
}

/// Bytes of an event beside its message: names of fields, ids, times.
const EVENT_FRAME_BYTES: usize = 1_024;

impl Limits {
    /// Whether the event of a log line with this message is certainly small enough to be read.
    pub(crate) fn fits_an_event(&self, message: &str) -> bool {
        // JSON escapes quotes, line ends and control characters with up to six bytes.
        let escaped = |byte: u8| match byte {
            b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 2,
            0..0x20 => 6,
            _ => 1,
        };
        let bytes: usize = message.bytes().map(escaped).sum();
        bytes.saturating_add(EVENT_FRAME_BYTES) <= self.event_bytes_max
    }
}

#[cfg(test)]
mod tests {
    use crate::settings::built_in_dialect;

    #[test]
    fn a_line_that_is_as_large_as_an_event_may_be_leaves_no_room_for_the_rest_of_the_event() {
        let limits = built_in_dialect().limits;
        let fits = |text: &str| limits.fits_an_event(&text.repeat((1 << 20) - 1_024));
        assert!(limits.fits_an_event("") && fits("x"));
        assert!(!fits("\""), "it takes twice the room");
        assert!(!limits.fits_an_event(&"x".repeat(1 << 20)));
    }
}
