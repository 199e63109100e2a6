//! Undecided events on streams: a note where they are few, unproven where they are many, and never hiding a failure.

use super::{Judgement, Note, Verdict};
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

/// Whether all of these are noted.
fn notes(judgement: &Judgement, expected: &[Note]) -> bool {
    expected.iter().all(|note| judgement.evidence.notes.contains(note))
}

/// That it is unproven for this alone.
fn is_unproven(judgement: &Judgement, note: Note) {
    assert_eq!((Verdict::Unproven, &[note][..]), (judgement.verdict, &*judgement.reason));
}

#[test]
fn equal_lines_that_records_confirm_are_noted() {
    let judgement = with(&[(Counter::LinesEqual, 80), (Counter::LinesEqualUndecided, 8)], Kpi::SseDuplicates);
    assert_eq!(Verdict::Pass, judgement.verdict, "{judgement:#?}");
    let expected = [Note::LinesRepeated { lines: 80 }, Note::RepetitionsUndecided { lines: 8 }];
    assert!(notes(&judgement, &expected), "{judgement:#?}");
}

#[test]
fn equal_lines_that_no_record_confirms_are_unproven_with_the_key() {
    let judgement = with(&[(Counter::LinesEqual, 8), (Counter::LinesEqualUndecided, 1)], Kpi::SseDuplicates);
    is_unproven(&judgement, Note::RepetitionsUndecided { lines: 1 });
}

#[test]
fn runs_that_a_limit_kept_from_being_compared_are_noted_and_many_are_unproven() {
    let few = with(&[(Counter::RunsCompared, 300), (Counter::RunsUncompared, 30)], Kpi::SseGaps);
    assert_eq!(Verdict::Pass, few.verdict);
    let is_compared = |note: &Note| matches!(note, Note::RunsCompared { comparisons: 300, .. });
    assert!(notes(&few, &[Note::RunsUncompared { runs: 30 }]) && few.evidence.notes.iter().any(is_compared));
    let many = with(&[(Counter::RunsCompared, 300), (Counter::RunsUncompared, 40)], Kpi::SseGaps);
    is_unproven(&many, Note::RunsUncompared { runs: 40 });
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
    let expected = [Note::LinesLoose { lines: 290 }, Note::RecordsShorter { runs: 12 }, Note::RecordsEmpty { runs: 3 }];
    assert!(notes(&judgement, &expected), "{judgement:#?}");
}

#[test]
fn lines_in_a_form_that_is_not_recognised_are_unproven() {
    let judgement = with(&[(Counter::RunsCompared, 300), (Counter::LinesUndecided, 290)], Kpi::SseGaps);
    is_unproven(&judgement, Note::LinesUndecided { lines: 290 });
}

#[test]
fn a_gateway_of_which_no_stream_shows_any_end_is_unproven_with_the_key() {
    let judgement = with(&[(Counter::EndsNotShown, 300)], Kpi::SseGaps);
    is_unproven(&judgement, Note::EndsNeverShown { runs: 300 });
    let judgement = with(&[(Counter::EndsNotShown, 2), (Counter::EndsShown, 300)], Kpi::SseGaps);
    assert_eq!(Verdict::Pass, judgement.verdict, "the first runs were judged before any end had come");
}

#[test]
fn what_is_undecided_hides_no_failure() {
    let duplicates = judged(sick(Kpi::SseDuplicates), &[(Counter::LinesEqualUndecided, 900)], Kpi::SseDuplicates);
    let gaps = judged(sick(Kpi::SseGaps), &[(Counter::RunsUncompared, 900)], Kpi::SseGaps);
    assert_eq!((Verdict::Fail, Verdict::Fail), (duplicates.verdict, gaps.verdict));
}
