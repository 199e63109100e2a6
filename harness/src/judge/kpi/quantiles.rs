//! A quantile of a timing that the session measured: its value, its range, and the samples over a limit.

use crate::{
    catalog::Phase,
    history::{History, Scope, Violation, WORST_MAX, limit_us},
    journal::{LatencyHistogram, Timing},
    judge::{
        PhaseValue,
        kpi::case::Case,
        stats::confidence::{self, Range, Ranks},
        verdict::assessment::Assessment,
    },
};

/// Judges a quantile of a timing: its value with its range, by phase, and the worst samples over the target.
pub(in crate::judge) fn by_timing(found: &mut Assessment, case: Case<'_>, quantile: f64, timing: Timing, scope: Scope) {
    let limit_us = limit_us(case.limit());
    let histogram = case.history.totals.histogram(timing, scope);
    let max_us = case.history.totals.worst(timing, scope).map(|worst| worst.max_us).max().unwrap_or(0);
    found.samples = histogram.len();
    found.value = (!histogram.is_empty()).then(|| ms(value_us(&histogram, quantile, max_us)));
    bound(found, &histogram, quantile, max_us);
    found.evidence.over = histogram.count_above(limit_us);
    found.evidence.by_phase = Phase::ALL
        .iter()
        .map(|phase| (*phase, case.history.totals.histogram_of(timing, *phase)))
        .filter(|(_, histogram)| !histogram.is_empty())
        .map(|(phase, histogram)| PhaseValue {
            phase,
            value: ms(histogram.quantile_us(quantile)),
            samples: histogram.len(),
        })
        .collect();
    found.evidence.first = first_over(case.history, timing, scope, limit_us);
    found.evidence.worst = worst_over(case.history, timing, scope, limit_us);
}

/// The range of a quantile: the samples at the ranks that bound it. No latency is under 0.
pub(in crate::judge) fn bound(found: &mut Assessment, histogram: &LatencyHistogram, quantile: f64, max_us: u64) {
    let Some(Ranks { low, high, is_open }) = confidence::ranks(quantile, histogram.len()) else { return };
    let recorded = histogram.recorded();
    let at = |rank: u64| confidence::at_rank(&recorded, rank).map_or(0.0, |value_us| ms(exact_us(value_us, max_us)));
    let low = if low == 0 { 0.0 } else { at(low) };
    found.range = found.value.map(|value| Range { low, high: at(high) }.holding(value));
    found.range_is_open = is_open;
}

/// The quantile, and where that is the greatest sample, exactly so: a histogram knows it to a thousandth, its exemplar
/// to the microsecond.
pub(in crate::judge) fn value_us(histogram: &LatencyHistogram, quantile: f64, max_us: u64) -> u64 {
    exact_us(histogram.quantile_us(quantile), max_us)
}

fn exact_us(value_us: u64, max_us: u64) -> u64 {
    let is_the_same = max_us.abs_diff(value_us) <= value_us / 500;
    if is_the_same { value_us.min(max_us) } else { value_us }
}

/// The first sample over a limit.
pub(in crate::judge) fn first_over(
    history: &History,
    timing: Timing,
    scope: Scope,
    limit_us: u64,
) -> Option<Violation> {
    let firsts = history.totals.worst(timing, scope).filter_map(|worst| worst.first_over(limit_us));
    firsts.min_by_key(|offender| offender.at_ms).cloned()
}

/// The worst samples over a limit, worst first, in milliseconds.
pub(in crate::judge) fn worst_over(history: &History, timing: Timing, scope: Scope, limit_us: u64) -> Vec<Violation> {
    let mut worst: Vec<(u64, Violation)> =
        history.totals.worst(timing, scope).flat_map(|w| w.worst().to_vec()).collect();
    worst.retain(|(value_us, _)| *value_us > limit_us);
    worst.sort_by_key(|(value_us, offender)| (std::cmp::Reverse(*value_us), offender.at_ms));
    worst.truncate(WORST_MAX);
    worst.into_iter().map(|(value_us, offender)| Violation { value: Some(ms(value_us)), ..offender }).collect()
}

pub(in crate::judge) fn ms(us: u64) -> f64 {
    us as f64 / 1_000.0
}
