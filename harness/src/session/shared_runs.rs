//! What workers know of one another's runs: who created them, which was started last.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;
use tokio::sync::watch;

/// Runs whose workspace is remembered; the oldest is forgotten first.
const OWNED_MAX: usize = 1_024;

/// The runs of a session, as its workers know them.
#[derive(Debug, Default)]
pub struct SharedRuns {
    owners: Mutex<Owners>,
    runs_started: AtomicU64,
    /// The run of W1 that was started last.
    newest_run: watch::Sender<Option<Arc<str>>>,
}

/// The workspaces that runs were created in.
#[derive(Debug, Default)]
struct Owners {
    by_run: HashMap<Arc<str>, Arc<str>>,
    /// The runs, oldest first.
    order: VecDeque<Arc<str>>,
}

impl SharedRuns {
    /// Of a soak in which this many runs of W1 were started already.
    #[must_use]
    pub fn with_runs_started(runs_started: u64) -> Self {
        Self { runs_started: AtomicU64::new(runs_started), ..Self::default() }
    }

    /// A run was created in a workspace.
    pub fn created(&self, run: &str, workspace: &str) {
        let mut owners = self.owners.lock();
        if let Some(owner) = owners.by_run.get_mut(run) {
            *owner = workspace.into();
            return;
        }
        if owners.order.len() == OWNED_MAX
            && let Some(oldest) = owners.order.pop_front()
        {
            owners.by_run.remove(&oldest);
        }
        let run: Arc<str> = run.into();
        owners.order.push_back(Arc::clone(&run));
        owners.by_run.insert(run, workspace.into());
    }

    /// The workspace that a run was created in, if we did that, not long ago.
    #[must_use]
    pub fn workspace_of(&self, run: &str) -> Option<Arc<str>> {
        self.owners.lock().by_run.get(run).cloned()
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
}
