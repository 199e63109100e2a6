//! The begin of a failure that is judged outside chaos windows only, where it went wrong within one and stayed so.

use crate::{
    catalog::Phase,
    history::{History, Scope, Violation, WORST_MAX},
    judge::{Note, verdict::assessment::Assessment},
};

/// Maximum time from a window to a violation that it led to, scenario milliseconds.
const SOON_MS: u64 = 2 * 60_000;

/// If the first violation comes right after a window that missed the target, too, the window's first is shown, with a
/// note on the first that counts. `first_in` gives the first of a window.
pub(crate) fn backdate_to_window(
    found: &mut Assessment,
    history: &History,
    first_in: impl Fn(Phase) -> Option<Violation>,
) {
    if !found.is_missed() {
        return;
    }
    let missed = |phase: &Phase| {
        let of = found.evidence.by_phase.iter().find(|of| of.phase == *phase);
        of.is_some_and(|of| !found.target.is_met_by(of.value))
    };
    let windows = Scope::Chaos.phases().filter(missed);
    let mut windows: Vec<_> =
        windows.filter_map(|phase| Some((*history.timeline.spans_ms.get(&phase)?, first_in(phase)?))).collect();
    windows.sort_by_key(|((from_ms, _), _)| std::cmp::Reverse(*from_ms));
    let Some(counts) = found.evidence.first.clone() else { return };
    let mut first = counts.clone();
    for ((from_ms, to_ms), first_there) in windows {
        if (from_ms..=to_ms + SOON_MS).contains(&first.at_ms) && first_there.at_ms <= first.at_ms {
            first = first_there;
        }
    }
    if first.phase != Phase::Steady {
        found.note(Note::WindowNotCounted { phase: first.phase, first_counted_ms: counts.at_ms });
        if !found.evidence.worst.contains(&counts) {
            found.evidence.worst.insert(0, counts);
            found.evidence.worst.truncate(WORST_MAX);
        }
        found.evidence.first = Some(first);
    }
}
