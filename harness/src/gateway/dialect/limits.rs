//! How far a gateway goes where the contract leaves it open.

use std::time::Duration;

/// Limits of one gateway. Durations are real time, whatever the pace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The age at which the gateway closes any stream in good order; `None` where it has no such rule.
    pub connection_age: Option<Duration>,
    /// Maximum silence of an open stream, comments included, before S2 closes it and opens it again.
    pub stream_idle: Duration,
    /// Maximum size of one event. A larger event is skipped while it streams.
    pub event_bytes_max: usize,
    /// Maximum size of one answer, decoded.
    pub answer_bytes_max: usize,
    /// Maximum time between the answer to a restart and its effect.
    pub restart_effect: Duration,
}
