//! `Retry-After`: the time that a gateway asks to wait (RFC 9110, section 10.2.3).

use std::time::Duration;

use http::{HeaderMap, header};
use jiff::{Timestamp, fmt::rfc2822::DateTimeParser};

/// The least and the longest wait.
pub(crate) const WAIT_MIN: Duration = Duration::from_secs(1);
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(120);

/// The time that the headers of an answer ask to wait, 1 s to 2 min, if they do so in a known form. `now` is for a
/// gateway that names a moment without the time of its clock.
pub(super) fn asked(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        Duration::from_secs(value.parse().unwrap_or(u64::MAX))
    } else {
        let moment = |text: &str| DateTimeParser::new().parse_timestamp(text).ok();
        // The moment is of the gateway's clock, which may differ.
        let told = headers.get(header::DATE).and_then(|date| moment(date.to_str().ok()?)).unwrap_or(now);
        moment(value)?.duration_since(told).try_into().unwrap_or_default()
    };
    Some(wait.clamp(WAIT_MIN, WAIT_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(headers: &[(header::HeaderName, &'static str)]) -> Option<u64> {
        let now = "2026-11-23T10:00:00Z".parse().unwrap();
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        asked(&headers, now).map(|wait| wait.as_secs())
    }

    #[test]
    fn seconds_are_waited_within_bounds() {
        let asked = |value| seconds(&[(header::RETRY_AFTER, value)]);
        let waits = ["0", "1", "7", " 120 ", "121", "99999999999999999999999"].map(asked);
        assert_eq!([1, 1, 7, 120, 120, 120].map(Some), waits);
    }

    #[test]
    fn a_moment_is_one_of_the_gateways_clock_where_that_is_told() {
        let moment = (header::RETRY_AFTER, "Mon, 23 Nov 2026 10:00:12 GMT");
        assert_eq!(Some(12), seconds(std::slice::from_ref(&moment)));
        assert_eq!(Some(2), seconds(&[moment.clone(), (header::DATE, "Mon, 23 Nov 2026 10:00:10 GMT")]));
        assert_eq!(Some(1), seconds(&[moment.clone(), (header::DATE, "Mon, 23 Nov 2026 11:00:00 GMT")]));
        assert_eq!(Some(12), seconds(&[moment, (header::DATE, "yesterday")]));
    }

    #[test]
    fn what_nobody_understands_asks_for_nothing() {
        assert_eq!([None; 5], ["", "soon", "-1", "1.5", "2026-11-23"].map(|it| seconds(&[(header::RETRY_AFTER, it)])));
        assert_eq!(None, seconds(&[]));
    }
}
