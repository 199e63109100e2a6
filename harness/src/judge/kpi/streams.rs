//! The findings of the stream ledger: events delivered twice, and events that did not come.

use std::cmp::Reverse;

use crate::{
    history::{Scope, ViolationKind},
    journal::Counter,
    judge::{
        Note, PhaseValue,
        kpi::{case::Case, held_back},
        stats::{as_value, confidence},
        verdict::assessment::Assessment,
    },
};

/// Up to this share of runs, lines or ends may be undecided, percent: they would change no verdict.
const UNDECIDED_PERCENT_MAX: u64 = 10;

/// `sse_duplicates`: events delivered again to the same client, in every phase. One is proof.
///
/// Lines that all clients got again, with the same time under other ids, may be equal lines of their run. Its record
/// decides. Where most of them have no complete record, nothing is proven.
pub(crate) fn duplicates(case: Case<'_>) -> Assessment {
    let mut found = counted(case, Counter::EventsDuplicated, ViolationKind::EventDuplicated);
    let count = |counter| case.count(counter, Scope::All);
    found.samples = count(Counter::EventsDelivered);
    lack_of_events(&mut found, case);
    let (equal, undecided) = (count(Counter::LinesEqual), count(Counter::LinesEqualUndecided));
    found.note_count(equal, |lines| Note::LinesRepeated { lines });
    if undecided > 0 {
        found.unproven_where(is_much(undecided, equal), Note::RepetitionsUndecided { lines: undecided });
    }
    found
}

/// `sse_gaps`: events that a client should have seen and did not, in every phase. One is proof.
///
/// An event that the ledger forgot before every client had passed it was compared for no client: it is no sample.
pub(crate) fn gaps(case: Case<'_>) -> Assessment {
    let mut found = counted(case, Counter::EventsMissed, ViolationKind::EventMissed);
    let count = |counter| case.count(counter, Scope::All);
    let events = count(Counter::LedgerEvicted);
    let clients = u64::from(case.plan.scenario.streams.count);
    found.samples = count(Counter::EventsDelivered).saturating_sub(events.saturating_mul(clients));
    lack_of_events(&mut found, case);
    if events > 0 {
        found.lack = vec![Note::EventsForgotten { events }];
        found.note(Note::EventsForgotten { events });
    }
    // Lines that a run has and its own stream did not show, since it was not open all the time.
    found.note_count(count(Counter::LinesNotReplayed), |lines| Note::LinesNotReplayed { lines });
    let runs = count(Counter::RunsHalfShown);
    if runs > 0 {
        // Streams of the workspace, where there are some, show every run, and are compared with one another.
        found.unproven_where(case.plan.unsupported.workspace_stream, Note::RunsHalfShown { runs });
    }
    records(&mut found, &count);
    let runs = count(Counter::EndsNotShown);
    if runs > 0 && count(Counter::EndsShown) == 0 {
        found.unproven_where(true, Note::EndsNeverShown { runs });
    }
    held_back::note_with_gaps(&mut found, case);
    found
}

/// Notes the comparisons with the records of runs, and the runs that were not compared.
fn records(found: &mut Assessment, count: &impl Fn(Counter) -> u64) {
    let succeeded = count(Counter::RunsSucceeded);
    let compared = count(Counter::RunsCompared);
    found.note_count(compared, |comparisons| Note::RunsCompared { comparisons, succeeded });
    let runs = count(Counter::RunsUncompared);
    if runs > 0 {
        found.unproven_where(is_much(runs, compared), Note::RunsUncompared { runs });
    }
    found.note_count(count(Counter::RecordsEmpty), |runs| Note::RecordsEmpty { runs });
    found.note_count(count(Counter::RecordsShorter), |runs| Note::RecordsShorter { runs });
    found.note_count(count(Counter::LinesLoose), |lines| Note::LinesLoose { lines });
    let lines = count(Counter::LinesUndecided);
    if lines > 0 {
        // The number of all lines is not counted; a run has a line at least.
        found.unproven_where(is_much(lines, compared), Note::LinesUndecided { lines });
    }
}

/// Whether more than a tenth of all is undecided.
fn is_much(undecided: u64, decided: u64) -> bool {
    u128::from(undecided) * 100 > u128::from(undecided.saturating_add(decided)) * u128::from(UNDECIDED_PERCENT_MAX)
}

fn counted(case: Case<'_>, counter: Counter, offence: ViolationKind) -> Assessment {
    let mut found = case.open("events delivered");
    found.one_is_proof = true;
    let count = case.count(counter, Scope::All);
    found.value = Some(as_value(count));
    found.range = Some(confidence::of_count(count));
    found.evidence.over = count;
    let oversized = case.count(Counter::EventsOversized, Scope::All);
    found.note_count(oversized, |deliveries| Note::EventsOversized { deliveries });
    found.evidence.by_phase = PhaseValue::of_each(|phase| {
        let (count, samples) = (case.count(counter, phase), case.count(Counter::EventsDelivered, phase));
        (samples > 0 || count > 0).then_some((as_value(count), samples))
    });
    found.offenders(case.history.violations.first(offence, Scope::All));
    found.evidence.notes.extend(not_compared(case));
    found
}

/// Maximum number of types in a note; the rest is only counted.
const TYPES_SHOWN_MAX: usize = 8;

/// A note on the events that were not compared, since the dialect does not use their types for runs.
fn not_compared(case: Case<'_>) -> Option<Note> {
    let mut types: Vec<(String, u64)> = case.history.totals.other_events.clone().into_iter().collect();
    // Stable: types of equal counts stay in the order of their names.
    types.sort_by_key(|(_, count)| Reverse(*count));
    let events = types.iter().fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
    let more_types = types.len().saturating_sub(TYPES_SHOWN_MAX);
    types.truncate(TYPES_SHOWN_MAX);
    (events > 0).then_some(Note::EventsNotCompared { events, types, more_types })
}

/// Where no event was delivered, the events that were not compared are the reason.
fn lack_of_events(found: &mut Assessment, case: Case<'_>) {
    if found.samples == 0 {
        found.lack.extend(not_compared(case));
    }
}
