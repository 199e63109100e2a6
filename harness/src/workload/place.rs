//! A worker's place in its part of the plan, kept across restarts.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts through the cycles of a plan.
#[derive(Debug, Default)]
pub(super) struct Place(AtomicUsize);

impl Place {
    /// The cycle that is next.
    pub(super) fn next(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Goes on to the one after. Called before a cycle is played, so that one that panics is not played again.
    pub(super) fn advance(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
