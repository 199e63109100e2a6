//! The drift of the gateway's clock against ours.

use crate::{
    catalog::Phase,
    history::{History, MINUTE_MS, Violation},
    journal::Gauge,
    judge::{
        Note, UnprovenReason,
        kpi::{case::Case, missing_samples},
        stats::{Segment, greatest_of, least_of},
        verdict::assessment::Assessment,
    },
    plan::millis,
};

/// Our own clock was set where it moved by more; a clock that is kept in step moves by less.
const SET_MS_MIN: f64 = 100.0;
/// Least number of minutes with two offsets that proves several clocks. One clock that jumps has one such minute.
const MINUTES_APART_MIN: usize = 3;

/// A clock with smaller steps counts as one without.
const STEP_MS_MIN: f64 = 10.0;

/// `clock_drift`: the greatest less the least of the offset's medians by scenario minute, steady, after warm-up.
///
/// Not by lives: a clock belongs to a machine, and one that jumps at a restart has moved. The median of a minute
/// excludes a sample that met a slow answer; an offset that stays is in every minute from then on.
///
/// Where several processes answer in turn, each on its own machine, readings of one minute differ by as much as their
/// clocks, and no median shows it. So the distance of readings in the third worst minute counts where that is more.
///
/// Where our own clock was set meanwhile, that is no drift of the gateway, whether it shares that clock or not. So the
/// offset is also taken against our clock as if it had not been set, and the lesser counts.
///
/// A clock with steps, such as RFC 3339 without fractions, is read up to a step away from the true time: only the
/// excess over a step counts.
pub(crate) fn drift(case: Case<'_>) -> Assessment {
    let mut found = case.open("steady minutes");
    let warm_up_ms = millis(case.plan.scenario.warm_up);
    let series = &case.history.series;
    let [mut offsets, unset, mut apart, unset_apart] = [
        series.clock.by_minute(),
        series.unset_clock.by_minute(),
        series.clock.apart_by_minute(),
        series.unset_clock.apart_by_minute(),
    ]
    .map(|minutes| -> Segment { minutes.into_iter().filter(|(minute, _)| minute * MINUTE_MS >= warm_up_ms).collect() });
    let spread = |minutes: &Segment| (greatest_of(minutes) - least_of(minutes)).max(0.0);
    if !unset.is_empty() && (spread(&unset) - spread(&offsets)).abs() > SET_MS_MIN {
        found.note(Note::OwnClockSet);
        if spread(&unset) < spread(&offsets) {
            (offsets, apart) = (unset, unset_apart);
        }
    }
    found.samples = offsets.len() as u64;
    if let Some(failure) = missing_samples::of_source("GET /health", case.history) {
        found.lack.push(Note::SourceFailed(failure));
    } else if offsets.is_empty() {
        found.lack.push(UnprovenReason::ClockUnread.into());
    }
    if offsets.is_empty() {
        return found;
    }

    let (least_ms, greatest_ms) = (least_of(&offsets), greatest_of(&offsets));
    let step_ms = step_ms(case.history);
    let moved_ms = (greatest_ms - least_ms - step_ms).max(0.0);
    found.value = Some(moved_ms);
    found.note(Note::ClockOffsets { least_ms, greatest_ms });
    if step_ms > 0.0 {
        found.note(Note::ClockInSteps { step_ms });
        apart.iter_mut().for_each(|(_, ms)| *ms -= step_ms);
    }
    if !several_clocks(&mut found, &apart) && found.is_missed() {
        over(&mut found, moved_by(&offsets, case.limit() + step_ms));
    }
    found
}

/// The steps of the gateway's clock, milliseconds; 0 without. The first reading may show a larger step.
fn step_ms(history: &History) -> f64 {
    let step_ms = history.totals.gauge(Gauge::ClockStep).map_or(0.0, |total| total.min);
    if step_ms < STEP_MS_MIN { 0.0 } else { step_ms }
}

/// Whether readings of the same minutes are too far apart, and further than the minutes are from each other.
fn several_clocks(found: &mut Assessment, apart: &Segment) -> bool {
    let mut worst: Vec<f64> = apart.iter().map(|(_, ms)| *ms).collect();
    worst.sort_by(|a, b| b.total_cmp(a));
    let Some(third_ms) = worst.get(MINUTES_APART_MIN - 1).copied() else { return false };
    if found.target.is_met_by(third_ms) || found.value.is_some_and(|moved_ms| moved_ms >= third_ms) {
        return false;
    }
    let is_over = |(_, ms): &&(u64, f64)| !found.target.is_met_by(*ms);
    let violation = |(minute, ms): &(u64, f64)| violation(*minute, *ms, "from one reading to the next".to_owned());
    let violations: Vec<Violation> = apart.iter().filter(is_over).map(violation).collect();
    found.note(Note::ClockReadingsApart { minutes: violations.len() });
    over(found, violations);
    found.value = Some(third_ms);
    true
}

/// Takes over the minutes over the limit, in order of time.
fn over(found: &mut Assessment, violations: Vec<Violation>) {
    found.evidence.over = violations.len() as u64;
    found.evidence.first = violations.first().cloned();
    found.evidence.worst.extend(violations.into_iter().max_by(Violation::by_value));
}

fn violation(minute: u64, moved_ms: f64, answer: String) -> Violation {
    let at = Violation::at(minute * MINUTE_MS, Phase::Steady, "the gateway's clock");
    Violation { value: Some(moved_ms), answer: Some(answer), ..at }
}

/// The minutes at which the clock was over the limit away from an earlier offset.
fn moved_by(offsets: &[(u64, f64)], limit_ms: f64) -> Vec<Violation> {
    let (mut least, mut greatest) = (f64::INFINITY, f64::NEG_INFINITY);
    let moved = |(minute, offset): &(u64, f64)| {
        least = least.min(*offset);
        greatest = greatest.max(*offset);
        let moved_ms = (offset - least).max(greatest - offset);
        (moved_ms > limit_ms).then(|| violation(*minute, moved_ms, format!("{offset:.0} ms from ours")))
    };
    offsets.iter().filter_map(moved).collect()
}

#[cfg(test)]
mod tests {
    use crate::{
        catalog::{Kpi, Suite},
        journal::{Gauge, GaugeSummary, Interval},
        judge::{Judgement, Note, Verdict, fixtures::soak::Soak},
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

    /// A soak in which six readings of these minutes are by two clocks in turn, an hour apart.
    fn two_clocks_in(minutes: std::ops::Range<usize>) -> Judgement {
        let mut soak = Soak::healthy(Suite::Full);
        for minute in minutes {
            let interval = soak.minute(minute).clone();
            let readings = (1..6).map(|reading| {
                let from_ms = interval.from_ms + reading * 10_000;
                let offset_ms = if reading % 2 == 0 { 3.0 } else { 3_600_000.0 };
                let gauges = [(Gauge::ClockOffset, GaugeSummary::of(offset_ms))].into();
                Interval { gauges, ..Interval::empty(from_ms, from_ms + 10_000, interval.phase) }
            });
            soak.intervals.extend(readings.collect::<Vec<_>>());
        }
        soak.judge().kpi(Kpi::ClockDrift).unwrap().clone()
    }

    /// A soak in which a clock that is told in steps seems so far from ours in the second hour.
    fn in_steps_of(step_ms: f64, seems_ms: f64) -> Judgement {
        let soak = Soak::healthy(Suite::Full).each(|interval| {
            let is_late = interval.from_ms >= 3_600_000;
            for gauge in [Gauge::ClockOffset, Gauge::UnsetClockOffset] {
                interval.gauges.insert(gauge, GaugeSummary::of(if is_late { seems_ms } else { 0.0 }));
            }
            // By chance the first time was a whole one.
            let first_ms = if interval.from_ms == 0 { 1_000.0 } else { step_ms };
            interval.gauges.insert(Gauge::ClockStep, GaugeSummary::of(first_ms));
        });
        soak.judge().kpi(Kpi::ClockDrift).unwrap().clone()
    }

    #[test]
    fn a_clock_that_is_told_in_steps_moves_where_it_moves_by_more_than_a_step() {
        let in_seconds = in_steps_of(1_000.0, 999.0);
        assert_eq!((Verdict::Pass, Some(0.0)), (in_seconds.verdict, in_seconds.value));
        assert!(in_seconds.evidence.notes.contains(&Note::ClockInSteps { step_ms: 1_000.0 }), "{in_seconds:#?}");
        let moved = in_steps_of(1_000.0, 1_600.0);
        assert_eq!((Verdict::Fail, Some(600.0)), (moved.verdict, moved.value));
        assert_eq!(Some(3_600_000), moved.evidence.first.map(|first| first.at_ms));
        assert_eq!((Verdict::Fail, Some(999.0)), (in_steps_of(1.0, 999.0).verdict, in_steps_of(1.0, 999.0).value));
    }

    #[test]
    fn readings_of_one_minute_that_are_a_step_apart_are_of_one_clock() {
        let apart = |step_ms: f64| {
            let mut soak = Soak::healthy(Suite::Full);
            for minute in 20..40 {
                let interval = soak.minute(minute).clone();
                let readings = (1..6).map(|reading| {
                    let from_ms = interval.from_ms + reading * 10_000;
                    let offset = GaugeSummary::of(if reading % 2 == 0 { 450.0 } else { -450.0 });
                    let gauges = [(Gauge::ClockOffset, offset), (Gauge::ClockStep, GaugeSummary::of(step_ms))].into();
                    Interval { gauges, ..Interval::empty(from_ms, from_ms + 10_000, interval.phase) }
                });
                soak.intervals.extend(readings.collect::<Vec<_>>());
            }
            soak.judge().kpi(Kpi::ClockDrift).unwrap().verdict
        };
        assert_eq!([Verdict::Pass, Verdict::Fail], [apart(1_000.0), apart(1.0)]);
    }

    #[test]
    fn two_clocks_that_answer_in_turn_are_no_clock_whatever_the_medians_say() {
        let judgement = two_clocks_in(20..40);
        assert_eq!(Verdict::Fail, judgement.verdict, "{judgement:#?}");
        assert!(judgement.value.unwrap() > 3_590_000.0);
        assert_eq!(Some(20 * 60_000), judgement.evidence.first.map(|first| first.at_ms));
        assert!(judgement.evidence.notes.contains(&Note::ClockReadingsApart { minutes: 20 }));
        assert_eq!(Verdict::Fail, two_clocks_in(20..23).verdict);
        assert_eq!(Verdict::Pass, two_clocks_in(20..22).verdict, "a clock may be set, and set back");
        assert_eq!(Verdict::Pass, two_clocks_in(2..9).verdict, "nor is a warm-up judged");
    }
}
