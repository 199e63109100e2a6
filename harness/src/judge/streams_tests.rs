//! What is undecided about streams: noted where it is little, unproven where it is much, and never hiding a failure.

use super::{Judgement, Verdict};
use crate::{
    catalog::{Kpi, Suite},
    journal::Counter,
    judge::fixtures::{sick::sick, soak::Soak},
};

fn with(counts: &[(Counter, u64)], kpi: Kpi) -> Judgement {
    judged(Soak::healthy(Suite::Full), counts, kpi)
}

fn judged(mut soak: Soak, counts: &[(Counter, u64)], kpi: Kpi) -> Judgement {
    for (counter, count) in counts {
        *soak.minute(30).counters.entry(*counter).or_default() += count;
    }
    soak.judge().kpi(kpi).unwrap().clone()
}

fn notes(judgement: &Judgement) -> String {
    judgement.evidence.notes.join("\n")
}

#[test]
fn equal_lines_that_records_confirm_are_noted() {
    let judgement = with(&[(Counter::LinesEqual, 80), (Counter::LinesEqualUndecided, 8)], Kpi::SseDuplicates);
    assert_eq!(Verdict::Pass, judgement.verdict, "{judgement:#?}");
    let notes = notes(&judgement);
    assert!(notes.contains("80 log lines came again") && notes.contains("8 log lines came again"), "{notes}");
}

#[test]
fn equal_lines_that_no_record_confirms_are_unproven_with_the_key() {
    let judgement = with(&[(Counter::LinesEqual, 8), (Counter::LinesEqualUndecided, 1)], Kpi::SseDuplicates);
    assert_eq!(Verdict::Unproven, judgement.verdict, "{judgement:#?}");
    let reason = judgement.reason.unwrap();
    assert!(reason.contains("1 log lines came again") && reason.contains("calls.get_run.logs"), "{reason}");
}

#[test]
fn runs_that_a_limit_kept_from_being_compared_are_noted_and_many_are_unproven() {
    let few = with(&[(Counter::RunsCompared, 300), (Counter::RunsUncompared, 30)], Kpi::SseGaps);
    assert_eq!(Verdict::Pass, few.verdict);
    assert!(notes(&few).contains("30 runs were not compared") && notes(&few).contains("300 comparisons"));
    let many = with(&[(Counter::RunsCompared, 300), (Counter::RunsUncompared, 40)], Kpi::SseGaps);
    assert_eq!(Verdict::Unproven, many.verdict);
    assert!(many.reason.unwrap().contains("40 runs were not compared"));
}

#[test]
fn loose_matches_and_shorter_records_are_noted() {
    let counts = [
        (Counter::RunsCompared, 300),
        (Counter::LinesLoose, 290),
        (Counter::RecordsShorter, 12),
        (Counter::RecordsEmpty, 3),
    ];
    let judgement = with(&counts, Kpi::SseGaps);
    assert_eq!(Verdict::Pass, judgement.verdict);
    let notes = notes(&judgement);
    for expected in ["290 log lines were matched loosely", "12 runs have fewer lines", "3 runs have no log lines"] {
        assert!(notes.contains(expected), "{notes}");
    }
}

#[test]
fn lines_in_a_form_that_is_not_recognised_are_unproven() {
    let judgement = with(&[(Counter::RunsCompared, 300), (Counter::LinesUndecided, 290)], Kpi::SseGaps);
    assert_eq!(Verdict::Unproven, judgement.verdict);
    assert!(judgement.reason.unwrap().contains("calls.get_run.message"));
}

#[test]
fn a_gateway_of_which_no_stream_shows_any_end_is_unproven_with_the_key() {
    let judgement = with(&[(Counter::EndsNotShown, 300)], Kpi::SseGaps);
    assert_eq!(Verdict::Unproven, judgement.verdict);
    assert!(judgement.reason.unwrap().contains("events.end = []"));
    let judgement = with(&[(Counter::EndsNotShown, 2), (Counter::EndsShown, 300)], Kpi::SseGaps);
    assert_eq!(Verdict::Pass, judgement.verdict, "the first runs were judged before any end had come");
}

#[test]
fn what_is_undecided_hides_no_failure() {
    let duplicates = judged(sick(Kpi::SseDuplicates), &[(Counter::LinesEqualUndecided, 900)], Kpi::SseDuplicates);
    let gaps = judged(sick(Kpi::SseGaps), &[(Counter::RunsUncompared, 900)], Kpi::SseGaps);
    assert_eq!((Verdict::Fail, Verdict::Fail), (duplicates.verdict, gaps.verdict));
}
