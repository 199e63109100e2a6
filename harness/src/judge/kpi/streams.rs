//! What the stream ledger found: events delivered twice, and events that did not come.

use std::cmp::Reverse;

use crate::{
    catalog::Phase,
    history::{History, Scope, ViolationKind},
    journal::Counter,
    judge::{
        PhaseValue,
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
    found.lack = not_compared(case.history).filter(|_| found.samples == 0);
    let count = |counter| case.history.totals.counter(counter, Scope::All);
    let (equal, undecided) = (count(Counter::LinesEqual), count(Counter::LinesEqualUndecided));
    if equal > 0 {
        let note = format!(
            "{equal} log lines came again with the same time under other ids, as often as their runs have them"
        );
        found.evidence.notes.push(note);
    }
    if undecided > 0 {
        let note = format!(
            "{undecided} log lines came again with the same time under other ids, and no complete record says how often \
             their runs have them: calls.get_run.logs and calls.get_run.message must lead to all log lines of a run"
        );
        found.unproven_where(is_much(undecided, equal), note);
    }
    found
}

/// `sse_gaps`: events that a client should have seen and did not, in every phase. One is proof.
///
/// What the ledger had to forget before every client had passed it was compared for no client, so it is no sample.
pub(in crate::judge) fn gaps(case: Case<'_>) -> Assessment {
    let mut found = counted(case, Counter::EventsMissed, ViolationKind::EventMissed);
    let count = |counter| case.history.totals.counter(counter, Scope::All);
    let evicted = count(Counter::LedgerEvicted);
    let clients = u64::from(case.plan.scenario.streams.count);
    let delivered = count(Counter::EventsDelivered);
    found.samples = delivered.saturating_sub(evicted.saturating_mul(clients));
    found.lack = not_compared(case.history).filter(|_| found.samples == 0);
    if evicted > 0 {
        let note = format!("the ledger forgot {evicted} events before every client had passed them");
        found.lack = Some(note.clone());
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
        let note = format!(
            "{compared} comparisons of streams with the record of a run, of {} runs that succeeded; none where a chaos \
             window or a pause of the harness interfered",
            count(Counter::RunsSucceeded)
        );
        found.evidence.notes.push(note);
    }
    let uncompared = count(Counter::RunsUncompared);
    if uncompared > 0 {
        let note = format!(
            "{uncompared} runs were not compared with their records: more ran at once than the harness watches, or a log \
             line had no message (events.message)"
        );
        found.unproven_where(is_much(uncompared, compared), note);
    }
    let empty = count(Counter::RecordsEmpty);
    if empty > 0 {
        found.evidence.notes.push(format!(
            "the records of {empty} runs have no log lines (calls.get_run.logs): a line that no stream showed goes unseen"
        ));
    }
    let shorter = count(Counter::RecordsShorter);
    if shorter > 0 {
        found.evidence.notes.push(format!(
            "the records of {shorter} runs have fewer lines than the streams showed: a record may keep some of them only"
        ));
    }
    let loose = count(Counter::LinesLoose);
    if loose > 0 {
        found.evidence.notes.push(format!(
            "{loose} log lines were matched loosely: the record, or the stream, has them cut or with a prefix"
        ));
    }
    let undecided = count(Counter::LinesUndecided);
    if undecided > 0 {
        let note = format!(
            "{undecided} log lines of records are on no stream, and as many lines of streams are in no record: does \
             calls.get_run.message lead to the text that events.message has?"
        );
        // Of how many, is not counted; a run has a line at least.
        found.unproven_where(is_much(undecided, compared), note);
    }
}

/// Says what is known of the ends of runs on streams.
fn ends(found: &mut Assessment, count: &impl Fn(Counter) -> u64) {
    let (shown, never) = (count(Counter::EndsShown), count(Counter::EndsNotShown));
    if never > 0 && shown == 0 {
        let note = format!(
            "{never} runs ended, and no stream showed any end: events.end names the type of that event, and events.end = [] \
             says that there is none"
        );
        found.unproven_where(true, note);
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
        found.evidence.notes.push(format!(
            "{lines} log lines came while their run's own stream was not open; it replays nothing ([events] \
             replay_on_run_streams = \"no\"), so they were not compared"
        ));
    }
    let runs = case.history.totals.counter(Counter::RunsHalfShown, Scope::All);
    if runs == 0 {
        return;
    }
    let note = format!(
        "the own stream of {runs} runs lacks lines from while it was not open; whether that is a loss [events] \
         replay_on_run_streams says: \"no\" where it delivers only what happens while it is open, else \"yes\""
    );
    // Where there are streams of the workspace, they show every run, and are compared with one another.
    if case.plan.unsupported.workspace_stream {
        found.unproven_where(true, note);
    } else {
        found.evidence.notes.push(note);
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of offences are small")]
fn counted(case: Case<'_>, counter: Counter, offence: ViolationKind) -> Assessment {
    let mut found = case.open("events delivered");
    found.one_is_proof = true;
    let count = case.history.totals.counter(counter, Scope::All);
    found.value = Some(count as f64);
    found.range = Some(confidence::of_count(count));
    found.evidence.over = count;
    let oversized = case.history.totals.counter(Counter::EventsOversized, Scope::All);
    if oversized > 0 {
        found.evidence.notes.push(format!(
            "{oversized} deliveries of events were skipped and not compared: they are larger than `limits.event_size` in the \
             dialect allows"
        ));
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

/// What came on streams and was held against nothing, since nobody said what it is about.
fn not_compared(history: &History) -> Option<String> {
    let mut kinds: Vec<(&str, u64)> =
        history.totals.other_events.iter().map(|(kind, count)| (kind.as_str(), *count)).collect();
    kinds.sort_by_key(|(kind, count)| (Reverse(*count), *kind));
    let all = kinds.iter().fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
    let shown = kinds.iter().take(TYPES_SHOWN_MAX);
    let shown: Vec<String> = shown.map(|(kind, count)| format!("{} {count}", named(kind))).collect();
    let further = kinds.len().saturating_sub(TYPES_SHOWN_MAX);
    let further = if further == 0 { String::new() } else { format!(" and {further} further types") };
    (all > 0).then(|| {
        format!(
            "{all} events of types that the dialect does not use for runs were not compared: {}{further} ([events] ignore \
             silences them)",
            shown.join(", ")
        )
    })
}

fn named(kind: &str) -> String {
    if kind.is_empty() { "without type and data".to_owned() } else { format!("`{kind}`") }
}
