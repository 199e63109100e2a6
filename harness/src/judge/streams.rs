//! What the stream ledger found: events delivered twice, and events that did not come.

use super::{PhaseValue, Scope, conclude::Findings, incidents::Offence, kpi::Case, range};
use crate::{journal::Counter, plan::Phase};

/// `sse_duplicates`: events delivered again to the same client, in every phase. One is proof.
pub(super) fn duplicates(case: Case<'_>) -> Findings {
    let mut found = counted(case, Counter::EventsDuplicated, Offence::EventDuplicated);
    found.samples = case.digest.counter(Counter::EventsDelivered, Scope::All);
    found
}

/// `sse_gaps`: events that a client should have seen and did not, in every phase. One is proof.
///
/// What the ledger had to forget before every client had passed it was compared for no client, so it is no sample.
pub(super) fn gaps(case: Case<'_>) -> Findings {
    let mut found = counted(case, Counter::EventsMissed, Offence::EventMissed);
    let evicted = case.digest.counter(Counter::LedgerEvicted, Scope::All);
    let clients = u64::from(case.plan.scenario.streams.count);
    let delivered = case.digest.counter(Counter::EventsDelivered, Scope::All);
    found.samples = delivered.saturating_sub(evicted.saturating_mul(clients));
    if evicted > 0 {
        let note = format!("the ledger forgot {evicted} events before every client had passed them");
        found.lack = Some(note.clone());
        found.evidence.notes.push(note);
    }
    found
}

#[expect(clippy::cast_precision_loss, reason = "counts of offences are small")]
fn counted(case: Case<'_>, counter: Counter, offence: Offence) -> Findings {
    let mut found = case.open("events delivered");
    found.one_is_proof = true;
    let count = case.digest.counter(counter, Scope::All);
    found.value = Some(count as f64);
    found.range = Some(range::of_count(count));
    found.evidence.over = count;
    let oversized = case.digest.counter(Counter::EventsOversized, Scope::All);
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
            value: case.digest.counter_of(counter, *phase) as f64,
            samples: case.digest.counter_of(Counter::EventsDelivered, *phase),
        })
        .filter(|value| value.samples > 0 || value.value > 0.0)
        .collect();
    found.offenders(case.digest.incidents.first(offence, Scope::All));
    found
}
