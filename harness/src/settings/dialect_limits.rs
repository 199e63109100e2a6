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
/// Bounds of [`Limits::event_bytes_max`] and [`Limits::answer_bytes_max`]. The session holds twenty streams and a few answers
/// at once, so a larger limit could take its machine's memory.
const SIZE: RangeInclusive<ByteSize> = ByteSize::kib(4)..=ByteSize::mib(64);

/// Values where a key is missing. Each key stands in the built-in dialect, which every dialect extends, so these count only
/// where a value is wrong, and then the problem is reported.
const FALLBACK: Limits = Limits {
    connection_age: None,
    stream_idle: Duration::from_secs(300),
    event_bytes_max: 1 << 20,
    answer_bytes_max: 8 << 20,
    restart_effect: Duration::from_secs(60),
};

/// Reads the table. Every wrong value is a problem.
pub(super) fn limits(mut table: TableReader<'_>) -> Limits {
    let limits = Limits {
        connection_age: table.optional_duration("connection_age", CONNECTION_AGE),
        stream_idle: table.duration("stream_idle", STREAM_IDLE, FALLBACK.stream_idle),
        event_bytes_max: table.size("event_size", SIZE, FALLBACK.event_bytes_max),
        answer_bytes_max: table.size("answer_size", SIZE, FALLBACK.answer_bytes_max),
        restart_effect: table.duration("restart_effect", RESTART_EFFECT, FALLBACK.restart_effect),
    };
    table.done();
    limits
}
