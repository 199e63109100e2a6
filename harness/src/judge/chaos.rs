//! W6: what became of each event.
use super::{ChaosReport, Digest};
use crate::plan::PlannedChaos;

/// What became of a planned event.
pub(super) fn report(event: &PlannedChaos, digest: &Digest) -> ChaosReport {
    let story = digest.story.chaos.get(&event.chaos).cloned().unwrap_or_default();
    let injected = story.injected;
    let seen = story.seen;
    ChaosReport {
        chaos: event.chaos,
        at_ms: injected.as_ref().map_or(event.at_ms, |(at_ms, ..)| *at_ms),
        accepted: injected.as_ref().is_some_and(|(_, accepted, _)| *accepted),
        injected: injected.map(|(.., answer)| answer),
        effective: seen.as_ref().map(|(_, effective, _)| *effective),
        evidence: seen.map(|(.., evidence)| evidence),
        recovery_ms: story.recovered.map(|(_, recovery_ms)| recovery_ms),
    }
}
