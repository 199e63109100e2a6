//! What a proxy did, in numbers: whether a fault had its effect is read here.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::{Deserialize, Serialize};

/// What a proxy has done since it was started. Each number is right for itself; those of one moment may be one event
/// apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Connections of clients that were taken, those among them that were refused or came to nothing.
    pub accepted: u64,
    /// Of them, those that are open now.
    pub open: u64,
    /// Cut by going dark.
    pub cut: u64,
    /// Refused while it was dark.
    pub refused_dark: u64,
    /// Refused because as many were open as there may be.
    pub refused_at_bound: u64,
    /// Came to nothing because the upstream was not there: no such name, nobody listening, or no answer in time.
    pub upstream_failed: u64,
    /// Ended because one side reset its connection, and the other was told so.
    pub reset: u64,
    /// Bytes that were written to the upstream.
    pub bytes_to_upstream: u64,
    /// Bytes that were written to clients.
    pub bytes_to_clients: u64,
    /// Of them, those that were held back by a latency.
    pub bytes_delayed: u64,
}

/// A number that goes up.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, n: usize) {
        self.0.fetch_add(n as u64, Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Counts.
#[derive(Debug, Default)]
pub(super) struct AtomicCounters {
    pub(super) accepted: Count,
    pub(super) ended: Count,
    pub(super) cut: Count,
    pub(super) refused_dark: Count,
    pub(super) refused_at_bound: Count,
    pub(super) upstream_failed: Count,
    pub(super) reset: Count,
    pub(super) to_upstream: Count,
    pub(super) to_clients: Count,
    pub(super) delayed: Count,
}

impl AtomicCounters {
    pub(super) fn counters(&self) -> Counters {
        // What has ended was accepted before: in this order, fewer than none are never open.
        let ended = self.ended.get();
        let accepted = self.accepted.get();
        Counters {
            accepted,
            open: accepted.saturating_sub(ended),
            cut: self.cut.get(),
            refused_dark: self.refused_dark.get(),
            refused_at_bound: self.refused_at_bound.get(),
            upstream_failed: self.upstream_failed.get(),
            reset: self.reset.get(),
            bytes_to_upstream: self.to_upstream.get(),
            bytes_to_clients: self.to_clients.get(),
            bytes_delayed: self.delayed.get(),
        }
    }
}
