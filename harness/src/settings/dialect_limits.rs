//! The table `[limits]` of a dialect.

use std::{ops::RangeInclusive, time::Duration};

use bytesize::ByteSize;

use super::table::TableReader;
use crate::gateway::Limits;

/// Bounds of [`Limits::connection_age`]: a shorter one leaves no time in which streams could be compared.
const CONNECTION_AGE: RangeInclusive<Duration> = Duration::from_secs(5)..=DAY;
/// Bounds of [`Limits::stream_idle`].
const STREAM_IDLE: RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_secs(60 * 60);
/// Bounds of [`Limits::restart_effect`].
const RESTART_EFFECT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(10 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Bounds of [`Limits::event_bytes_max`] and [`Limits::answer_bytes_max`]. The session holds twenty streams and a few
/// answers: a larger limit could take its machine's memory.
const SIZE: RangeInclusive<ByteSize> = ByteSize::kib(4)..=ByteSize::mib(64);

/// Values in place of wrong ones, which are problems. No key is missing: each is in the built-in dialect, which all
/// extend.
const FALLBACK: Limits = Limits {
    connection_age: None,
    stream_idle: Duration::from_secs(300),
    event_bytes_max: 1 << 20,
    answer_bytes_max: 8 << 20,
    restart_effect: Duration::from_secs(60),
};

/// Reads the table. Every wrong value is a problem.
pub(super) fn limits(table: &mut TableReader<'_>) -> Limits {
    Limits {
        connection_age: table.optional_duration("connection_age", CONNECTION_AGE),
        stream_idle: table.duration("stream_idle", STREAM_IDLE, FALLBACK.stream_idle),
        event_bytes_max: table.size("event_size", SIZE, FALLBACK.event_bytes_max),
        answer_bytes_max: table.size("answer_size", SIZE, FALLBACK.answer_bytes_max),
        restart_effect: table.duration("restart_effect", RESTART_EFFECT, FALLBACK.restart_effect),
    }
}
