//! Counters of a proxy's activity. They show whether a fault had its effect.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A number that goes up.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, n: usize) {
        self.0.fetch_add(n as u64, Relaxed);
    }

    /// Returns the present value.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Activity of a proxy since it was started. Each number by itself is right. Numbers of one moment may be one event apart.
#[derive(Debug, Default)]
pub struct Counters {
    /// Connections of clients that were taken, those among them that were refused or came to nothing.
    pub accepted: Count,
    /// Of them, those that have ended.
    pub ended: Count,
    /// Cut by an outage.
    pub cut: Count,
    /// Refused during an outage.
    pub refused_dark: Count,
    /// Refused because as many were open as there may be.
    pub refused_at_bound: Count,
    /// Came to nothing because the upstream was not there: no such name, nobody listening, or no answer in time.
    pub upstream_failed: Count,
    /// Ended because one side reset its connection. The other side saw a reset, too.
    pub reset: Count,
    /// Bytes that were written to the upstream.
    pub bytes_to_upstream: Count,
    /// Bytes that were written to clients.
    pub bytes_to_clients: Count,
    /// Of them, those that were held back by a latency.
    pub bytes_delayed: Count,
}

impl Counters {
    /// Connections that are open now.
    pub fn open(&self) -> u64 {
        // What has ended was accepted before: in this order, fewer than none are never open.
        let ended = self.ended.get();
        self.accepted.get().saturating_sub(ended)
    }
}
