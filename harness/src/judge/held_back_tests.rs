//! When the stream that asks as a browser does is behind the others for longer than a lost packet, or we, could make it.

use super::{Fault, Judgement, Note, Verdict};
use crate::{
    catalog::{Kpi, Suite},
    journal::{Counter, Interval, Source, Timing},
    judge::fixtures::soak::{Soak, timing},
};

const STREAM: &str = "stream 19 (asks for gzip, deflate, br as a browser does)";

/// A soak in which that stream shows so many of a hundred events so late in each minute, and the others at once.
fn behind(late: u64, late_us: u64) -> Soak {
    Soak::healthy(Suite::Full).each(|interval| {
        let mut shown = timing(1_000, 100 - late, interval.from_ms, STREAM);
        let late = timing(late_us, late, interval.from_ms, STREAM);
        (0..late.histogram.len()).for_each(|_| shown.histogram.record(late_us));
        shown.worst = late.worst;
        interval.timings.insert(Timing::ShownAsABrowser, shown);
    })
}

fn without_histogram(interval: &mut Interval) {
    interval.sources.remove(&Source::SseWrite);
}

fn writes(soak: &Soak) -> Judgement {
    soak.judge().kpi(Kpi::SseWriteP99).unwrap().clone()
}

#[test]
fn a_compressor_that_holds_events_back_is_found_whatever_histogram_and_other_streams_say() {
    for soak in [behind(40, 1_500_000), behind(40, 1_500_000).each(without_histogram)] {
        let judgement = writes(&soak);
        assert_eq!(Verdict::Fail, judgement.verdict, "{judgement:#?}");
        assert!((1_498.0..1_502.0).contains(&judgement.value.unwrap()), "{judgement:#?}");
        let [Note::Fault(Fault::EventsBehind { stream, late_ms, .. })] = &judgement.reason[..] else {
            panic!("{judgement:#?}")
        };
        assert!(format!("stream {stream}") == STREAM && (1_498.0..1_502.0).contains(late_ms), "{judgement:#?}");
        assert_eq!(STREAM, judgement.evidence.first.unwrap().subject);
    }
}

#[test]
fn a_stream_that_is_flushed_after_every_event_or_has_single_events_late_is_no_proof() {
    for (late, late_us) in [(0, 0), (5, 1_500_000), (100, 150_000)] {
        let judgement = writes(&behind(late, late_us));
        assert_eq!((Verdict::Pass, Some(50.0)), (judgement.verdict, judgement.value), "{late} of 100 by {late_us}");
    }
}

#[test]
fn what_that_stream_lacks_may_be_held_back_from_it() {
    let gaps = |soak: Soak| {
        let soak = soak.each(|interval| {
            interval.counters.insert(Counter::EventsMissed, 1);
        });
        soak.judge().kpi(Kpi::SseGaps).unwrap().clone()
    };
    let is_held_back =
        |note: &Note| matches!(note, Note::EventsHeldBack { stream } if format!("stream {stream}") == STREAM);
    let is_noted = |judgement: Judgement| {
        assert_eq!(Verdict::Fail, judgement.verdict);
        judgement.evidence.notes.iter().any(is_held_back)
    };
    assert_eq!([true, false], [is_noted(gaps(behind(40, 1_500_000))), is_noted(gaps(behind(0, 0)))]);
    let green = behind(40, 1_500_000).judge().kpi(Kpi::SseGaps).unwrap().clone();
    assert!(green.verdict == Verdict::Pass && !green.evidence.notes.iter().any(is_held_back));
}

#[test]
fn what_holds_up_the_probes_too_holds_up_nothing_of_the_gateways() {
    let soak = behind(40, 1_500_000).each(|interval| {
        interval.timings.insert(Timing::ReadyRoundTrip, timing(1_400_000, 60, interval.from_ms, "GET /ready"));
    });
    assert_eq!(Verdict::Pass, writes(&soak).verdict);
}

#[test]
fn events_that_s2_itself_read_late_are_not_held_back() {
    let read_late = |late_us| {
        writes(&behind(40, 1_500_000).each(|interval| {
            interval.timings.insert(Timing::ReadLateness, timing(late_us, 120, interval.from_ms, "workspace streams"));
        }))
    };
    assert_eq!(Verdict::Unproven, read_late(1_400_000).verdict);
    assert_eq!(Verdict::Fail, read_late(400_000).verdict);
}
