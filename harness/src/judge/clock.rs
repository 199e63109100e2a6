//! How far the gateway's clock moved against ours.

use super::{Offender, cause, conclude::Findings, floors::Segment, kpi::Case};
use crate::plan::{Phase, millis};

const MINUTE_MS: u64 = 60_000;
/// A clock that is kept in step by little moves by less.
const SET_MS_MIN: f64 = 100.0;

/// `clock_drift`: the greatest less the least of the offset's medians by scenario minute, steady, after warm-up.
///
/// Not by lives: a clock belongs to a machine, and one that jumps at a restart has moved. The median of a minute keeps
/// out a sample that met a slow answer; an offset that stays is in every minute from then on.
///
/// Where our own clock was set meanwhile, that is not the gateway's doing, whether it shares that clock or has its own.
/// So the offset is also taken against our clock as it would be if nobody had set it, and of the two the lesser counts.
pub(super) fn drift(case: Case<'_>) -> Findings {
    let mut found = case.open("steady minutes");
    let warm_up_ms = millis(case.plan.scenario.warm_up);
    let warm = |minutes: &mut Segment| minutes.retain(|(minute, _)| minute * MINUTE_MS >= warm_up_ms);
    let (mut offsets, mut unset) = (case.digest.clock.by_minute(), case.digest.unset_clock.by_minute());
    warm(&mut offsets);
    warm(&mut unset);
    if !unset.is_empty() && (spread(&unset) - spread(&offsets)).abs() > SET_MS_MIN {
        found.evidence.notes.push("our own clock was set meanwhile; what counts is the lesser drift".to_owned());
        if spread(&unset) < spread(&offsets) {
            offsets = unset;
        }
    }
    found.samples = offsets.len() as u64;
    found.lack = cause::of_source("GET /health", case.digest).or_else(|| {
        let never = "the gateway's clock was never read out of chaos windows".to_owned();
        offsets.is_empty().then_some(never)
    });

    let by_offset = |a: &&(u64, f64), b: &&(u64, f64)| a.1.total_cmp(&b.1);
    let (Some(least), Some(greatest)) = (offsets.iter().min_by(by_offset), offsets.iter().max_by(by_offset)) else {
        return found;
    };
    found.value = Some(greatest.1 - least.1);
    found.evidence.notes.push(format!("offset from {:.0} ms to {:.0} ms", least.1, greatest.1));
    if !found.target.is_met_by(greatest.1 - least.1) {
        let moved = moved_by(&offsets, case.limit());
        found.evidence.over = moved.len() as u64;
        found.evidence.first = moved.first().cloned();
        let worst = moved.into_iter().max_by(|a, b| a.value.unwrap_or(0.0).total_cmp(&b.value.unwrap_or(0.0)));
        found.evidence.worst.extend(worst);
    }
    found
}

/// The greatest less the least; 0 of nothing.
fn spread(minutes: &Segment) -> f64 {
    let values = || minutes.iter().map(|(_, value)| *value);
    let spread = values().fold(f64::NEG_INFINITY, f64::max) - values().fold(f64::INFINITY, f64::min);
    if spread.is_finite() { spread } else { 0.0 }
}

/// The minutes at which the clock was over the limit away from where it once had been.
fn moved_by(offsets: &[(u64, f64)], limit_ms: f64) -> Vec<Offender> {
    let (mut least, mut greatest) = (f64::INFINITY, f64::NEG_INFINITY);
    let moved = |(minute, offset): &(u64, f64)| {
        least = least.min(*offset);
        greatest = greatest.max(*offset);
        let moved_ms = (offset - least).max(greatest - offset);
        (moved_ms > limit_ms).then(|| Offender {
            at_ms: minute * MINUTE_MS,
            phase: Phase::Steady,
            subject: "the gateway's clock".to_owned(),
            value: Some(moved_ms),
            answer: Some(format!("{offset:.0} ms from ours")),
        })
    };
    offsets.iter().filter_map(moved).collect()
}

#[cfg(test)]
mod tests {
    use crate::{
        journal::{Gauge, GaugeSummary},
        judge::{Verdict, soak::Soak},
        plan::{Kpi, Suite},
    };

    /// A soak in which the gateway's clock is so far from ours in the second hour, and so far from ours as if nobody had
    /// set it.
    fn second_hour(offset_ms: f64, unset_ms: f64) -> Verdict {
        let soak = Soak::healthy(Suite::Full).each(|interval| {
            let is_late = interval.from_ms >= 3_600_000;
            let of = |ms: f64| GaugeSummary::of(if is_late { ms } else { 0.0 });
            interval.gauges.insert(Gauge::ClockOffset, of(offset_ms));
            interval.gauges.insert(Gauge::UnsetClockOffset, of(unset_ms));
        });
        soak.judge().kpi(Kpi::ClockDrift).unwrap().verdict
    }

    #[test]
    fn a_clock_of_ours_that_is_set_is_no_drift_of_the_gateways_whether_it_shares_it_or_not() {
        assert_eq!(Verdict::Pass, second_hour(3_600_000.0, 0.0), "the gateway is elsewhere");
        assert_eq!(Verdict::Pass, second_hour(0.0, -3_600_000.0), "the gateway is on the same machine");
        assert_eq!(Verdict::Fail, second_hour(2_000.0, 2_000.0), "nobody set ours");
        assert_eq!(Verdict::Fail, second_hour(3_602_000.0, 2_000.0), "both moved");
    }
}
