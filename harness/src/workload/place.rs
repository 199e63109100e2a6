//! A worker's place in its part of the plan, kept across restarts.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::{
    catalog::Workload,
    clock,
    session::{Context, StartPoint},
};

/// Counts through the cycles of a plan.
#[derive(Debug, Default)]
pub(super) struct CycleCursor {
    next: AtomicUsize,
    is_in_cycle: AtomicBool,
    free_since: Mutex<Option<Instant>>,
}

impl CycleCursor {
    /// A place after this number of cycles.
    pub(super) fn at(next: usize) -> Self {
        Self { next: AtomicUsize::new(next), ..Self::default() }
    }

    /// The cycle that is next.
    pub(super) fn next(&self) -> usize {
        self.next.load(Ordering::Relaxed)
    }

    /// Waits until the next cycle is due, and begins it; `None` if the session is to stop before.
    pub(super) async fn begin(&self, context: &Context, workload: Workload, due_ms: u64) -> Option<StartPoint> {
        if !context.schedule.until(due_ms).await {
            return None;
        }
        self.advance();
        // If cycles are finished here, the last one must be over. The gateway made the worker wait, so that is no lateness of S2.
        let (planned, free_since) = (context.schedule.due(due_ms), *self.free_since.lock());
        let due = free_since.map_or(planned, |free| free.max(planned));
        Some(context.recorder.cycle_started(workload, due))
    }

    /// Goes on to the next cycle. Called before a cycle is played.
    pub(super) fn advance(&self) {
        self.next.fetch_add(1, Ordering::Relaxed);
        self.is_in_cycle.store(true, Ordering::Relaxed);
    }

    /// Goes back to a cycle that a panic cut short: it is played again. Only for a worker that plays one cycle after
    /// another and [finishes](Self::finish) each; its supervisor gives up a worker that panics every time.
    pub(super) fn again(&self) {
        if self.is_in_cycle.swap(false, Ordering::Relaxed) {
            self.next.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Passes over cycles that are not to be played.
    pub(super) fn skip_to(&self, next: usize) {
        self.next.fetch_max(next, Ordering::Relaxed);
    }

    /// Ends a cycle of a worker that plays one after another.
    pub(super) fn finish(&self, context: &Context, workload: Workload, cycle: StartPoint) {
        context.recorder.cycle_finished(workload, cycle);
        self.is_in_cycle.store(false, Ordering::Relaxed);
        *self.free_since.lock() = Some(clock::now());
    }
}
