//! When arrivals contradict the gateway's histogram of stream writes, and when they prove nothing.

use super::{ClockDoubt, Fault, Judgement, LateDoubt, LateEvents, Note, UnprovenReason, Verdict};
use crate::{
    catalog::{HarnessCheck, Kpi, Phase, Suite},
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

/// That it is green, and that this is its last note.
fn is_green(soak: &Soak, is_told: impl Fn(&Note) -> bool) {
    let judgement = writes(soak);
    assert_eq!((Verdict::Pass, Some(50.0)), (judgement.verdict, judgement.value), "{judgement:#?}");
    assert!(judgement.evidence.notes.last().is_some_and(is_told), "{judgement:#?}");
}

/// Whether a note says that events arrive within 5 ms.
fn at_once(note: &Note) -> bool {
    matches!(note, Note::EventsArrived { p99_ms, .. } if (4.5..5.5).contains(p99_ms))
}

fn is_unclear(note: &Note) -> bool {
    matches!(note, Note::ArrivalsUnclear(_))
}

/// Whether a note says that one event in ten is so late, in whole milliseconds, and that this has an explanation.
fn explained(late: u32) -> impl Fn(&Note) -> bool {
    let is_late = move |late_ms: f64| (late_ms - f64::from(late)).abs() < 0.5;
    move |note| matches!(note, Note::LateArrivalsNoProof(LateDoubt::Explained { late_ms, .. }) if is_late(*late_ms))
}

fn is_red(soak: &Soak) {
    assert_eq!(Verdict::Fail, writes(soak).verdict, "{:#?}", writes(soak));
}

#[test]
fn what_arrivals_say_is_told_of_a_healthy_gateway_too() {
    is_green(&Soak::healthy(Suite::Full), |note| {
        at_once(note)
            && matches!(note, Note::EventsArrived { ready_p99_ms: Some(ready_ms), .. } if (2.5..3.5).contains(ready_ms))
    });
    let unhealthy = writes(&sick(Kpi::SseWriteP99));
    assert!(unhealthy.evidence.notes.iter().any(|note| matches!(note, Note::EventsArrived { .. })), "{unhealthy:#?}");
    assert_eq!((None, Some(500.0)), (unhealthy.reason_text(), unhealthy.value), "the histogram says enough");
    let late_too = late(2_412_000, always).each(|interval| {
        let counts = &mut interval.sources.get_mut(&Source::SseWrite).unwrap().counts;
        (counts[4], counts[0]) = (counts[0], 0);
    });
    assert_eq!(
        (None, Some(500.0)),
        (writes(&late_too).reason_text(), writes(&late_too).value),
        "nothing contradicts it"
    );
    let unmeasured = Soak::healthy(Suite::Full).each(|interval| {
        interval.timings.remove(&Timing::EventDelivery);
        interval.sources.clear();
    });
    assert!(matches!(writes(&unmeasured).evidence.notes[0], Note::EventsUntimed { .. }));
}

#[test]
fn a_histogram_that_arrivals_contradict_is_not_believed() {
    let judgement = writes(&late(412_000, |interval| interval.from_ms >= 50 * 60_000));
    assert_eq!((Verdict::Fail, Some(412.0)), (judgement.verdict, judgement.value.map(f64::round)), "{judgement:#?}");
    let [Note::Fault(Fault::EventsArriveLate { at_most_ms, p99_ms, ready_ms, .. })] = judgement.reason[..] else {
        panic!("{judgement:#?}")
    };
    assert_eq!((50.0, 412.0, 3.0), (at_most_ms, p99_ms.round(), ready_ms.round()));
    let first = judgement.evidence.first.unwrap();
    assert_eq!((50 * 60_000 + 30_000, format!("run {}", run_id(50))), (first.at_ms, first.subject));
    assert_eq!(Some(412.0), judgement.evidence.worst[0].value);
    assert_eq!("steady events", judgement.evidence.sample_name);
    assert!(judgement.evidence.over > 5_000 && judgement.evidence.over < judgement.samples);
}

#[test]
fn a_gateway_that_is_far_away_is_not_accused() {
    let far = |round_trip_us| ready(late(412_000, always), round_trip_us);
    is_green(&far(350_000), explained(412));
    is_green(&far(220_000), explained(412));
    is_red(&far(100_000));
    let unknown = late(412_000, always).each(|interval| drop(interval.timings.remove(&Timing::ReadyRoundTrip)));
    is_green(&unknown, |note| *note == Note::LateArrivalsNoProof(LateDoubt::NoRoundTrip));
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
    let moves = |note: &Note| matches!(note, Note::ArrivalsUnclear(ClockDoubt::Moves { .. }));
    is_green(&clock(very_late(), 640.0, 645.0), moves);
    is_green(&clock(very_late(), -400.0, 400.0), moves);
    is_green(&very_late().each(|interval| interval.gauges.retain(|gauge, _| *gauge != Gauge::ClockBounds)), |note| {
        *note == Note::ArrivalsUnclear(ClockDoubt::Unknown)
    });
    let unread = very_late().each(|interval| {
        if interval.from_ms >= 90 * 60_000 {
            interval.gauges.remove(&Gauge::ClockOffset);
        }
    });
    is_green(&unread, |note| matches!(note, Note::ArrivalsUnclear(ClockDoubt::SeldomRead { .. })));
    // Said also where nothing is late: a clock that is ahead hides it.
    is_green(&clock(Soak::healthy(Suite::Full), 2_000.0, 2_005.0), moves);
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
    is_green(&clock(late(412_000, always), 300.0, 304.0), |note| {
        let Note::LateArrivalsNoProof(LateDoubt::Explained { slack_ms, .. }) = note else { return false };
        (301.5..302.5).contains(slack_ms)
    });
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
    is_green(&elsewhere(soak), at_once);
    is_red(&elsewhere(late(412_000, always)));
}

#[test]
fn events_that_another_clock_stamps_prove_nothing() {
    let stamped_elsewhere = late(412_000, always).each(|interval| {
        let first_lines = timing(200_000, 3, interval.from_ms, "");
        interval.timings.insert(Timing::StartToLog, first_lines);
    });
    is_green(&stamped_elsewhere, |note| matches!(note, Note::LateArrivalsNoProof(LateDoubt::OtherClock { .. })));
    let unknown = late(412_000, always).each(|interval| drop(interval.timings.remove(&Timing::StartToLog)));
    is_green(&unknown, |note| *note == Note::LateArrivalsNoProof(LateDoubt::NoStart));
}

#[test]
fn few_events_prove_nothing() {
    let few = late(412_000, always).each(|interval| {
        if interval.from_ms >= 100 * 60_000 {
            interval.timings.remove(&Timing::EventDelivery);
        }
    });
    let doubt = LateDoubt::FewEvents { timed: 12_000, promised: 14_400 };
    is_green(&few, |note| *note == Note::LateArrivalsNoProof(doubt));
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
    is_green(&in_windows(Soak::healthy(Suite::Full)), at_once);
    // 8 %, and with those in windows 16 %.
    is_green(&in_windows(late_of_120(10)), explained(5));
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
    is_green(&late_of_120(6), explained(5));
    // 10.8 %. Of 13,080 arrivals that would be certain; they are 654 events, on twenty streams each.
    is_green(&late_of_120(13), explained(5));
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
    let [Note::Fault(Fault::EventsArriveLate { which, late_ms, .. })] = judgement.reason[..] else {
        panic!("{judgement:#?}")
    };
    assert_eq!((LateEvents::OneInHundredOnAll, 800.0), (which, late_ms.round()));
    is_green(&standing_still(10, &[]), at_once);
    // One minute in sixty: too few to be certain of one in a hundred.
    is_green(&standing_still(60, &BOTH), at_once);
}

#[test]
fn one_kind_of_event_that_is_late_may_be_timed_before_it_is_written() {
    for kind in BOTH {
        is_green(&standing_still(2, &[kind]), at_once);
    }
}

#[test]
fn streams_that_stand_still_with_everything_else_prove_nothing() {
    is_green(&ready(standing_still(10, &BOTH), 700_000), at_once);
    is_green(&clock(standing_still(10, &BOTH), 600.0, 602.0), is_unclear);
    is_red(&ready(standing_still(10, &BOTH), 100_000));
}

#[test]
fn streams_on_which_most_is_late_do_not_stand_still_now_and_then() {
    is_green(&standing_still(1, &BOTH), at_once);
}

/// A soak whose events S2 itself read so late.
fn read_late(soak: Soak, late_us: u64) -> Soak {
    soak.each(|interval| {
        interval.timings.insert(Timing::ReadLateness, timing(late_us, 120, interval.from_ms, "workspace streams"));
    })
}

#[test]
fn events_that_s2_itself_read_late_are_no_proof_and_the_machine_is_to_blame() {
    let load = |soak: &Soak| soak.judge().harness(HarnessCheck::LoadDelivered).unwrap().clone();
    for soak in [read_late(late(412_000, always), 300_000), read_late(standing_still(10, &BOTH), 700_000)] {
        let judgement = writes(&soak);
        assert_eq!(Verdict::Unproven, judgement.verdict, "{judgement:#?}");
        assert!(matches!(judgement.reason[0], Note::Unproven(UnprovenReason::EventsReadLate { .. })), "{judgement:#?}");
        let load = load(&soak);
        assert_eq!(Verdict::Fail, load.verdict, "{load:#?}");
        let [Note::Fault(Fault::StreamsReadLate { kpis, .. })] = &load.reason[..] else { panic!("{load:#?}") };
        assert_eq!(vec![Kpi::SseWriteP99], *kpis);
    }
    for soak in [read_late(late(412_000, always), 105_000), read_late(standing_still(10, &BOTH), 105_000)] {
        is_red(&soak);
        assert_eq!(Verdict::Pass, load(&soak).verdict);
    }
    is_red(&read_late(late(290_000, always), 99_000));
    is_green(&read_late(Soak::healthy(Suite::Full), 300_000), at_once);
}
