//! Verdicts on gateways whose streams have peculiarities: those that are no fault, and the key that resolves a doubt.

use super::{Judgement, Note, Verdict};
use crate::{
    catalog::{Kpi, Suite},
    journal::{Counter, LatencyHistogram, Timing, TimingRecord},
    judge::fixtures::soak::Soak,
};

/// A soak at a gateway that closes streams in good order at these ages, in seconds, every minute.
fn closing_at(ages: &[u64], is_drop: bool) -> Judgement {
    let counter = if is_drop { Counter::StreamsDropped } else { Counter::StreamsClosed };
    let soak = Soak::healthy(Suite::Full).each(|interval| {
        let mut histogram = LatencyHistogram::new();
        ages.iter().for_each(|age| histogram.record(age * 1_000_000));
        let closings = ages.len() as u64;
        interval.timings.insert(Timing::StreamAge, TimingRecord { histogram, worst: Vec::new() });
        *interval.counters.entry(counter).or_default() += closings;
        for opened in [Counter::StreamsOpened, Counter::ReconnectAttempts, Counter::ReconnectsOk] {
            *interval.counters.entry(opened).or_default() += closings;
        }
    });
    soak.judge().kpi(Kpi::SseReconnectRate).unwrap().clone()
}

#[test]
fn a_failure_names_the_connection_age_where_streams_are_closed_at_one_age_and_not_where_they_are_not() {
    let judgement = closing_at(&[240, 241, 240, 242, 240], true);
    assert_eq!(Verdict::Fail, judgement.verdict);
    let Note::ClosedAtOneAge { low_us, median_us, high_us, .. } = judgement.evidence.notes[0] else {
        panic!("{:?}", judgement.evidence.notes)
    };
    assert_eq!([240, 240, 242], [low_us, median_us, high_us].map(|us| (us + 500_000) / 1_000_000));

    let scattered = closing_at(&[20, 90, 240, 400, 700], true);
    let names_it =
        |judgement: &Judgement| judgement.evidence.notes.iter().any(|note| matches!(note, Note::ClosedAtOneAge { .. }));
    assert!(scattered.verdict == Verdict::Fail && !names_it(&scattered), "{:?}", scattered.evidence.notes);

    let known = closing_at(&[240, 241, 240, 242, 240], false);
    assert!(known.verdict == Verdict::Pass && !names_it(&known), "{:?}", known.evidence.notes);
}

#[test]
fn a_stream_that_we_closed_ourselves_is_told_and_is_no_drop() {
    let mut soak = Soak::healthy(Suite::Full);
    soak.minute(31).counters.insert(Counter::StreamsSilent, 40);
    let judgement = soak.judge().kpi(Kpi::SseReconnectRate).unwrap().clone();
    assert_eq!(Verdict::Pass, judgement.verdict);
    assert!(judgement.evidence.notes.contains(&Note::StreamsSilent { streams: 40 }));
}

#[test]
fn events_of_no_runs_type_are_listed_and_are_the_reason_where_there_are_no_others() {
    let mut soak = Soak::healthy(Suite::Full);
    soak.minute(3).other_events = [("ping".to_owned(), 7), (String::new(), 2)].into();
    soak.minute(9).other_events = [("ping".to_owned(), 5)].into();
    let gaps = soak.judge().kpi(Kpi::SseGaps).unwrap().clone();
    assert_eq!(Verdict::Pass, gaps.verdict);
    let types = vec![("ping".to_owned(), 12), (String::new(), 2)];
    let note = Note::EventsNotCompared { events: 14, types, more_types: 0 };
    assert!(gaps.evidence.notes.contains(&note), "{gaps:#?}");

    let silent = soak.each(|interval| {
        interval.counters.remove(&Counter::EventsDelivered);
    });
    let gaps = silent.judge().kpi(Kpi::SseGaps).unwrap().clone();
    assert_eq!((Verdict::Unproven, &note), (gaps.verdict, &gaps.reason[0]));
}

#[test]
fn lines_that_may_not_be_replayed_leave_gaps_open_only_where_there_is_no_stream_of_the_workspace() {
    let mut soak = Soak::healthy(Suite::Full);
    soak.minute(31).counters.insert(Counter::RunsHalfShown, 3);
    let gaps = |soak: &Soak| soak.judge().kpi(Kpi::SseGaps).unwrap().clone();
    let note = Note::RunsHalfShown { runs: 3 };
    let with_others = gaps(&soak);
    assert_eq!(Verdict::Pass, with_others.verdict);
    assert!(with_others.evidence.notes.contains(&note));

    soak.plan.unsupported.workspace_stream = true;
    let alone = gaps(&soak);
    assert_eq!((Verdict::Unproven, vec![note]), (alone.verdict, alone.reason));
    // Proof of a loss is not undone by that.
    soak.minute(32).counters.insert(Counter::EventsMissed, 1);
    assert_eq!(Verdict::Fail, gaps(&soak).verdict);

    // A gateway that is said to replay nothing is judged by what came while its streams were open.
    let mut said = Soak::healthy(Suite::Full);
    said.plan.unsupported.workspace_stream = true;
    said.minute(31).counters.insert(Counter::LinesNotReplayed, 5);
    let judgement = gaps(&said);
    assert_eq!(Verdict::Pass, judgement.verdict);
    assert!(judgement.evidence.notes.contains(&Note::LinesNotReplayed { lines: 5 }));
}
