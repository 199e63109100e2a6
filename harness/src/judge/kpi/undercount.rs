//! Counts that are too low: entries that are removed too often hide entries that are never removed.

use crate::{
    history::MINUTE_MS,
    journal::Gauge,
    judge::{
        UnprovenReason,
        stats::{
            Segment,
            change_point::{FIRST_FLOORS, LAST_FLOORS},
            trend::median,
        },
    },
};

/// Why a gauge of the gateway cannot be believed: it fell below its possible minimum by more than it may grow.
///
/// A gateway may count fewer streams than we hold: those of one kind only, or of one process of several. But then it
/// does from the beginning, and the count does not fall. Streams of others that close meanwhile leave ours.
pub(crate) fn undercounted(gauge: Gauge, segment: &Segment, limit: f64) -> Option<UnprovenReason> {
    if !matches!(gauge, Gauge::GatewaySseSurplus | Gauge::GatewayQueueDepth) {
        return None;
    }
    let last = segment.len().checked_sub(LAST_FLOORS).filter(|at| *at >= FIRST_FLOORS)?;
    let (before, after) = (middle(&segment[..FIRST_FLOORS])?, middle(&segment[last..])?);
    let [from_ms, to_ms] = [0, last].map(|at| segment[at].0 * MINUTE_MS);
    let is_too_low = after < -limit && before - after > limit;
    is_too_low.then_some(UnprovenReason::CountTooLow { gauge, before, from_ms, after, to_ms })
}

fn middle(floors: &[(u64, f64)]) -> Option<f64> {
    median(floors.iter().map(|floor| floor.1).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn describe(gauge: Gauge, of: impl Fn(f64) -> f64) -> Option<UnprovenReason> {
        let segment: Segment = (0..70_u64).map(|minute| (minute, of(minute as f64))).collect();
        undercounted(gauge, &segment, 5.0)
    }

    #[test]
    fn a_count_that_falls_below_what_we_hold_is_too_low() {
        let gauge = Gauge::GatewaySseSurplus;
        let expected = UnprovenReason::CountTooLow { gauge, before: -2.0, from_ms: 0, after: -20.0, to_ms: 3_600_000 };
        assert_eq!(Some(expected), describe(gauge, |minute| -(2.0 * minute).min(20.0)));
        assert!(describe(Gauge::GatewayQueueDepth, |minute| -minute).is_some());
    }

    #[test]
    fn who_counts_fewer_from_the_beginning_counts_something_else_and_others_may_leave() {
        assert_eq!(None, describe(Gauge::GatewaySseSurplus, |_| -10.0), "half of the streams are another process's");
        assert_eq!(None, describe(Gauge::GatewaySseSurplus, |minute| (50.0 - minute).max(-3.0)), "others left");
        assert_eq!(None, describe(Gauge::GatewaySseSurplus, |minute| minute % 4.0 - 4.0));
        assert_eq!(None, describe(Gauge::GatewayFdSurplus, |minute| -minute));
    }

    #[test]
    fn a_few_minutes_say_nothing() {
        let segment: Segment = (0..12_u64).map(|minute| (minute, if minute < 3 { 0.0 } else { -30.0 })).collect();
        assert_eq!(None, undercounted(Gauge::GatewaySseSurplus, &segment, 5.0));
    }
}
