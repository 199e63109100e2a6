//! A gauge over the soak so far, in a few numbers.

use crate::journal::GaugeSummary;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct GaugeTotal {
    /// The end of the last interval that sampled it; scenario milliseconds.
    pub(crate) last_at_ms: u64,
    pub(crate) last: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    /// The mean over intervals of the last sample of each: all intervals weigh the same.
    pub(crate) mean: f64,
    pub(crate) intervals: u64,
}

impl GaugeTotal {
    pub(crate) const NONE: Self =
        Self { last_at_ms: 0, last: 0.0, min: f64::INFINITY, max: f64::NEG_INFINITY, mean: 0.0, intervals: 0 };

    /// A summary that holds something other than numbers is no measurement.
    pub(crate) fn absorb(&mut self, to_ms: u64, summary: &GaugeSummary) {
        if !(summary.min.is_finite() && summary.max.is_finite() && summary.last.is_finite()) {
            return;
        }
        self.intervals += 1;
        let weight = 1.0 / self.intervals as f64;
        self.mean += (summary.last - self.mean) * weight;
        self.min = self.min.min(summary.min);
        self.max = self.max.max(summary.max);
        if to_ms >= self.last_at_ms {
            (self.last_at_ms, self.last) = (to_ms, summary.last);
        }
    }
}
