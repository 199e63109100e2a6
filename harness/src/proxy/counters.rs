//! Counters of a proxy's activity. They show whether a fault had its effect.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, n: usize) {
        self.0.fetch_add(n as u64, Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Activity of a proxy since its start. Each number is right, but numbers of one moment may be one event apart.
#[derive(Debug, Default)]
pub struct Counters {
    /// Connections of clients, with refused and failed ones.
    pub(crate) accepted: Count,
    pub(crate) ended: Count,
    /// Cut by an outage.
    pub(crate) cut: Count,
    /// Refused during an outage.
    pub(crate) refused_dark: Count,
    /// Refused because the maximum number was open.
    pub(crate) refused_at_bound: Count,
    /// Failed because of the upstream: no such name, no listener, or no answer in time.
    pub(crate) upstream_failed: Count,
    /// Ended by a reset of one side. The other side saw a reset, too.
    pub(crate) reset: Count,
    pub(crate) bytes_to_upstream: Count,
    pub(crate) bytes_to_clients: Count,
    /// Bytes to clients that a latency held back.
    pub(crate) bytes_delayed: Count,
}

impl Counters {
    pub(crate) fn open(&self) -> u64 {
        // In this order, there are never more ended than accepted connections.
        let ended = self.ended.get();
        self.accepted.get().saturating_sub(ended)
    }
}
