//! Counts that are too low: entries that are removed too often hide entries that are never removed.

use crate::{
    history::MINUTE_MS,
    journal::Gauge,
    judge::stats::{
        Segment,
        change_point::{FIRST_FLOORS, LAST_FLOORS},
        trend::median,
    },
    plan::moment,
};

/// Why a gauge of the gateway cannot be believed: it fell below its possible minimum by more than it may grow.
///
/// A gateway may count fewer streams than we hold: those of one kind only, or of one process of several. But then it
/// does from the beginning, and the count does not fall. Streams of others that close meanwhile leave ours.
pub(crate) fn undercounted(gauge: Gauge, segment: &Segment, limit: f64) -> Option<String> {
    let what = match gauge {
        Gauge::GatewaySseSurplus => "streams, less those that we hold,",
        Gauge::GatewayQueueDepth => "waiting runs",
        _ => return None,
    };
    let last = segment.len().checked_sub(LAST_FLOORS).filter(|at| *at >= FIRST_FLOORS)?;
    let (before, after) = (middle(&segment[..FIRST_FLOORS])?, middle(&segment[last..])?);
    (after < -limit && before - after > limit).then(|| {
        let (from, to) = (moment(segment[0].0 * MINUTE_MS), moment(segment[last].0 * MINUTE_MS));
        format!(
            "the gateway's count of {what} was {before:.0} at {from}, and is {after:.0} from {to} on: what it takes off too \
             often hides what it never takes off"
        )
    })
}

fn middle(floors: &[(u64, f64)]) -> Option<f64> {
    median(floors.iter().map(|floor| floor.1).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn describe(gauge: Gauge, of: impl Fn(f64) -> f64) -> Option<String> {
        let segment: Segment = (0..70_u64).map(|minute| (minute, of(minute as f64))).collect();
        undercounted(gauge, &segment, 5.0)
    }

    #[test]
    fn a_count_that_falls_below_what_we_hold_is_too_low() {
        let said = describe(Gauge::GatewaySseSurplus, |minute| -(2.0 * minute).min(20.0)).unwrap();
        let expected = "the gateway's count of streams, less those that we hold, was -2 at T+00:00, and is -20 from T+60:00 on: \
                        what it takes off too often hides what it never takes off";
        assert_eq!(expected, said);
        assert!(describe(Gauge::GatewayQueueDepth, |minute| -minute).unwrap().contains("waiting runs"));
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
