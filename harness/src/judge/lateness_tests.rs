//! One late start is a note, a starved harness is red, and neither excuses nor blames a gateway.

use super::{Fault, Judgement, LatePart, LateStarts, Note, UnprovenReason, Verdict};
use crate::{
    catalog::{HarnessCheck, Kpi, Suite, Unit},
    journal::{Exemplar, Finding, LatencyHistogram, Source, Timing, TimingRecord},
    judge::fixtures::soak::{Soak, timing},
};

/// So many samples of each of these values, milliseconds.
type Samples<'a> = &'a [(u64, u64)];

fn record(samples: Samples<'_>) -> TimingRecord {
    let mut histogram = LatencyHistogram::new();
    for (count, ms) in samples {
        (0..*count).for_each(|_| histogram.record(ms * 1_000));
    }
    let worst_ms = samples.iter().map(|(_, ms)| *ms).max().unwrap_or(0);
    let worst = vec![Exemplar { at_ms: 30_000, value_us: worst_ms * 1_000, subject: "w1_realistic_runs".into() }];
    TimingRecord { histogram, worst }
}

/// A healthy smoke test, but for how late its starts were, and how long its runs took to their first line.
fn soak(lateness: Samples<'_>, start_to_log: Samples<'_>) -> Soak {
    let mut soak = Soak::healthy(Suite::Smoke).each(|interval| {
        interval.timings.remove(&Timing::StartLateness);
        interval.timings.remove(&Timing::StartToLog);
    });
    let first = &mut soak.minute(0).timings;
    first.insert(Timing::StartLateness, record(lateness));
    first.insert(Timing::StartToLog, record(start_to_log));
    soak
}

const QUICK: Samples<'static> = &[(45, 200)];

fn load(soak: &Soak) -> Judgement {
    soak.judge().harness(HarnessCheck::LoadDelivered).unwrap().clone()
}

fn kpi(soak: &Soak, kpi: Kpi) -> Judgement {
    soak.judge().kpi(kpi).unwrap().clone()
}

#[test]
fn one_late_start_of_fifty_is_a_note() {
    let judgement = load(&soak(&[(51, 2), (1, 166)], QUICK));
    assert_eq!((Verdict::Pass, Unit::Percent), (judgement.verdict, judgement.unit), "{judgement:#?}");
    let Note::StartsLate { late, starts, limit_ms, latest_ms } = judgement.evidence.notes[1] else {
        panic!("{judgement:#?}")
    };
    assert_eq!((1, 52, 100.0, 166.0), (late, starts, limit_ms, latest_ms.round()));
}

#[test]
fn a_few_late_starts_pass_and_more_fail() {
    for (late, ms, verdict) in [
        (0, 0, Verdict::Pass),
        (1, 4_000, Verdict::Pass),
        (5, 300, Verdict::Pass),
        (6, 101, Verdict::Fail),
        (26, 2_000, Verdict::Fail),
        (52, 250, Verdict::Fail),
    ] {
        let judgement = load(&soak(&[(52 - late, 2), (late, ms)], QUICK));
        assert_eq!(verdict, judgement.verdict, "{late} of 52 by {ms} ms: {judgement:#?}");
        if verdict == Verdict::Fail {
            assert_eq!(Unit::Millis, judgement.unit);
            let [Note::Fault(Fault::StartsLate { harm: LateStarts::TooMany { late: late_starts, .. }, .. })] =
                judgement.reason[..]
            else {
                panic!("{judgement:#?}")
            };
            assert_eq!(late, late_starts);
            assert!(judgement.evidence.first.is_some());
        }
    }
}

/// The KPIs that late starts may have made red.
fn missed_by_starts(load: &Judgement) -> Vec<Kpi> {
    match &load.reason[..] {
        [Note::Fault(Fault::StartsLate { harm: LateStarts::Decisive { kpis }, .. })] => kpis.clone(),
        _ => panic!("{load:#?}"),
    }
}

#[test]
fn a_latency_that_starts_may_have_made_too_long_is_unproven_and_the_load_fails() {
    // The p95 of 52 starts is the third from the top, that of 45 runs the third from the top, too.
    let soak = soak(&[(48, 2), (4, 180)], &[(41, 300), (4, 1_300)]);
    let judgement = kpi(&soak, Kpi::StartToLogP95);
    assert_eq!(Verdict::Unproven, judgement.verdict, "{judgement:#?}");
    let Note::Unproven(UnprovenReason::HarnessLate { part, value_ms, late_ms, .. }) = judgement.reason[0] else {
        panic!("{judgement:#?}")
    };
    assert_eq!((LatePart::Starts, 1_300.0, 180.0), (part, value_ms.round(), late_ms.round()));
    let judgement = load(&soak);
    assert_eq!((Verdict::Fail, vec![Kpi::StartToLogP95]), (judgement.verdict, missed_by_starts(&judgement)));
}

#[test]
fn a_slow_gateway_is_not_excused_by_late_starts() {
    let soak = soak(&[(48, 2), (4, 180)], &[(41, 300), (4, 2_500)]);
    for of in [Kpi::StartToLogP95, Kpi::StartToLogP99] {
        assert_eq!(Verdict::Fail, kpi(&soak, of).verdict);
    }
    assert_eq!(Verdict::Pass, load(&soak).verdict, "late starts are not why the target was missed");
}

/// The same, where events alone tell how long stream writes take, up to so many milliseconds.
fn without_histogram(lateness: Samples<'_>, write_ms: u64) -> Soak {
    let mut soak = soak(lateness, QUICK).each(|interval| {
        interval.sources.remove(&Source::SseWrite);
        interval.timings.remove(&Timing::EventDelivery);
    });
    soak.minute(0).timings.insert(Timing::EventDelivery, record(&[(5_000, 4), (500, write_ms)]));
    soak
}

#[test]
fn late_starts_may_be_why_events_arrive_late() {
    for (late_ms, write_ms, write, delivered) in [
        (180, 250, Verdict::Unproven, Verdict::Fail),
        (180, 900, Verdict::Fail, Verdict::Pass),
        (90, 250, Verdict::Fail, Verdict::Pass),
        (180, 190, Verdict::Pass, Verdict::Pass),
    ] {
        let soak = without_histogram(&[(48, 2), (4, late_ms)], write_ms);
        let judgement = kpi(&soak, Kpi::SseWriteP99);
        assert_eq!(write, judgement.verdict, "{late_ms} ms late, {write_ms} ms: {judgement:#?}");
        assert_eq!(delivered, load(&soak).verdict);
        if write == Verdict::Unproven {
            assert_eq!(vec![Kpi::SseWriteP99], missed_by_starts(&load(&soak)));
        }
    }
}

#[test]
fn the_histogram_of_a_gateway_is_its_own_word_however_late_we_are() {
    let mut slow = soak(&[(48, 2), (4, 180)], QUICK);
    for interval in &mut slow.intervals {
        if let Some(buckets) = interval.sources.get_mut(&Source::SseWrite) {
            (buckets.counts[4], buckets.counts[0]) = (buckets.counts[0], 0);
        }
    }
    assert_eq!(Verdict::Fail, kpi(&slow, Kpi::SseWriteP99).verdict);
    assert_eq!(Verdict::Pass, load(&slow).verdict);
}

#[test]
fn starts_within_their_limit_excuse_nothing() {
    let soak = soak(&[(48, 2), (4, 99)], &[(41, 300), (4, 1_250)]);
    assert_eq!(Verdict::Fail, kpi(&soak, Kpi::StartToLogP95).verdict);
    assert_eq!(Verdict::Pass, load(&soak).verdict);
}

#[test]
fn a_harness_that_stood_still_for_long_fails_however_few_starts_were_due() {
    for (seconds, verdict) in [(60, Verdict::Pass), (360, Verdict::Fail)] {
        let mut soak = Soak::healthy(Suite::Full);
        let starts = timing(1_500, 357, 30_000, "w1_realistic_runs");
        soak.happens(30 * 60_000, Finding::Stalled { stalled_ms: seconds * 1_000 });
        for interval in &mut soak.intervals {
            interval.timings.remove(&Timing::StartLateness);
        }
        soak.minute(0).timings.insert(Timing::StartLateness, starts);
        soak.minute(1).timings.insert(Timing::StartLateness, record(&[(3, seconds * 500)]));
        let judgement = load(&soak);
        assert_eq!(verdict, judgement.verdict, "{seconds} s of 120 min: {judgement:#?}");
        let (until_ms, stalled_ms) = (30 * 60_000, seconds * 1_000);
        assert!(judgement.evidence.notes.contains(&Note::SessionStoodStill { until_ms, stalled_ms }));
    }
}

/// A healthy smoke test, but for how late its events were read and how long its runs took to their first line.
fn read_late(reading: Samples<'_>, start_to_log: Samples<'_>) -> Soak {
    let mut soak = soak(&[(52, 2)], start_to_log);
    soak.minute(0).timings.insert(Timing::ReadLateness, record(reading));
    soak
}

#[test]
fn a_latency_that_events_read_late_may_explain_is_unproven_and_the_machine_is_to_blame() {
    let soak = read_late(&[(1_000, 500)], &[(41, 300), (4, 1_250)]);
    let latency = kpi(&soak, Kpi::StartToLogP95);
    assert_eq!(Verdict::Unproven, latency.verdict, "{latency:#?}");
    let expected = "the p95 is 1250 ms, and the harness itself read events 500 ms late at the p95: that may be the machine that \
                    plays the load, not the gateway";
    assert_eq!(Some(expected.to_owned()), latency.reason_text());
    let load = load(&soak);
    assert_eq!((Verdict::Fail, Unit::Millis), (load.verdict, load.unit), "{load:#?}");
    assert_eq!(("events", 1_000, 1_000), (load.evidence.sample_name.as_str(), load.samples, load.evidence.over));
    let [Note::Fault(Fault::StreamsReadLate { streams: 20, kpis })] = &load.reason[..] else { panic!("{load:#?}") };
    assert_eq!(Kpi::StartToLogP95, kpis[0]);
    assert!(
        load.evidence.notes.iter().any(|note| matches!(note, Note::ReadLateness { events: 1_000, .. })),
        "{load:#?}"
    );
}

#[test]
fn events_read_late_excuse_no_greater_miss_and_alone_are_a_note() {
    let slow = read_late(&[(1_000, 500)], &[(41, 300), (4, 2_500)]);
    assert_eq!(Verdict::Fail, kpi(&slow, Kpi::StartToLogP95).verdict);
    assert_eq!(Verdict::Pass, load(&slow).verdict);
    let quick = load(&read_late(&[(1_000, 500)], QUICK));
    assert_eq!(Verdict::Pass, quick.verdict);
    assert!(quick.evidence.notes.iter().any(|note| matches!(note, Note::ReadLateness { .. })), "{quick:#?}");
    let within = load(&read_late(&[(1_000, 20)], QUICK));
    assert!(!within.evidence.notes.iter().any(|note| matches!(note, Note::ReadLateness { .. })), "{within:#?}");
}
