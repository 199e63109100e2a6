//! Since when, where it began in a chaos window: what is judged outside windows alone may have gone wrong within one, and
//! stayed so.

use super::{Offender, conclude::Findings, digest::Digest};
use crate::plan::Phase;

/// A window leads up to what went wrong so soon after it, scenario milliseconds.
const SOON_MS: u64 = 2 * 60_000;

/// Puts the first that went wrong back to the window in which it began: one that missed the target itself and right after
/// which, outside, the first did. `first_in` tells the first of a window.
pub(super) fn lead_up(found: &mut Findings, digest: &Digest, first_in: impl Fn(Phase) -> Option<Offender>) {
    if found.value.is_none_or(|value| found.target.is_met_by(value)) {
        return;
    }
    let missed = |phase: &Phase| {
        let of = found.evidence.by_phase.iter().find(|of| of.phase == *phase);
        of.is_some_and(|of| !found.target.is_met_by(of.value))
    };
    let windows = Phase::ALL.iter().copied().filter(|phase| *phase != Phase::Steady && missed(phase));
    let mut windows: Vec<_> = windows.filter_map(|phase| Some((digest.span_ms(phase)?, first_in(phase)?))).collect();
    windows.sort_by_key(|((from_ms, _), _)| std::cmp::Reverse(*from_ms));
    let Some(mut first) = found.evidence.first.take() else { return };
    for ((from_ms, to_ms), first_there) in windows {
        if (from_ms..=to_ms + SOON_MS).contains(&first.at_ms) && first_there.at_ms <= first.at_ms {
            first = first_there;
        }
    }
    if first.phase != Phase::Steady {
        found.evidence.notes.push(format!("it began in the {} window, which counts for nothing here", first.phase));
    }
    found.evidence.first = Some(first);
}
