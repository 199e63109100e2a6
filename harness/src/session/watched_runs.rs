//! The runs that are watched: an event that any stream shows of such a run is entered for it.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use parking_lot::Mutex;

use super::RunWatch;

/// Runs that are watched at once. An open model bounds the runs under way by their timeout only.
const WATCHED_MAX: usize = 10_000;
/// Runs that were seen before their names were known; the oldest is forgotten first.
const STRANGERS_MAX: usize = 256;

/// The watched runs of a session.
#[derive(Debug, Default)]
pub struct WatchedRuns {
    runs: Mutex<HashMap<String, Arc<RunWatch>>>,
    /// Whether runs get their ids from the gateway: a stream may show a run before its creator knows its name.
    names_are_given: bool,
    /// Observations on streams of runs that were not known yet, oldest first.
    strangers: Mutex<VecDeque<(String, Arc<RunWatch>)>>,
}

impl WatchedRuns {
    pub(super) fn new(names_are_given: bool) -> Self {
        Self { names_are_given, ..Self::default() }
    }

    /// Watches a run; `None` where too many are watched already.
    pub fn watch(&self, run: &str) -> Option<Arc<RunWatch>> {
        let mut runs = self.runs.lock();
        if runs.len() >= WATCHED_MAX {
            return None;
        }
        let mut strangers = self.strangers.lock();
        let seen_before = strangers.iter().position(|(stranger, _)| stranger == run);
        let watch = seen_before.and_then(|at| strangers.remove(at)).map(|(_, watch)| watch).unwrap_or_default();
        Some(Arc::clone(runs.entry(run.to_owned()).or_insert(watch)))
    }

    /// Stops watching a run. Gives its watch.
    pub fn forget(&self, run: &str) -> Option<Arc<RunWatch>> {
        self.runs.lock().remove(run)
    }

    /// The watch of a run that a stream shows, if there is one.
    pub(super) fn find(&self, run: &str) -> Option<Arc<RunWatch>> {
        // Held until it is found: a watch that begins meanwhile would miss this event.
        let runs = self.runs.lock();
        runs.get(run).cloned().or_else(|| self.stranger(run))
    }

    /// A run that a stream has shown and that is not watched: its creator may not know its name yet.
    fn stranger(&self, run: &str) -> Option<Arc<RunWatch>> {
        if !self.names_are_given {
            return None;
        }
        let mut strangers = self.strangers.lock();
        if let Some((_, watch)) = strangers.iter().find(|(stranger, _)| stranger == run) {
            return Some(Arc::clone(watch));
        }
        if strangers.len() == STRANGERS_MAX {
            strangers.pop_front();
        }
        let watch = Arc::new(RunWatch::default());
        strangers.push_back((run.to_owned(), Arc::clone(&watch)));
        Some(watch)
    }
}
