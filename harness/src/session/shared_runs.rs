//! Shared knowledge of the workers about one another's runs: their owners, and the run that was started last.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;
use tokio::sync::watch;

/// Runs of other workspaces that are remembered; the oldest is forgotten first.
const OWNED_MAX: usize = 1_024;

/// The runs of a session, as its workers know them.
#[derive(Debug, Default)]
pub struct SharedRuns {
    owners: Mutex<Owners>,
    runs_started: AtomicU64,
    /// The run of W1 that was started last.
    newest_run: watch::Sender<Option<Arc<str>>>,
}

/// The runs of other workspaces than that of the workspace streams.
#[derive(Debug, Default)]
struct Owners {
    by_run: HashMap<Arc<str>, Arc<str>>,
    /// The runs, oldest first.
    order: VecDeque<Arc<str>>,
}

impl SharedRuns {
    /// The same of a soak in which this many runs of W1 were started already.
    pub fn with_runs_started(runs_started: u64) -> Self {
        Self { runs_started: AtomicU64::new(runs_started), ..Self::default() }
    }

    /// A run was created in a workspace; `own` is that of the workspace streams, whose runs need not be remembered.
    pub fn created(&self, run: &str, workspace: &str, own: &str) {
        let mut owners = self.owners.lock();
        if workspace == own {
            if owners.by_run.remove(run).is_some() {
                owners.order.retain(|known| **known != *run);
            }
            return;
        }
        let run: Arc<str> = run.into();
        if owners.by_run.insert(Arc::clone(&run), workspace.into()).is_some() {
            return;
        }
        owners.order.push_back(run);
        if owners.order.len() > OWNED_MAX
            && let Some(oldest) = owners.order.pop_front()
        {
            owners.by_run.remove(&oldest);
        }
    }

    /// The other workspace that a run of S2 was created in, not long ago.
    pub fn other_workspace_of(&self, run: &str) -> Option<Arc<str>> {
        self.owners.lock().by_run.get(run).cloned()
    }

    /// A run of W1 was started.
    pub fn run_started(&self, run: &str) {
        self.runs_started.fetch_add(1, Ordering::Relaxed);
        self.newest_run.send_replace(Some(run.into()));
    }

    /// The run of W1 that was started last, once it is another than this.
    pub async fn newer_run(&self, than: Option<&str>) -> String {
        let mut newest = self.newest_run.subscribe();
        let newer = newest.wait_for(|run| run.as_deref().is_some_and(|run| Some(run) != than)).await;
        // The sender lives as long as this.
        newer.ok().and_then(|run| run.as_deref().map(str::to_owned)).unwrap_or_default()
    }

    /// Runs of W1 that were started.
    pub fn runs_started(&self) -> u64 {
        self.runs_started.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_other_workspaces_are_remembered_and_the_oldest_are_forgotten() {
        let runs = SharedRuns::default();
        let owner = |n: usize| runs.other_workspace_of(&format!("run-{n}"));
        for n in 0..=OWNED_MAX {
            runs.created(&format!("run-{n}"), "second", "own");
            // A thousand runs a second of its own workspace forget nothing.
            runs.created(&format!("own-{n}"), "own", "own");
        }
        assert_eq!((None, Some("second".into())), (owner(0), owner(1)));
        assert_eq!(Some("second".into()), owner(OWNED_MAX));
        assert_eq!(None, runs.other_workspace_of("own-0"));
        let owners = runs.owners.lock();
        assert_eq!((OWNED_MAX, OWNED_MAX), (owners.by_run.len(), owners.order.len()), "what is remembered is bounded");
    }

    #[test]
    fn an_id_that_is_given_again_has_the_owner_of_its_latest_run() {
        let runs = SharedRuns::default();
        runs.created("run", "second", "own");
        runs.created("run", "privacy", "own");
        assert_eq!(Some("privacy".into()), runs.other_workspace_of("run"));
        runs.created("run", "own", "own");
        assert_eq!(None, runs.other_workspace_of("run"));
        assert!(runs.owners.lock().order.is_empty(), "it is forgotten once, not twice");
    }
}
