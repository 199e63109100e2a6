//! The findings of the stream ledger: events delivered twice, and events that did not come.

use std::cmp::Reverse;

use crate::{
    catalog::Phase,
    history::{History, Scope, ViolationKind},
    journal::Counter,
    judge::{
        Note, PhaseValue,
        kpi::{case::Case, held_back},
        stats::confidence,
        verdict::assessment::Assessment,
    },
};

/// So many of a hundred runs, lines or ends may be undecided, and what they would have shown changes no verdict.
const UNDECIDED_PERCENT_MAX: u64 = 10;

/// `sse_duplicates`: events delivered again to the same client, in every phase. One is proof.
///
/// Lines that all clients got again, with the same time under other ids, may be equal lines of their run. Its record
/// decides. Where most of them have no complete record, nothing is proven.
pub(in crate::judge) fn duplicates(case: Case<'_>) -> Assessment {
    let mut found = counted(case, Counter::EventsDuplicated, ViolationKind::EventDuplicated);
    found.samples = case.history.totals.counter(Counter::EventsDelivered, Scope::All);
    lack_of_events(&mut found, case);
    let count = |counter| case.history.totals.counter(counter, Scope::All);
    let (equal, undecided) = (count(Counter::LinesEqual), count(Counter::LinesEqualUndecided));
    if equal > 0 {
        found.evidence.notes.push(Note::LinesRepeated { lines: equal });
    }
    if undecided > 0 {
        found.unproven_where(is_much(undecided, equal), Note::RepetitionsUndecided { lines: undecided });
    }
    found
}

/// `sse_gaps`: events that a client should have seen and did not, in every phase. One is proof.
///
/// An event that the ledger forgot before every client had passed it was compared for no client: it is no sample.
pub(in crate::judge) fn gaps(case: Case<'_>) -> Assessment {
    let mut found = counted(case, Counter::EventsMissed, ViolationKind::EventMissed);
    let count = |counter| case.history.totals.counter(counter, Scope::All);
    let evicted = count(Counter::LedgerEvicted);
    let clients = u64::from(case.plan.scenario.streams.count);
    let delivered = count(Counter::EventsDelivered);
    found.samples = delivered.saturating_sub(evicted.saturating_mul(clients));
    lack_of_events(&mut found, case);
    if evicted > 0 {
        let note = Note::EventsForgotten { events: evicted };
        found.lack = vec![note.clone().into()];
        found.evidence.notes.push(note);
    }
    lines_that_are_not_replayed(&mut found, case);
    records(&mut found, &count);
    ends(&mut found, &count);
    held_back::note_with_gaps(&mut found, case);
    found
}

/// Says what was compared with the records of runs, and what was not.
fn records(found: &mut Assessment, count: &impl Fn(Counter) -> u64) {
    let compared = count(Counter::RunsCompared);
    if compared > 0 {
        let succeeded = count(Counter::RunsSucceeded);
        found.evidence.notes.push(Note::RunsCompared { comparisons: compared, succeeded });
    }
    let uncompared = count(Counter::RunsUncompared);
    if uncompared > 0 {
        found.unproven_where(is_much(uncompared, compared), Note::RunsUncompared { runs: uncompared });
    }
    let empty = count(Counter::RecordsEmpty);
    if empty > 0 {
        found.evidence.notes.push(Note::RecordsEmpty { runs: empty });
    }
    let shorter = count(Counter::RecordsShorter);
    if shorter > 0 {
        found.evidence.notes.push(Note::RecordsShorter { runs: shorter });
    }
    let loose = count(Counter::LinesLoose);
    if loose > 0 {
        found.evidence.notes.push(Note::LinesLoose { lines: loose });
    }
    let undecided = count(Counter::LinesUndecided);
    if undecided > 0 {
        // Of how many, is not counted; a run has a line at least.
        found.unproven_where(is_much(undecided, compared), Note::LinesUndecided { lines: undecided });
    }
}

/// Says what is known of the ends of runs on streams.
fn ends(found: &mut Assessment, count: &impl Fn(Counter) -> u64) {
    let (shown, never) = (count(Counter::EndsShown), count(Counter::EndsNotShown));
    if never > 0 && shown == 0 {
        found.unproven_where(true, Note::EndsNeverShown { runs: never });
    }
}

/// Whether what is undecided is more than a tenth of all.
fn is_much(undecided: u64, decided: u64) -> bool {
    u128::from(undecided) * 100 > u128::from(undecided.saturating_add(decided)) * u128::from(UNDECIDED_PERCENT_MAX)
}

/// Lines that a run has and its own stream did not show, since it was not open all the time.
fn lines_that_are_not_replayed(found: &mut Assessment, case: Case<'_>) {
    let lines = case.history.totals.counter(Counter::LinesNotReplayed, Scope::All);
    if lines > 0 {
        found.evidence.notes.push(Note::LinesNotReplayed { lines });
    }
    let runs = case.history.totals.counter(Counter::RunsHalfShown, Scope::All);
    if runs > 0 {
        // Where there are streams of the workspace, they show every run, and are compared with one another.
        found.unproven_where(case.plan.unsupported.workspace_stream, Note::RunsHalfShown { runs });
    }
}

fn counted(case: Case<'_>, counter: Counter, offence: ViolationKind) -> Assessment {
    let mut found = case.open("events delivered");
    found.one_is_proof = true;
    let count = case.history.totals.counter(counter, Scope::All);
    found.value = Some(count as f64);
    found.range = Some(confidence::of_count(count));
    found.evidence.over = count;
    let oversized = case.history.totals.counter(Counter::EventsOversized, Scope::All);
    if oversized > 0 {
        found.evidence.notes.push(Note::EventsOversized { deliveries: oversized });
    }
    found.evidence.by_phase = Phase::ALL
        .iter()
        .map(|phase| PhaseValue {
            phase: *phase,
            value: case.history.totals.counter_of(counter, *phase) as f64,
            samples: case.history.totals.counter_of(Counter::EventsDelivered, *phase),
        })
        .filter(|value| value.samples > 0 || value.value > 0.0)
        .collect();
    found.offenders(case.history.violations.first(offence, Scope::All));
    found.evidence.notes.extend(not_compared(case.history));
    found
}

/// Types shown in a note; the rest is only counted.
const TYPES_SHOWN_MAX: usize = 8;

/// A note on the events that were not compared, since the dialect does not use their types for runs.
fn not_compared(history: &History) -> Option<Note> {
    let mut types: Vec<(String, u64)> = history.totals.other_events.clone().into_iter().collect();
    // Stable: types of equal counts stay in the order of their names.
    types.sort_by_key(|(_, count)| Reverse(*count));
    let events = types.iter().fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
    let more_types = types.len().saturating_sub(TYPES_SHOWN_MAX);
    types.truncate(TYPES_SHOWN_MAX);
    (events > 0).then_some(Note::EventsNotCompared { events, types, more_types })
}

/// Where no event was delivered, those that were not compared are why.
fn lack_of_events(found: &mut Assessment, case: Case<'_>) {
    if found.samples == 0 {
        found.lack.extend(not_compared(case.history).map(Into::into));
    }
}
