//! The only file that reads time.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// A moment to measure from.
#[expect(clippy::disallowed_methods, reason = "the one home of reading time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Returns the time of the gateway's clock, for the wire.
#[expect(clippy::disallowed_methods, reason = "this is the one home of reading time")]
pub(crate) fn wall() -> Timestamp {
    Timestamp::now()
}

/// A moment as another process can read it, in microseconds of Unix time.
pub(crate) fn to_unix_micros(moment: Instant) -> i64 {
    let (now, wall) = (now(), wall().as_microsecond());
    let micros = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    wall.saturating_add(micros(moment - now)).saturating_sub(micros(now - moment))
}

/// A moment that another process wrote; one of before this system was up is now.
pub(crate) fn from_unix_micros(micros: i64) -> Instant {
    let (now, wall) = (now(), wall().as_microsecond());
    let distance = Duration::from_micros(micros.abs_diff(wall));
    if micros < wall { now.checked_sub(distance) } else { now.checked_add(distance) }.unwrap_or(now)
}

/// The wire's form of a moment: RFC 3339 in UTC, to the millisecond.
pub(crate) fn rfc3339_millis(moment: Timestamp) -> String {
    format!("{moment:.3}")
}

/// The same to the microsecond, where two moments have to differ.
pub(crate) fn rfc3339_micros(moment: Timestamp) -> String {
    format!("{moment:.6}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_back_by_another_process() {
        for moment in [now() - Duration::from_millis(40), now() + Duration::from_secs(3)] {
            let read = from_unix_micros(to_unix_micros(moment));
            let off = (read - moment).max(moment - read);
            assert!(off < Duration::from_secs(1), "{off:?}");
        }
    }

    #[test]
    fn every_moment_is_written_with_all_its_digits() {
        let moment = Timestamp::from_microsecond(1_764_000_000_500_000).unwrap();
        assert_eq!(rfc3339_millis(moment), "2025-11-24T16:00:00.500Z");
        assert_eq!(rfc3339_micros(moment), "2025-11-24T16:00:00.500000Z");
    }
}
