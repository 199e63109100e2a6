//! The evidence of arrivals on stream writes: noted beside the gateway's histogram, and used instead of it where
//! arrivals certainly contradict it. A histogram counts the work of the gateway; a user waits for the event.

use crate::{
    catalog::Kpi,
    history::Scope,
    journal::{Gauge, Source, Timing},
    judge::{
        ClockDoubt, LateDoubt, Note, UntimedCause,
        kpi::{
            case::Case,
            lateness::Lateness,
            missing_samples,
            quantiles::{by_timing, ms},
        },
        stats::confidence,
        verdict::assessment::{Assessment, is_too_few},
    },
};

/// One event in ten is later than this quantile.
pub(in crate::judge) const CERTAIN: f64 = 0.90;
/// And one log line in a hundred, and one end of a run, than this one.
const STALLED: f64 = 0.99;
/// All but the quickest tenth of events took longer than this quantile.
const QUICK: f64 = 0.10;
/// In so many of a hundred steady minutes the gateway's clock has to be read.
const CLOCK_PERCENT_MIN: u64 = 90;

/// A clock that is told in such steps, or in larger ones, times no event.
const COARSE_STEP_MS: f64 = 100.0;

/// Why arrivals prove nothing.
enum Doubt {
    /// Of how late they are nothing is known.
    Clock(ClockDoubt),
    /// As late as they are, they are not late beyond doubt.
    Late(LateDoubt),
}

/// The proof that events are late, milliseconds.
struct Proof {
    /// So many events are later, with 97.5 % confidence.
    late_ms: f64,
    /// Which: in words.
    which: &'static str,
    /// The part that the network and the harness may explain.
    ready_ms: f64,
}

/// Notes what arrivals say, whatever the verdict.
pub(in crate::judge) fn note(found: &mut Assessment, case: Case<'_>) {
    let p99_ms = |timing| case.history.totals.quantiles(timing, Scope::Steady).map(|of| of.p99_ms);
    let ready_p99_ms = p99_ms(Timing::ReadyRoundTrip);
    found.evidence.notes.push(match p99_ms(Timing::EventDelivery) {
        Some(p99_ms) => Note::EventsArrived { p99_ms, ready_p99_ms },
        None => {
            let failed = missing_samples::of_source("GET /health", case.history).map(UntimedCause::Source);
            let coarse = case.history.totals.gauge(Gauge::ClockStep).filter(|total| total.min >= COARSE_STEP_MS);
            let coarse = coarse.map(|total| UntimedCause::CoarseClock { step_ms: total.min });
            Note::EventsUntimed { cause: failed.or(coarse), ready_p99_ms }
        }
    });
}

/// Holds a histogram that meets the target against steady arrivals. Where these contradict it beyond doubt, the KPI is
/// missed, and its value is theirs. Where they are late and do not prove it, a note says why not.
///
/// The 99th percentile of arrivals is certain of nothing. A lost packet, or a busy machine of ours, holds up one event in a
/// hundred of a healthy gateway for longer than the target, all that come behind it, and the same event on every stream; and
/// it may spare ninety-nine of a hundred probes. So what has to be late is one event in ten, by the lower end of its 95 %
/// range, an event counted once and not for each stream that it is on, and by more than all of
///
/// - the target,
/// - the 99th percentile of `/ready` round trips, over the same network and through the same process of ours: what holds up
///   a tenth of events holds up more than a hundredth of probes, unless it is the streams' own,
/// - all that the gateway's clock may have been away from where events were timed by it: from the least to the most that
///   it was ahead of ours by any reading that was gone by, give or take half its round trip.
///
/// A proxy that buffers holds up most events. Streams that stand still now and then hold up fewer than one in ten. They are
/// found by what a lost packet or a busy machine of ours does not do: the event is late on **every** stream, also on the one
/// that shows it first. Of one log line in a hundred, and of one end of a run in a hundred, the first showing has to be late,
/// by the lower end of the 95 % range of each, and by more than the target, the 99th percentile of `/ready` round trips and
/// the clock together. Both kinds have to be late, because a gateway may well time some log lines before it writes them (a
/// step by its beginning), or ends (the run's, told when all is tidied up); and most of both have to be quick. A gateway
/// without ends, or with single late events on single streams, is told of by the note alone.
///
/// How far a busy machine is from a false alarm: on two cores at load averages of 18 to 30 (other builds beside it), seven
/// soaks of the mock gateway at pace 120, none with this defect, had 99th percentiles of the first showing of log lines of 84
/// to 433 ms and of ends of 58 to 471 ms, and of `/ready` of 178 to 543 ms. Log lines exceeded `/ready` by 20 ms at most,
/// ends never, and the rule asks for more than 200 ms and the clock, of both: it accuses none of the seven. What keeps this
/// process, or the gateway's, from running keeps `/ready` waiting as long. The exception is the work of the stream threads
/// alone. Its lateness is measured: where it explains the late arrivals, the KPI is unproven ([`excuse`]).
/// (Seven soaks bound the rate of false alarms by their margin only; a rate under 1 % by count would take some three
/// hundred.)
///
/// The clock of `/health` need not be the one that events are stamped by. Where all but a tenth of events seem to take longer
/// than half of the runs did from their due start to their first line's arrival, it is not.
pub(in crate::judge) fn contradicted(found: &mut Assessment, case: Case<'_>, quantile: f64, source: Source) {
    let Some(arrived) = case.history.totals.quantiles(Timing::EventDelivery, Scope::Steady) else { return };
    if let Some(excused) = excuse(case) {
        (found.value, found.lack) = (None, vec![excused.into()]);
        return;
    }
    match proven(case, found.promised, 0.0) {
        Ok(Proof { late_ms, which, ready_ms }) => {
            let counted_ms = found.value.unwrap_or(0.0);
            by_timing(found, case, quantile, Timing::EventDelivery, Scope::Steady);
            "steady events".clone_into(&mut found.evidence.sample_name);
            let fault = format!(
                "{source} puts it at {counted_ms} ms at most, and events arrive {} after their time, {which} later than {}, \
                 where /ready takes {} there and back: is there a proxy between us that buffers streams, or do events wait \
                 before the histogram counts them?",
                whole(arrived.p99_ms),
                whole(late_ms),
                whole(ready_ms)
            );
            found.fault = Some(fault.into());
        }
        // A clock that moves may as well hide what is late.
        Err(Doubt::Clock(doubt)) => found.evidence.notes.push(Note::ArrivalsUnclear(doubt)),
        Err(Doubt::Late(doubt)) if !found.target.is_met_by(arrived.p99_ms) => {
            found.evidence.notes.push(Note::LateArrivalsNoProof(doubt));
        }
        Err(Doubt::Late(_)) => {}
    }
}

/// How far the clock that events were timed by may have been off, milliseconds.
fn clock_slack_ms(case: Case<'_>) -> Result<f64, Doubt> {
    let history = case.history;
    let Some(bounds) = history.series.clock_bounds() else {
        return Err(Doubt::Clock(ClockDoubt::Unknown));
    };
    // Whoever reads the clock looks at us, too. Without readings events are timed by the last there was.
    let minutes =
        history.series.floors(Gauge::HarnessRss).map_or(0, |floors| floors.segments().iter().map(Vec::len).sum());
    let read = history.series.clock.by_minute().len() as u64;
    if read * 100 < minutes as u64 * CLOCK_PERCENT_MIN {
        return Err(Doubt::Clock(ClockDoubt::SeldomRead { read, minutes }));
    }
    let slack_ms = bounds.max - bounds.min;
    if !case.targets.target(Kpi::ClockDrift).is_met_by(slack_ms) {
        return Err(Doubt::Clock(ClockDoubt::Moves { slack_ms }));
    }
    Ok(slack_ms)
}

/// Whether arrivals prove that the KPI is missed, if events were read so late.
fn proven(case: Case<'_>, promised: u64, reading_ms: f64) -> Result<Proof, Doubt> {
    let slack_ms = clock_slack_ms(case)?;
    let stalled = |doubt| stalled(case, slack_ms + reading_ms).ok_or(doubt);
    proof(case, promised, slack_ms, reading_ms).or_else(stalled)
}

/// Why arrivals that would prove that the KPI is missed may be late because S2 read them late; none where they prove nothing, or
/// prove it all the same.
pub(in crate::judge) fn excuse(case: Case<'_>) -> Option<String> {
    let promised = case.plan.expected_samples(case.kpi, &case.history.timeline.windows_ms);
    let reading_ms = Lateness::of(case.history, case.targets, Scope::Steady).reading_ms();
    let is_excused = proven(case, promised, 0.0).is_ok() && proven(case, promised, reading_ms).is_err();
    is_excused.then(|| read_late(reading_ms))
}

/// The excuse in words.
pub(in crate::judge) fn read_late(reading_ms: f64) -> String {
    format!(
        "events arrive late, and the harness itself read them {} late at the p99: that may be the machine that plays the load, not \
         the gateway",
        whole(reading_ms)
    )
}

fn proof(case: Case<'_>, promised: u64, slack_ms: f64, reading_ms: f64) -> Result<Proof, Doubt> {
    let doubt = |why: LateDoubt| Err(Doubt::Late(why));
    let arrivals = case.history.totals.histogram(Timing::EventDelivery, Scope::Steady);
    let all = case.history.totals.histogram(Timing::EventDelivery, Scope::All).len();
    // What one event did on all streams is one sample.
    let streams =
        if case.plan.unsupported.workspace_stream { 1 } else { u64::from(case.plan.scenario.streams.count).max(1) };
    let ranks = confidence::ranks(CERTAIN, arrivals.len() / streams).filter(|ranks| ranks.low > 0);
    let Some(ranks) = ranks.filter(|_| !is_too_few(all, promised)) else {
        return doubt(LateDoubt::FewEvents { timed: all, promised });
    };
    let late_us = confidence::at_rank(&arrivals.recorded(), ranks.low.saturating_mul(streams)).unwrap_or(0);
    let quantiles = |timing| case.history.totals.quantiles(timing, Scope::Steady);
    let Some(ready) = quantiles(Timing::ReadyRoundTrip) else {
        return doubt(LateDoubt::NoRoundTrip);
    };
    let Some(start) = quantiles(Timing::StartToLog) else {
        return doubt(LateDoubt::NoStart);
    };
    let (late_ms, ready_ms, quick_ms) = (ms(late_us), ready.p99_ms, ms(arrivals.quantile_us(QUICK)));
    let which = "one in ten";
    if quick_ms - slack_ms > start.p50_ms {
        return doubt(LateDoubt::OtherClock { quick_ms, start_ms: start.p50_ms });
    }
    if case.targets.target(case.kpi).is_met_by(late_ms - ready_ms - slack_ms - reading_ms) {
        return doubt(LateDoubt::Explained { late_ms, ready_ms, slack_ms });
    }
    Ok(Proof { late_ms, which, ready_ms })
}

/// Whether all streams stand still now and then, for longer than the target.
fn stalled(case: Case<'_>, slack_ms: f64) -> Option<Proof> {
    let ready_ms = case.history.totals.quantiles(Timing::ReadyRoundTrip, Scope::Steady)?.p99_ms;
    let late_ms = |timing| {
        let shown = case.history.totals.histogram(timing, Scope::Steady);
        let ranks = confidence::ranks(STALLED, shown.len()).filter(|ranks| ranks.low > 0)?;
        // Where most are late, the clocks differ, or the times are not those of writing.
        let is_quick = ms(shown.quantile_us(QUICK)) - slack_ms <= ready_ms.max(case.limit() / 2.0);
        confidence::at_rank(&shown.recorded(), ranks.low).map(ms).filter(|_| is_quick)
    };
    let late_ms = late_ms(Timing::LineFirstShown)?.min(late_ms(Timing::EndFirstShown)?);
    let is_late = !case.targets.target(case.kpi).is_met_by(late_ms - ready_ms - slack_ms);
    let which = "one log line and one end of a run in a hundred on every stream";
    is_late.then_some(Proof { late_ms, which, ready_ms })
}

/// Whole milliseconds, one at least: nobody knows a way better than that.
pub(in crate::judge) fn whole(ms: f64) -> String {
    format!("{:.0} ms", ms.max(1.0))
}
