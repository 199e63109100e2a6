//! Processes of the gateway that ended without our asking, as evidence of what went wrong at about that time.

use std::ops::RangeInclusive;

use crate::{
    catalog::{Kpi, RestartEffect},
    history::{ProcessChange, ProcessInstances},
    judge::{Note, verdict::assessment::Assessment},
};

/// Changes that a note tells one by one.
const TOLD_MAX: usize = 2;
/// A process that ended so shortly before or after something went wrong has to do with it, scenario milliseconds: one is
/// looked for every ten seconds, and what it did may have been felt first.
const NEAR_MS: u64 = 2 * 60_000;

/// Says which lives ended without our asking, of those that may be why the KPI is as it was found.
pub(in crate::judge) fn note(lives: &ProcessInstances, found: &mut Assessment, kpi: Kpi) {
    let first_ms = found.evidence.first.as_ref().map(|first| first.at_ms);
    let Some(when_ms) = may_be_why(kpi, first_ms) else { return };
    let mut changes: Vec<ProcessChange> =
        lives.unasked().filter(|change| when_ms.contains(&change.at_ms)).cloned().collect();
    if changes.is_empty() {
        return;
    }
    let more = changes.len().saturating_sub(TOLD_MAX);
    changes.truncate(TOLD_MAX);
    found.evidence.notes.push(Note::RestartsUnasked { changes, more });
}

/// When a life ended that may be why something went wrong first at a moment.
fn may_be_why(kpi: Kpi, first_ms: Option<u64>) -> Option<RangeInclusive<u64>> {
    let around = |first_ms: u64| first_ms.saturating_sub(NEAR_MS)..=first_ms.saturating_add(NEAR_MS);
    match kpi.spec().restarts {
        RestartEffect::Always => Some(0..=u64::MAX),
        RestartEffect::Later => Some(0..=*around(first_ms?).end()),
        RestartEffect::Near => first_ms.map(around),
    }
}
