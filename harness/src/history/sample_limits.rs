//! The limits over which a sample is worth keeping.

use std::collections::BTreeMap;

use crate::journal::{Source, Timing};

/// The limits that targets put on single samples. Of the samples over one, a history keeps the first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SampleLimits {
    /// Microseconds, by timing.
    pub timings_us: BTreeMap<Timing, Vec<u64>>,
    /// Seconds, by histogram of the gateway's.
    pub sources_seconds: BTreeMap<Source, f64>,
}

impl SampleLimits {
    pub(crate) fn of_timing(&self, timing: Timing) -> &[u64] {
        self.timings_us.get(&timing).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn of_source_seconds(&self, source: Source) -> f64 {
        self.sources_seconds.get(&source).copied().unwrap_or(f64::INFINITY)
    }
}

/// A limit in milliseconds as whole microseconds.
pub(crate) fn limit_us(limit_ms: f64) -> u64 {
    (limit_ms * 1_000.0) as u64
}
