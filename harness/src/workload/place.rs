//! A worker's place in its part of the plan, kept across restarts.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use tokio::time::Instant;

use crate::clock;

/// Counts through the cycles of a plan.
#[derive(Debug, Default)]
pub(super) struct Place {
    next: AtomicUsize,
    free_since: Mutex<Option<Instant>>,
}

impl Place {
    /// A place after so many cycles.
    pub(super) fn at(next: usize) -> Self {
        Self { next: AtomicUsize::new(next), ..Self::default() }
    }

    /// The cycle that is next.
    pub(super) fn next(&self) -> usize {
        self.next.load(Ordering::Relaxed)
    }

    /// Goes on to the one after. Called before a cycle is played, so that one that panics is not played again.
    pub(super) fn advance(&self) {
        self.next.fetch_add(1, Ordering::Relaxed);
    }

    /// Passes over cycles that are not to be played.
    pub(super) fn skip_to(&self, next: usize) {
        self.next.fetch_max(next, Ordering::Relaxed);
    }

    /// When a worker that plays one cycle after another could start one that was planned for a moment: not before the
    /// last was over. What the gateway made it wait for is no lateness of ours.
    pub(super) fn due(&self, planned: Instant) -> Instant {
        let free_since = *self.free_since.lock().unwrap_or_else(PoisonError::into_inner);
        free_since.map_or(planned, |free| free.max(planned))
    }

    /// A cycle is over.
    pub(super) fn is_free(&self) {
        *self.free_since.lock().unwrap_or_else(PoisonError::into_inner) = Some(clock::now());
    }
}
