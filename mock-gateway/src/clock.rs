//! The only file that reads time.

use jiff::Timestamp;
use tokio::time::Instant;

/// A moment to measure from.
#[expect(clippy::disallowed_methods, reason = "the one home of reading time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// What the gateway's clock says, for the wire.
#[expect(clippy::disallowed_methods, reason = "this is the one home of reading time")]
pub(crate) fn wall() -> Timestamp {
    Timestamp::now()
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
    fn every_moment_is_written_with_all_its_digits() {
        let moment = Timestamp::from_microsecond(1_764_000_000_500_000).unwrap();
        assert_eq!(rfc3339_millis(moment), "2025-11-24T16:00:00.500Z");
        assert_eq!(rfc3339_micros(moment), "2025-11-24T16:00:00.500000Z");
    }
}
