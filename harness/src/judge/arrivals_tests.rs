//! When arrivals contradict the gateway's histogram of stream writes, and when they prove nothing.

use super::{Judgement, Verdict};
use crate::{
    catalog::{Kpi, Phase, Suite},
    journal::{Gauge, GaugeSummary, Interval, Source, Timing},
    judge::fixtures::{
        sick::{is_steady, sick},
        soak::{Soak, run_id, timing},
    },
};

fn writes(soak: &Soak) -> Judgement {
    soak.judge().kpi(Kpi::SseWriteP99).unwrap().clone()
}

/// A soak in whose late minutes all events come so late, and so do the first lines of runs.
fn late(late_us: u64, is_late: impl Fn(&Interval) -> bool) -> Soak {
    Soak::healthy(Suite::Full).each(|interval| {
        if is_late(interval) {
            let (at_ms, run) = (interval.from_ms + 30_000, run_id(interval.from_ms / 60_000));
            interval.timings.insert(Timing::EventDelivery, timing(late_us, 120, at_ms, &run));
            interval.timings.insert(Timing::StartToLog, timing(late_us + 150_000, 3, at_ms, &run));
        }
    })
}

fn always(_: &Interval) -> bool {
    true
}

fn ready(soak: Soak, round_trip_us: u64) -> Soak {
    soak.each(|interval| {
        let at_ms = interval.from_ms;
        interval.timings.insert(Timing::ReadyRoundTrip, timing(round_trip_us, 60, at_ms, "GET /ready"));
    })
}

/// A soak in whose second hour the gateway's clock is known to lie within other bounds.
fn clock(soak: Soak, min: f64, max: f64) -> Soak {
    soak.each(|interval| {
        if interval.from_ms >= 3_600_000 {
            interval.gauges.insert(Gauge::ClockBounds, GaugeSummary { min, max, last: max, count: 12 });
        }
    })
}

/// That it is green, with these words in its last note.
fn is_green(soak: &Soak, words: &str) {
    let judgement = writes(soak);
    assert_eq!((Verdict::Pass, Some(50.0)), (judgement.verdict, judgement.value), "{judgement:#?}");
    assert!(judgement.evidence.notes.last().unwrap().contains(words), "{judgement:#?}");
}

fn is_red(soak: &Soak) {
    assert_eq!(Verdict::Fail, writes(soak).verdict, "{:#?}", writes(soak));
}

#[test]
fn what_arrivals_say_is_told_of_a_healthy_gateway_too() {
    let told = "events arrived within 5 ms of their time at p99 (steady, clock offset taken out); /ready round trips take 3 ms at p99";
    is_green(&Soak::healthy(Suite::Full), told);
    let unhealthy = writes(&sick(Kpi::SseWriteP99));
    assert!(unhealthy.evidence.notes.iter().any(|note| note.starts_with("events arrived within ")), "{unhealthy:#?}");
    assert_eq!((None, Some(500.0)), (unhealthy.reason, unhealthy.value), "the histogram says enough");
    let late_too = late(2_412_000, always).each(|interval| {
        let counts = &mut interval.sources.get_mut(&Source::SseWrite).unwrap().counts;
        (counts[4], counts[0]) = (counts[0], 0);
    });
    assert_eq!((None, Some(500.0)), (writes(&late_too).reason, writes(&late_too).value), "nothing contradicts it");
    let unmeasured = Soak::healthy(Suite::Full).each(|interval| {
        interval.timings.remove(&Timing::EventDelivery);
        interval.sources.clear();
    });
    assert!(writes(&unmeasured).evidence.notes[0].starts_with("no steady event says how long it was on its way"));
}

#[test]
fn a_histogram_that_arrivals_contradict_is_not_believed() {
    let judgement = writes(&late(412_000, |interval| interval.from_ms >= 50 * 60_000));
    assert_eq!((Verdict::Fail, Some(412.0)), (judgement.verdict, judgement.value.map(f64::round)), "{judgement:#?}");
    let reason = judgement.reason.unwrap();
    assert!(reason.contains("puts it at 50 ms at most, and events arrive 412 ms after their time"), "{reason}");
    assert!(reason.contains("where /ready takes 3 ms there and back: is there a proxy between us"), "{reason}");
    let first = judgement.evidence.first.unwrap();
    assert_eq!((50 * 60_000 + 30_000, format!("run {}", run_id(50))), (first.at_ms, first.subject));
    assert_eq!(Some(412.0), judgement.evidence.worst[0].value);
    assert_eq!("steady events", judgement.evidence.sample_name);
    assert!(judgement.evidence.over > 5_000 && judgement.evidence.over < judgement.samples);
}

#[test]
fn a_gateway_that_is_far_away_is_not_accused() {
    let far = |round_trip_us| ready(late(412_000, always), round_trip_us);
    is_green(
        &far(350_000),
        "late arrivals are no proof: one in ten is later than 412 ms, of which the network and we may",
    );
    is_green(&far(220_000), "late arrivals are no proof: one in ten");
    is_red(&far(100_000));
    let unknown = late(412_000, always).each(|interval| drop(interval.timings.remove(&Timing::ReadyRoundTrip)));
    is_green(&unknown, "no /ready round trip");
}

#[test]
fn round_trips_in_windows_say_nothing_of_the_distance() {
    let soak = late(412_000, always).each(|interval| {
        if !is_steady(interval) {
            interval.timings.insert(Timing::ReadyRoundTrip, timing(900_000, 60, interval.from_ms, "GET /ready"));
        }
    });
    is_red(&soak);
}

#[test]
fn a_clock_that_moves_or_is_not_known_lets_nothing_be_concluded() {
    let very_late = || late(9_000_000, always);
    is_red(&very_late());
    is_green(
        &clock(very_late(), 640.0, 645.0),
        "nothing is concluded from arrivals: the gateway's clock moved, or is not",
    );
    is_green(&clock(very_late(), -400.0, 400.0), "nothing is concluded from arrivals");
    is_green(
        &very_late().each(|interval| interval.gauges.retain(|gauge, _| *gauge != Gauge::ClockBounds)),
        "nothing is concluded from arrivals: nothing says how well the gateway's clock is known",
    );
    let unread = very_late().each(|interval| {
        if interval.from_ms >= 90 * 60_000 {
            interval.gauges.remove(&Gauge::ClockOffset);
        }
    });
    is_green(&unread, "nothing is concluded from arrivals: the gateway's clock was read in ");
    // Said also where nothing is late: a clock that is ahead hides it.
    is_green(&clock(Soak::healthy(Suite::Full), 2_000.0, 2_005.0), "nothing is concluded from arrivals");
    // In a window it may be anything.
    let in_windows = very_late().each(|interval| {
        if !is_steady(interval) {
            interval.gauges.insert(Gauge::ClockBounds, GaugeSummary::of(-2_000.0));
        }
    });
    is_red(&in_windows);
}

#[test]
fn what_a_clock_may_be_off_is_taken_from_what_is_late() {
    is_green(&clock(late(412_000, always), 300.0, 304.0), "and the clock 302 ms");
    is_red(&clock(late(412_000, always), 100.0, 104.0));
}

#[test]
fn an_hour_between_clocks_is_nothing() {
    let soak = clock(Soak::healthy(Suite::Full), 0.0, 0.0);
    let elsewhere = |soak: Soak| {
        soak.each(|interval| {
            interval.gauges.insert(Gauge::ClockOffset, GaugeSummary::of(-3_600_000.0));
            let bounds = GaugeSummary { min: -3_600_002.0, max: -3_599_998.0, last: -3_599_998.0, count: 12 };
            interval.gauges.insert(Gauge::ClockBounds, bounds);
        })
    };
    is_green(&elsewhere(soak), "events arrived within 5 ms");
    is_red(&elsewhere(late(412_000, always)));
}

#[test]
fn events_that_another_clock_stamps_prove_nothing() {
    let stamped_elsewhere = late(412_000, always).each(|interval| {
        let first_lines = timing(200_000, 3, interval.from_ms, "");
        interval.timings.insert(Timing::StartToLog, first_lines);
    });
    is_green(&stamped_elsewhere, "events are not stamped by the clock of /health");
    let unknown = late(412_000, always).each(|interval| drop(interval.timings.remove(&Timing::StartToLog)));
    is_green(&unknown, "no run says that its events came after its start");
}

#[test]
fn few_events_prove_nothing() {
    let few = late(412_000, always).each(|interval| {
        if interval.from_ms >= 100 * 60_000 {
            interval.timings.remove(&Timing::EventDelivery);
        }
    });
    is_green(&few, "late arrivals are no proof: 12000 of 14400 events say how long they took");
}

#[test]
fn what_is_late_in_windows_counts_for_nothing() {
    let in_windows = |soak: Soak| {
        soak.each(|interval| {
            if !is_steady(interval) {
                interval.timings.insert(Timing::EventDelivery, timing(9_000_000, 120, interval.from_ms, "stream 4"));
            }
        })
    };
    is_green(&in_windows(Soak::healthy(Suite::Full)), "events arrived within 5 ms");
    // 8 %, and with those in windows 16 %.
    is_green(&in_windows(late_of_120(10)), "late arrivals are no proof: one in ten is later than 5 ms");
    let judgement = writes(&in_windows(late(412_000, always)));
    assert_eq!((Verdict::Fail, Some(412.0)), (judgement.verdict, judgement.value.map(f64::round)));
    assert!(judgement.evidence.worst.iter().all(|worst| worst.value == Some(412.0)), "{judgement:#?}");
}

/// A soak in which of 120 events so many come late.
fn late_of_120(late: u64) -> Soak {
    Soak::healthy(Suite::Full).each(|interval| {
        let mut record = timing(9_000_000, late, interval.from_ms, &run_id(0));
        (late..120).for_each(|_| record.histogram.record(5_000));
        interval.timings.insert(Timing::EventDelivery, record);
    })
}

#[test]
fn one_event_in_ten_has_to_be_late_and_each_counts_once_however_many_streams_it_is_on() {
    is_green(&late_of_120(6), "late arrivals are no proof: one in ten is later than 5 ms");
    // 10.8 %. Of 13,080 arrivals that would be certain; they are 654 events, on twenty streams each.
    is_green(&late_of_120(13), "late arrivals are no proof: one in ten is later than 5 ms");
    is_red(&late_of_120(16));
    let mut alone = late_of_120(13);
    alone.plan.unsupported.workspace_stream = true;
    is_red(&alone);
    let by_phase = writes(&alone).evidence.by_phase;
    assert!(by_phase.iter().any(|of| of.phase == Phase::Steady && of.value > 8_000.0), "{by_phase:#?}");
}

/// A soak in which, in every so many minutes, all streams stand still for most of a second.
fn standing_still(every_minutes: u64, kinds: &[Timing]) -> Soak {
    Soak::healthy(Suite::Full).each(|interval| {
        let minute = interval.from_ms / 60_000;
        if minute.is_multiple_of(every_minutes) {
            for kind in kinds {
                interval.timings.insert(*kind, timing(800_000, 3, interval.from_ms, &run_id(minute)));
            }
        }
    })
}

const BOTH: [Timing; 2] = [Timing::LineFirstShown, Timing::EndFirstShown];

#[test]
fn streams_that_all_stand_still_now_and_then_contradict_the_histogram() {
    let judgement = writes(&standing_still(10, &BOTH));
    assert_eq!(Verdict::Fail, judgement.verdict, "{judgement:#?}");
    let reason = judgement.reason.unwrap();
    assert!(
        reason.contains("one log line and one end of a run in a hundred on every stream later than 800 ms"),
        "{reason}"
    );
    is_green(&standing_still(10, &[]), "events arrived within 5 ms");
    // One minute in sixty: too few to be certain of one in a hundred.
    is_green(&standing_still(60, &BOTH), "events arrived within 5 ms");
}

#[test]
fn one_kind_of_event_that_is_late_may_be_timed_before_it_is_written() {
    for kind in BOTH {
        is_green(&standing_still(2, &[kind]), "events arrived within 5 ms");
    }
}

#[test]
fn streams_that_stand_still_with_everything_else_prove_nothing() {
    is_green(&ready(standing_still(10, &BOTH), 700_000), "events arrived within 5 ms");
    is_green(&clock(standing_still(10, &BOTH), 600.0, 602.0), "nothing is concluded from arrivals");
    is_red(&ready(standing_still(10, &BOTH), 100_000));
}

#[test]
fn streams_on_which_most_is_late_do_not_stand_still_now_and_then() {
    is_green(&standing_still(1, &BOTH), "events arrived within 5 ms");
}
