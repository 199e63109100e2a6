//! A worker's place in its part of the plan, kept across restarts.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::clock;

/// Counts through the cycles of a plan.
#[derive(Debug, Default)]
pub(super) struct CycleCursor {
    next: AtomicUsize,
    is_in_cycle: AtomicBool,
    free_since: Mutex<Option<Instant>>,
}

impl CycleCursor {
    /// A place after so many cycles.
    pub(super) fn at(next: usize) -> Self {
        Self { next: AtomicUsize::new(next), ..Self::default() }
    }

    /// The cycle that is next.
    pub(super) fn next(&self) -> usize {
        self.next.load(Ordering::Relaxed)
    }

    /// Goes on to the one after. Called before a cycle is played.
    pub(super) fn advance(&self) {
        self.next.fetch_add(1, Ordering::Relaxed);
        self.is_in_cycle.store(true, Ordering::Relaxed);
    }

    /// Goes back to a cycle that a panic cut short: it is played again. Only for a worker that plays one after another,
    /// and says when each is over; one that panics every time is given up by its supervisor.
    pub(super) fn again(&self) {
        if self.is_in_cycle.swap(false, Ordering::Relaxed) {
            self.next.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Passes over cycles that are not to be played.
    pub(super) fn skip_to(&self, next: usize) {
        self.next.fetch_max(next, Ordering::Relaxed);
    }

    /// When a worker that plays one cycle after another could start one that was planned for a moment: not before the
    /// last was over. What the gateway made it wait for is no lateness of ours.
    pub(super) fn due(&self, planned: Instant) -> Instant {
        let free_since = *self.free_since.lock();
        free_since.map_or(planned, |free| free.max(planned))
    }

    /// A cycle is over.
    pub(super) fn is_free(&self) {
        self.is_in_cycle.store(false, Ordering::Relaxed);
        *self.free_since.lock() = Some(clock::now());
    }
}
