//! State that the parts of the gateway share.

use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Map, Value};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::change::{Change, Outcome};
use crate::chaos::Chaos;
use crate::clock;
use crate::config::Config;
use crate::defect::{Faults, PROCESSES};
use crate::event::{Channel, Draft};
use crate::events::{EventLog, Kept};
use crate::front::Stubs;
use crate::metrics::{Gauges, Metrics};
use crate::numbering::Numberings;
use crate::process::ProcessReader;
use crate::registry::Registry;
use crate::runs::{Runs, Status};
use crate::store::{State, Store};
use crate::workspaces::Workspaces;

/// The gateway behind its front: it survives a restart, as a store behind a real gateway would.
pub(crate) struct Core {
    pub(crate) config: Config,
    pub(crate) faults: Arc<Faults>,
    pub(crate) store: Store,
    pub(crate) log: Arc<EventLog>,
    pub(crate) numberings: Arc<Numberings>,
    pub(crate) runs: Runs,
    pub(crate) registry: Registry,
    pub(crate) workspaces: Workspaces,
    pub(crate) chaos: Chaos,
    metrics: [Metrics; PROCESSES],
    pub(crate) stubs: Stubs,
    /// Places for runs under way.
    pub(crate) workers: Semaphore,
    /// Owns what goes on in the background: runs under way, restarts to come.
    pub(crate) tasks: TaskTracker,
    /// Cancelled when the gateway closes for good.
    pub(crate) closing: CancellationToken,
    /// Cancelled when it has closed as far as its callers see it: from then on nothing is to be kept any more.
    pub(crate) front_closed: CancellationToken,
    process: ProcessReader,
    restarts: mpsc::Sender<()>,
    choices: Mutex<StdRng>,
}

impl Core {
    /// `restarts` is where the listener hears that it has to restart.
    pub(crate) fn new(config: Config, store: Store, restarts: mpsc::Sender<()>) -> Self {
        let faults = Arc::new(Faults::new(config.defects, config.seed));
        let metrics = Default::default();
        faults.had_counted(&metrics);
        let kept = match store {
            Store::Memory => Kept::Here(config.event_log_capacity.max(1)),
            Store::Redis(_) => Kept::Elsewhere,
        };
        Self {
            store,
            log: Arc::new(EventLog::new(
                kept,
                config.stream_queue_capacity,
                config.stream_capacity,
                Arc::clone(&faults),
            )),
            numberings: Arc::default(),
            runs: Runs::new(config.live_run_capacity, config.finished_run_capacity),
            registry: Registry::new(config.version_capacity, config.index_delay, Arc::clone(&faults)),
            workspaces: Workspaces::new(config.workspace_capacity, faults.toggle_delay(config.privacy_delay)),
            chaos: Chaos::default(),
            metrics,
            stubs: Stubs::new(config.record_requests, config.body_bytes_max),
            workers: Semaphore::new(config.worker_capacity),
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
            front_closed: CancellationToken::new(),
            process: ProcessReader::new(),
            restarts,
            choices: Mutex::new(StdRng::seed_from_u64(config.seed)),
            config,
            faults,
        }
    }

    /// A duration out of a range.
    pub(crate) fn choose(&self, range: &RangeInclusive<Duration>) -> Duration {
        let (shortest, longest) = (*range.start(), *range.end());
        shortest + longest.saturating_sub(shortest).mul_f64(self.choose_share())
    }

    /// A number from 0 to 1.
    pub(crate) fn choose_share(&self) -> f64 {
        self.choices.lock().expect("no holder panics").random_range(0.0..1.0)
    }

    /// Returns an event for the streams of a run, if the event is to be published.
    pub(crate) fn draft(
        &self,
        (workspace, run): (&Arc<str>, &Arc<str>),
        channel: Channel,
        kind: &'static str,
        fields: Map<String, Value>,
    ) -> Option<Draft> {
        if self.faults.silences(channel) || self.faults.swallows(kind) {
            return None;
        }
        Some(Draft { channel, kind, workspace: Arc::clone(workspace), run: Arc::clone(run), at: None, fields })
    }

    /// Ends the waiting of runs that nobody started. Called wherever it could be noticed that they still wait.
    pub(crate) fn expire_waiting_runs(self: &Arc<Self>) {
        for (run, workspace) in self.runs.expire(self.config.start_timeout) {
            let fields = Map::from_iter([("status".into(), "canceled".into())]);
            let end = self.draft((&workspace, &run), Channel::Logs, "end", fields);
            let outcome = Outcome { status: Status::Canceled, output: None, at: clock::wall() };
            self.commit_apart(Change::Ended(run, outcome), end);
        }
    }

    /// Whether the gateway can serve.
    pub(crate) fn is_ready(&self) -> bool {
        self.chaos.is_ready() && self.is_store_up()
    }

    /// Whether calls that need the store can be answered.
    pub(crate) fn is_store_up(&self) -> bool {
        !self.chaos.is_store_down() && self.store.state() == State::Up
    }

    /// Where what happens now is counted.
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics[self.faults.counts()]
    }

    /// The metrics of the process that is asked.
    pub(crate) fn exposition(self: &Arc<Self>) -> String {
        let process = self.faults.tells();
        self.metrics[process].exposition(&self.faults.seen_by(process, self.gauges()))
    }

    /// Returns the counts of this moment.
    pub(crate) fn gauges(self: &Arc<Self>) -> Gauges {
        self.expire_waiting_runs();
        let counts = self.runs.counts();
        Gauges {
            runs_under_way: counts.under_way,
            runs_waiting: counts.waiting + self.faults.waiting_for_ever(),
            streams_open: self.faults.counted(self.log.subscribers()),
            process: self.process.read(),
            heap: self.faults.heap_reading(),
        }
    }

    /// Restarts the gateway's front after the chaos delay. A restart that is asked for during another is the same one.
    pub(crate) fn restart_front(&self) {
        if self.faults.ignores_restarts() {
            return;
        }
        self.faults.note_restart();
        let (restarts, closing) = (self.restarts.clone(), self.closing.clone());
        let delay = self.faults.restart_delay(self.config.chaos_delay);
        self.tasks.spawn(async move {
            if closing.run_until_cancelled(tokio::time::sleep(delay)).await.is_some() {
                // Full means that one is asked for already.
                let _ = restarts.try_send(());
            }
        });
    }

    /// Restarts the store: every stream is dropped, and for a while nothing that needs the store is answered.
    pub(crate) fn restart_store(&self) {
        if self.faults.ignores_restarts() || self.faults.hides_store_restart() {
            return;
        }
        self.chaos.take_store_down(self.faults.store_downtime(self.config.store_downtime));
        if self.faults.forgets_privacy() {
            self.workspaces.forget();
        }
        if self.faults.forgets_registry() {
            self.registry.forget();
        }
        if !self.faults.hides_outage() {
            self.log.cut_all();
        }
    }
}
