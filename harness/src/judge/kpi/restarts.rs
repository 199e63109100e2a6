//! Processes of the gateway that ended without a request of S2, as evidence of failures at about that time.

use crate::{
    catalog::{Kpi, RestartEffect},
    history::{ProcessChange, ProcessInstances},
    judge::{Note, verdict::assessment::Assessment},
};

/// Maximum number of changes in a note.
const NOTED_MAX: usize = 2;
/// Maximum time between the end of a process and a failure that it explains, before or after, scenario milliseconds: S2
/// looks for the process every ten seconds, and its effect may have been seen first.
const NEAR_MS: u64 = 2 * 60_000;

/// Notes the lives that ended without a request of S2 and may explain the first failure.
pub(crate) fn note(lives: &ProcessInstances, found: &mut Assessment, kpi: Kpi) {
    let first_ms = found.evidence.first.as_ref().map(|first| first.at_ms);
    let when_ms = match (kpi.spec().restarts, first_ms) {
        (RestartEffect::Always, _) => 0..=u64::MAX,
        (RestartEffect::Later, Some(first_ms)) => 0..=first_ms.saturating_add(NEAR_MS),
        (RestartEffect::Near, Some(first_ms)) => first_ms.saturating_sub(NEAR_MS)..=first_ms.saturating_add(NEAR_MS),
        (_, None) => return,
    };
    let unasked = lives.unasked().filter(|change| when_ms.contains(&change.at_ms));
    let mut changes: Vec<ProcessChange> = unasked.cloned().collect();
    let more = changes.len().saturating_sub(NOTED_MAX);
    changes.truncate(NOTED_MAX);
    if !changes.is_empty() {
        found.note(Note::RestartsUnasked { changes, more });
    }
}
