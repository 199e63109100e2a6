//! A quantile of a timing that the session measured: its value, its range, and the samples over a limit.

use crate::{
    history::{History, Scope, Violation, WORST_MAX, limit_us, ms},
    journal::{LatencyHistogram, Timing},
    judge::{
        PhaseValue,
        kpi::case::Case,
        stats::confidence::{self, Range, Ranks},
        verdict::assessment::Assessment,
    },
};

pub(crate) struct TimedSamples {
    pub(crate) histogram: LatencyHistogram,
    max_us: u64,
}

impl TimedSamples {
    pub(crate) fn of(history: &History, timing: Timing, scope: Scope) -> Self {
        let max_us = history.totals.max_us(timing, scope).unwrap_or(0);
        Self { histogram: history.totals.histogram(timing, scope), max_us }
    }

    pub(crate) fn at_ms(&self, quantile: f64) -> Option<f64> {
        (!self.histogram.is_empty()).then(|| self.exact_ms(self.histogram.quantile_us(quantile)))
    }

    /// The value itself, or the greatest sample where it is that one: a histogram is exact to a thousandth, its
    /// exemplar to the microsecond.
    fn exact_ms(&self, value_us: u64) -> f64 {
        let is_the_same = self.max_us.abs_diff(value_us) <= value_us / 500;
        ms(if is_the_same { value_us.min(self.max_us) } else { value_us })
    }

    /// Sets the value, its range, and the worst samples over the target. The range lies between the samples at the
    /// ranks that bound the quantile; no latency is under 0.
    pub(crate) fn judge(&self, found: &mut Assessment, case: Case<'_>, timing: Timing, scope: Scope) {
        found.value = self.at_ms(case.quantile());
        if let Some(Ranks { low, high, is_open }) = confidence::ranks(case.quantile(), self.histogram.len()) {
            let recorded = self.histogram.recorded();
            let at = |rank: u64| confidence::at_rank(&recorded, rank).map_or(0.0, |value_us| self.exact_ms(value_us));
            let low = if low == 0 { 0.0 } else { at(low) };
            found.range = found.value.map(|value| Range { low, high: at(high) }.holding(value));
            found.range_is_open = is_open;
        }
        over_limit(found, case.history, timing, scope, limit_us(case.limit()));
    }
}

/// Judges a quantile of a timing: its value with its range, by phase, and the worst samples over the target.
pub(crate) fn by_timing(found: &mut Assessment, case: Case<'_>, timing: Timing, scope: Scope) {
    let samples = TimedSamples::of(case.history, timing, scope);
    found.samples = samples.histogram.len();
    samples.judge(found, case, timing, scope);
    found.evidence.by_phase = PhaseValue::of_each(|phase| {
        let histogram = case.histogram(timing, phase);
        (!histogram.is_empty()).then(|| (ms(histogram.quantile_us(case.quantile())), histogram.len()))
    });
}

/// Sets the samples over a limit: their number, the first, and the worst.
pub(crate) fn over_limit(found: &mut Assessment, history: &History, timing: Timing, scope: Scope, limit_us: u64) {
    found.evidence.over = history.totals.histogram(timing, scope).count_above(limit_us);
    found.evidence.first = first_over(history, timing, scope, limit_us);
    found.evidence.worst = worst_over(history, timing, scope, limit_us);
}

pub(crate) fn first_over(history: &History, timing: Timing, scope: Scope, limit_us: u64) -> Option<Violation> {
    let firsts = history.totals.worst(timing, scope).filter_map(|worst| worst.first_over(limit_us));
    firsts.min_by_key(|offender| offender.at_ms).cloned()
}

pub(crate) fn worst_over(history: &History, timing: Timing, scope: Scope, limit_us: u64) -> Vec<Violation> {
    let worst = history.totals.worst(timing, scope).flat_map(|of_phase| of_phase.worst.clone());
    let mut worst: Vec<(u64, Violation)> = worst.filter(|(value_us, _)| *value_us > limit_us).collect();
    worst.sort_by_key(|(value_us, offender)| (std::cmp::Reverse(*value_us), offender.at_ms));
    worst.truncate(WORST_MAX);
    worst.into_iter().map(|(value_us, offender)| Violation { value: Some(ms(value_us)), ..offender }).collect()
}
