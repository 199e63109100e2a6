//! The runs that the gateway keeps, and how they move from one status to the next.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::clock;
use crate::defect::Slips;

/// Where a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Created,
    /// Started, and waiting for a worker.
    Queued,
    Running,
    Completed,
    /// Only by a defect.
    Failed,
    /// Created, and not started in time.
    Canceled,
}

/// A line of a run's log.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct LogLine {
    pub(crate) level: Cow<'static, str>,
    pub(crate) message: String,
}

/// A run. What it was given is here only as it may be kept: masked, or hashed.
pub(crate) struct Run {
    pub(crate) id: Arc<str>,
    pub(crate) agent: String,
    pub(crate) name: String,
    pub(crate) workspace: Arc<str>,
    pub(crate) status: Status,
    pub(crate) input: Value,
    /// The message of the input, as it may be kept.
    pub(crate) message: String,
    /// Input that slips through all the same; none except by a defect.
    pub(crate) slips: Slips,
    /// Decision of the shield about the run.
    pub(crate) shield_action: Cow<'static, str>,
    pub(crate) output: Option<Value>,
    pub(crate) logs: Vec<LogLine>,
    /// Whether the judge's verdict was told.
    pub(crate) judged: bool,
    /// Whether the shield's decision was told.
    pub(crate) shielded: bool,
    /// The last event before its own.
    pub(crate) after: u64,
    /// Until the store has it, it is not there for anyone.
    pub(crate) is_kept: bool,
    pub(crate) created: Instant,
    pub(crate) created_at: Timestamp,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) completed_at: Option<Timestamp>,
}

impl Run {
    fn input_shown(&self) -> Value {
        let slipped = self.slips.input.as_ref().filter(|_| self.completed_at.is_none());
        slipped.map_or_else(|| self.input.clone(), |message| json!({ "message": message }))
    }

    fn is_seen_by(&self, workspace: &str) -> bool {
        self.is_kept && *self.workspace == *workspace
    }

    /// The run as `GET` gives it.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "id": &*self.id,
            "agent": self.agent,
            "name": self.name,
            "workspace_id": &*self.workspace,
            "status": self.status,
            "input": self.input_shown(),
            "output": self.output,
            "logs": self.logs,
            "created_at": clock::rfc3339_millis(self.created_at),
            "started_at": self.started_at.map(clock::rfc3339_millis),
            "completed_at": self.completed_at.map(clock::rfc3339_millis),
        })
    }

    /// The same for a workspace that keeps plain text now: what is hidden by a defect is shown.
    pub(crate) fn to_json_in_plain(&self) -> Value {
        let mut run = self.to_json();
        if let Some(message) = &self.slips.hidden {
            run["input"] = json!({ "message": message });
        }
        run
    }
}

/// Why a run could not be added.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum AddError {
    Duplicate,
    /// As many runs as there may be have not ended.
    Full,
}

/// Why a run could not be started.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum StartError {
    Unknown,
    Already(Status),
}

/// How many runs wait and how many are under way.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) waiting: usize,
    pub(crate) under_way: usize,
}

/// The runs kept: those that have not ended, and the last that have.
pub(crate) struct Runs {
    live_capacity: usize,
    finished_capacity: usize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    by_id: HashMap<Arc<str>, Run>,
    /// In order of creation; started ones are left in it until they would have expired.
    created: VecDeque<(Instant, Arc<str>)>,
    finished: VecDeque<Arc<str>>,
}

impl Runs {
    pub(crate) fn new(live_capacity: usize, finished_capacity: usize) -> Self {
        Self { live_capacity, finished_capacity, inner: Mutex::default() }
    }

    /// Takes a run that was just created.
    pub(crate) fn add(&self, run: Run) -> Result<(), AddError> {
        let mut inner = self.lock();
        if inner.by_id.contains_key(&run.id) {
            return Err(AddError::Duplicate);
        }
        if inner.by_id.len() - inner.finished.len() >= self.live_capacity {
            return Err(AddError::Full);
        }
        inner.created.push_back((run.created, Arc::clone(&run.id)));
        inner.by_id.insert(Arc::clone(&run.id), run);
        Ok(())
    }

    /// From created to queued.
    pub(crate) fn queue(&self, id: &str, workspace: &str) -> Result<Arc<str>, StartError> {
        let mut inner = self.lock();
        let run = inner.by_id.get_mut(id).filter(|run| run.is_seen_by(workspace)).ok_or(StartError::Unknown)?;
        if run.status != Status::Created {
            return Err(StartError::Already(run.status));
        }
        run.status = Status::Queued;
        Ok(Arc::clone(&run.id))
    }

    /// Looks at a run of one workspace; to another workspace it does not exist.
    pub(crate) fn look<T>(&self, id: &str, workspace: &str, look: impl FnOnce(&Run) -> T) -> Option<T> {
        self.lock().by_id.get(id).filter(|run| run.is_seen_by(workspace)).map(look)
    }

    /// Looks at or changes a run, of whichever workspace. A run that has not ended is never evicted, so it is there.
    pub(crate) fn change<T>(&self, id: &str, change: impl FnOnce(&mut Run) -> T) -> Option<T> {
        self.lock().by_id.get_mut(id).map(change)
    }

    /// Ends a run, and evicts the oldest ended one beyond the capacity.
    pub(crate) fn finish(&self, id: &Arc<str>, status: Status, output: Option<Value>, at: Timestamp) {
        self.lock().finish(id, status, output, at, self.finished_capacity);
    }

    /// Says which runs were created longer ago than `timeout` and never started, and of which workspace. From now on
    /// they are canceled, and are still to be [finished](Self::finish).
    pub(crate) fn expire(&self, timeout: Duration) -> Vec<(Arc<str>, Arc<str>)> {
        let now = clock::now();
        let mut inner = self.lock();
        let mut expired = Vec::new();
        while let Some((_, id)) = inner.created.pop_front_if(|(created, _)| now - *created >= timeout) {
            let Some(run) = inner.by_id.get_mut(&id).filter(|run| run.status == Status::Created) else { continue };
            run.status = Status::Canceled;
            expired.push((id, Arc::clone(&run.workspace)));
        }
        expired
    }

    /// Takes what a store has, the ended runs from the oldest to the newest, in place of all that is here but what it
    /// is still to be given: runs that are played, and those on their way to it. Says which of the runs taken are to be
    /// played on.
    pub(crate) fn replace(&self, stored: Vec<Run>) -> Vec<Arc<str>> {
        let mut inner = self.lock();
        inner.by_id.retain(|_, run| !run.is_kept || (run.completed_at.is_none() && run.status != Status::Created));
        let here: HashSet<_> = inner.by_id.keys().cloned().collect();
        inner.created.retain(|(_, id)| here.contains(id));
        inner.finished.clear();
        let mut played = Vec::new();
        for run in stored.into_iter().filter(|run| !here.contains(&run.id)) {
            match run.status {
                Status::Created => inner.created.push_back((run.created, Arc::clone(&run.id))),
                Status::Queued | Status::Running => played.push(Arc::clone(&run.id)),
                Status::Completed | Status::Failed | Status::Canceled => inner.finished.push_back(Arc::clone(&run.id)),
            }
            inner.by_id.insert(Arc::clone(&run.id), run);
        }
        inner.created.make_contiguous().sort_by_key(|(created, _)| *created);
        played
    }

    /// Looks at every run that has not ended.
    pub(crate) fn look_at_live<T>(&self, look: impl FnMut(&Run) -> T) -> Vec<T> {
        self.lock().by_id.values().filter(|run| run.is_kept && run.completed_at.is_none()).map(look).collect()
    }

    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts { waiting: 0, under_way: 0 };
        for run in self.lock().by_id.values() {
            match run.status {
                Status::Created | Status::Queued => counts.waiting += 1,
                Status::Running => counts.under_way += 1,
                Status::Completed | Status::Failed | Status::Canceled => {}
            }
        }
        counts
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no holder panics")
    }
}

impl Inner {
    fn finish(&mut self, id: &Arc<str>, status: Status, output: Option<Value>, at: Timestamp, capacity: usize) {
        let Some(run) = self.by_id.get_mut(id) else { return };
        run.status = status;
        run.output = output;
        run.completed_at = Some(at);
        self.finished.push_back(Arc::clone(id));
        while self.finished.len() > capacity {
            let Some(oldest) = self.finished.pop_front() else { break };
            self.by_id.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(id: &str) -> Run {
        Run {
            id: id.into(),
            agent: "demo-enricher".into(),
            name: "a run".into(),
            workspace: "w".into(),
            status: Status::Created,
            input: json!({}),
            message: String::new(),
            slips: Slips::default(),
            shield_action: "allow".into(),
            output: None,
            logs: Vec::new(),
            judged: false,
            shielded: false,
            after: 0,
            is_kept: true,
            created: clock::now(),
            created_at: clock::wall(),
            started_at: None,
            completed_at: None,
        }
    }

    #[test]
    fn a_run_is_started_once_and_by_its_own_workspace() {
        let runs = Runs::new(4, 4);
        runs.add(run("1")).unwrap();
        assert_eq!(runs.add(run("1")), Err(AddError::Duplicate));
        assert_eq!(runs.queue("1", "another"), Err(StartError::Unknown));
        assert!(runs.queue("1", "w").is_ok());
        assert_eq!(runs.queue("1", "w"), Err(StartError::Already(Status::Queued)));
    }

    #[test]
    fn the_oldest_ended_run_goes_first_and_live_ones_stay() {
        let runs = Runs::new(8, 2);
        for id in ["1", "2", "3", "4"] {
            runs.add(run(id)).unwrap();
        }
        for id in ["2", "3", "4"] {
            runs.finish(&id.into(), Status::Completed, None, clock::wall());
        }
        let kept: Vec<_> = ["1", "2", "3", "4"].into_iter().filter(|id| runs.look(id, "w", |_| ()).is_some()).collect();
        assert_eq!(kept, ["1", "3", "4"]);
    }

    #[test]
    fn no_more_runs_are_added_than_may_live() {
        let runs = Runs::new(1, 2);
        runs.add(run("1")).unwrap();
        assert_eq!(runs.add(run("2")), Err(AddError::Full));
        runs.finish(&"1".into(), Status::Completed, None, clock::wall());
        assert_eq!(runs.add(run("2")), Ok(()));
    }

    #[test]
    fn a_run_that_nobody_starts_waits_no_more() {
        let runs = Runs::new(4, 4);
        runs.add(run("1")).unwrap();
        runs.add(run("2")).unwrap();
        runs.queue("2", "w").unwrap();
        assert_eq!(runs.expire(Duration::from_secs(60)), []);
        assert_eq!(runs.counts(), Counts { waiting: 2, under_way: 0 });
        assert_eq!(runs.expire(Duration::ZERO), [("1".into(), "w".into())]);
        assert_eq!(runs.counts(), Counts { waiting: 1, under_way: 0 });
        assert_eq!(runs.look("1", "w", |run| run.status), Some(Status::Canceled));
    }

    #[test]
    fn what_a_store_has_takes_the_place_of_all_but_what_it_is_still_to_be_given() {
        let runs = Runs::new(8, 8);
        let with = |id: &str, status| Run { status, ..run(id) };
        for run in [with("created", Status::Created), with("played", Status::Running), run("ended")] {
            runs.add(run).unwrap();
        }
        runs.finish(&"ended".into(), Status::Completed, None, clock::wall());
        runs.add(Run { is_kept: false, ..run("on its way") }).unwrap();

        let stored = [with("played", Status::Queued), with("taken up", Status::Running), run("waiting")];
        assert_eq!(runs.replace(stored.into()), [Arc::<str>::from("taken up")]);
        let status = |id: &str| runs.change(id, |run| run.status);
        assert_eq!((status("created"), status("ended")), (None, None));
        assert_eq!((status("played"), status("taken up")), (Some(Status::Running), Some(Status::Running)));
        assert_eq!((status("waiting"), status("on its way")), (Some(Status::Created), Some(Status::Created)));
        assert_eq!(runs.expire(Duration::ZERO).len(), 2);
    }
}
