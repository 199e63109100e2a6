//! How far the gateway's clock moved against ours.

use super::{Offender, cause, conclude::Findings, kpi::Case};
use crate::plan::{Phase, millis};

const MINUTE_MS: u64 = 60_000;

/// `clock_drift`: the greatest less the least of the offset's medians by scenario minute, steady, after warm-up.
///
/// Not by lives: a clock belongs to a machine, and one that jumps at a restart has moved. The median of a minute keeps
/// out a sample that met a slow answer; an offset that stays is in every minute from then on.
pub(super) fn drift(case: Case<'_>) -> Findings {
    let mut found = case.open("steady minutes");
    let warm_up_ms = millis(case.plan.scenario.warm_up);
    let mut offsets = case.digest.clock.by_minute();
    offsets.retain(|(minute, _)| minute * MINUTE_MS >= warm_up_ms);
    found.samples = offsets.len() as u64;
    found.lack = cause::of_source("/health", case.digest).or_else(|| {
        let never = "the gateway's clock was never read out of chaos windows".to_owned();
        offsets.is_empty().then_some(never)
    });

    let by_offset = |a: &&(u64, f64), b: &&(u64, f64)| a.1.total_cmp(&b.1);
    let (Some(least), Some(greatest)) = (offsets.iter().min_by(by_offset), offsets.iter().max_by(by_offset)) else {
        return found;
    };
    found.value = Some(greatest.1 - least.1);
    found.evidence.notes.push(format!("offset from {:.0} ms to {:.0} ms", least.1, greatest.1));
    if !found.target.is_met_by(greatest.1 - least.1) {
        let moved = moved_by(&offsets, case.limit());
        found.evidence.over = moved.len() as u64;
        found.evidence.first = moved.first().cloned();
        let worst = moved.into_iter().max_by(|a, b| a.value.unwrap_or(0.0).total_cmp(&b.value.unwrap_or(0.0)));
        found.evidence.worst.extend(worst);
    }
    found
}

/// The minutes at which the clock was over the limit away from where it once had been.
fn moved_by(offsets: &[(u64, f64)], limit_ms: f64) -> Vec<Offender> {
    let (mut least, mut greatest) = (f64::INFINITY, f64::NEG_INFINITY);
    let moved = |(minute, offset): &(u64, f64)| {
        least = least.min(*offset);
        greatest = greatest.max(*offset);
        let moved_ms = (offset - least).max(greatest - offset);
        (moved_ms > limit_ms).then(|| Offender {
            at_ms: minute * MINUTE_MS,
            phase: Phase::Steady,
            subject: "the gateway's clock".to_owned(),
            value: Some(moved_ms),
            answer: Some(format!("{offset:.0} ms from ours")),
        })
    };
    offsets.iter().filter_map(moved).collect()
}
