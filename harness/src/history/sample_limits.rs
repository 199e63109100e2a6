//! The limits that targets set for single samples.

use std::collections::BTreeMap;

use crate::journal::{Source, Timing};

/// The limits that targets set for single samples. Of the samples over a limit, a history keeps the first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SampleLimits {
    /// Microseconds, by timing.
    pub(crate) timings_us: BTreeMap<Timing, Vec<u64>>,
    /// Seconds, by histogram of the gateway's.
    pub(crate) sources_seconds: BTreeMap<Source, f64>,
}

/// A limit in milliseconds as whole microseconds.
pub(crate) fn limit_us(limit_ms: f64) -> u64 {
    (limit_ms * 1_000.0) as u64
}
