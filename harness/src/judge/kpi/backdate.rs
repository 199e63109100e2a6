//! Since when, where the window before was wrong, too: what is judged outside chaos windows alone may have gone wrong within
//! one, and stayed so.

use crate::{
    catalog::Phase,
    history::{History, Violation, WORST_MAX},
    judge::{Note, verdict::assessment::Assessment},
};

/// A window leads up to what went wrong so soon after it, scenario milliseconds.
const SOON_MS: u64 = 2 * 60_000;

/// If the first offender comes right after a window that missed the target, too, the window's first is shown, and the first
/// that counts is told beside it. `first_in` gives the first of a window.
pub(in crate::judge) fn backdate_to_window(
    found: &mut Assessment,
    history: &History,
    first_in: impl Fn(Phase) -> Option<Violation>,
) {
    if found.value.is_none_or(|value| found.target.is_met_by(value)) {
        return;
    }
    let missed = |phase: &Phase| {
        let of = found.evidence.by_phase.iter().find(|of| of.phase == *phase);
        of.is_some_and(|of| !found.target.is_met_by(of.value))
    };
    let windows = Phase::ALL.iter().copied().filter(|phase| *phase != Phase::Steady && missed(phase));
    let mut windows: Vec<_> =
        windows.filter_map(|phase| Some((history.timeline.span_ms(phase)?, first_in(phase)?))).collect();
    windows.sort_by_key(|((from_ms, _), _)| std::cmp::Reverse(*from_ms));
    let Some(counts) = found.evidence.first.clone() else { return };
    let mut first = counts.clone();
    for ((from_ms, to_ms), first_there) in windows {
        if (from_ms..=to_ms + SOON_MS).contains(&first.at_ms) && first_there.at_ms <= first.at_ms {
            first = first_there;
        }
    }
    if first.phase != Phase::Steady {
        found.evidence.notes.push(Note::WindowNotCounted { phase: first.phase, first_counted_ms: counts.at_ms });
        if !found.evidence.worst.contains(&counts) {
            found.evidence.worst.insert(0, counts);
            found.evidence.worst.truncate(WORST_MAX);
        }
        found.evidence.first = Some(first);
    }
}
