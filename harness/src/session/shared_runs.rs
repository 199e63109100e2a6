//! What workers know of one another's runs: which are watched, what streams have shown of them, who created them.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::{sync::watch, time::Instant};

use super::{Delivered, RunWatch, pending_runs::PendingRuns};
use crate::gateway::LogEvent;

/// Runs that are watched at once. An open model has no other bound on what is under way than the runs' timeout.
const WATCHED_MAX: usize = 10_000;
/// Runs that were seen before their names were known; the oldest is forgotten first.
const STRANGERS_MAX: usize = 256;
/// Runs whose workspace is remembered; the oldest is forgotten first.
const OWNED_MAX: usize = 1_024;

/// The runs of a session, as its workers know them.
#[derive(Debug, Default)]
pub struct SharedRuns {
    runs: Mutex<HashMap<String, Arc<RunWatch>>>,
    /// The workspaces that runs were created in, oldest first.
    owners: Mutex<VecDeque<(String, Arc<str>)>>,
    runs_started: AtomicU64,
    /// The run of W1 that was started last.
    newest_run: watch::Sender<Option<Arc<str>>>,
    /// Whether runs get their ids from the gateway, and what streams have shown of those that nobody knew yet.
    names_are_given: bool,
    strangers: Mutex<VecDeque<(String, Arc<RunWatch>)>>,
    /// Runs that have ended, and that the workspace streams have not shown in full.
    pending_runs: PendingRuns,
    /// Runs whose end a workspace stream has shown, and those whose own stream has where there are no others.
    ends_shown: AtomicU64,
    own_ends_shown: AtomicU64,
}

impl SharedRuns {
    /// Of a soak in which so many runs of W1 were started already.
    #[must_use]
    pub fn with_runs_started(runs_started: u64) -> Self {
        Self { runs_started: AtomicU64::new(runs_started), ..Self::default() }
    }

    /// The same, of a gateway that gives runs their ids: a stream may show a run before its creator knows its name.
    #[must_use]
    pub fn where_names_are_given(self, names_are_given: bool) -> Self {
        Self { names_are_given, ..self }
    }

    /// Watches a run; `None` where too many are watched already.
    pub fn watch(&self, run: &str) -> Option<Arc<RunWatch>> {
        let mut runs = self.runs();
        if runs.len() >= WATCHED_MAX {
            return None;
        }
        let mut strangers = self.strangers.lock().unwrap_or_else(PoisonError::into_inner);
        let seen_before = strangers.iter().position(|(stranger, _)| stranger == run);
        let watch = seen_before.and_then(|at| strangers.remove(at)).map(|(_, watch)| watch).unwrap_or_default();
        Some(Arc::clone(runs.entry(run.to_owned()).or_insert(watch)))
    }

    /// A run that a stream has shown, and that nobody watches: its creator may not have heard its name yet. Only where
    /// the gateway gives it.
    fn stranger(&self, run: &str) -> Option<Arc<RunWatch>> {
        if !self.names_are_given {
            return None;
        }
        let mut strangers = self.strangers.lock().unwrap_or_else(PoisonError::into_inner);
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

    /// Looks away from a run. Gives what the streams have shown of it.
    pub fn forget(&self, run: &str) -> Option<Arc<RunWatch>> {
        self.runs().remove(run)
    }

    /// A run was created in a workspace.
    pub fn created(&self, run: &str, workspace: &str) {
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        if owners.len() == OWNED_MAX {
            owners.pop_front();
        }
        owners.push_back((run.to_owned(), workspace.into()));
    }

    /// The workspace that a run was created in, if we did that, not long ago.
    #[must_use]
    pub fn workspace_of(&self, run: &str) -> Option<Arc<str>> {
        let owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        owners.iter().rev().find(|(owned, _)| owned == run).map(|(_, workspace)| Arc::clone(workspace))
    }

    /// A stream showed an event; one of the workspace's log streams to this client. Says whether the run is watched.
    pub fn saw(&self, event: &LogEvent, arrived: Instant, client: Option<(usize, Delivered)>) -> bool {
        let watch = {
            // Held until it is found: one that begins to be watched meanwhile would not hear of this.
            let runs = self.runs();
            runs.get(&event.run_id).cloned().or_else(|| self.stranger(&event.run_id))
        };
        let Some(watch) = watch else { return false };
        let mut seen = watch.seen();
        match (event.kind.as_str(), client) {
            ("log", Some((_, delivered))) => seen.heard.line(event.message.as_deref(), delivered),
            ("end", Some((client, _))) if seen.heard.end(client) => {
                self.ends_shown.fetch_add(1, Ordering::Relaxed);
            }
            _ => {}
        }
        match event.kind.as_str() {
            "log" if seen.first_log.is_none_or(|first| arrived < first) => seen.first_log = Some(arrived),
            "end" => seen.ended = true,
            _ => return true,
        }
        drop(seen);
        watch.changed.notify_waiters();
        true
    }

    /// The run's own stream has shown its end, where no stream of the workspace does.
    pub fn own_end_shown(&self) {
        self.own_ends_shown.fetch_add(1, Ordering::Relaxed);
    }

    /// Runs whose own stream has shown their end.
    #[must_use]
    pub fn own_ends_shown(&self) -> u64 {
        self.own_ends_shown.load(Ordering::Relaxed)
    }

    /// Runs whose end a workspace stream has shown, of those that were watched.
    #[must_use]
    pub(super) fn ends_shown(&self) -> u64 {
        self.ends_shown.load(Ordering::Relaxed)
    }

    /// A run of W1 was started.
    pub fn run_started(&self, run: &str) {
        self.runs_started.fetch_add(1, Ordering::Relaxed);
        self.newest_run.send_replace(Some(run.into()));
    }

    /// The run of W1 that was started last, once that is another than this.
    pub async fn newer_run(&self, than: Option<&str>) -> String {
        let mut newest = self.newest_run.subscribe();
        let newer = newest.wait_for(|run| run.as_deref().is_some_and(|run| Some(run) != than)).await;
        // The sender lives as long as this.
        newer.ok().and_then(|run| run.as_deref().map(str::to_owned)).unwrap_or_default()
    }

    /// Runs of W1 that were started.
    #[must_use]
    pub fn runs_started(&self) -> u64 {
        self.runs_started.load(Ordering::Relaxed)
    }

    /// Runs that have ended, and that the workspace streams have not shown in full.
    pub(super) const fn pending_runs(&self) -> &PendingRuns {
        &self.pending_runs
    }

    fn runs(&self) -> MutexGuard<'_, HashMap<String, Arc<RunWatch>>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
