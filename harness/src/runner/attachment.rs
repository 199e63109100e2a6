//! One attachment for each suite and process. All its trials share it, and wait for its answer.

use std::{
    collections::BTreeMap,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::Arc,
    thread,
    time::Duration,
};

use parking_lot::{Condvar, Mutex};
use tokio::time::Instant;

use super::{
    attach::{AttachError, WaitOutcome, wait_for_session},
    folder::{AttachFolder, FolderError},
    follow::{Follower, PollMode, Soak},
    last_results,
    lock::Lock,
    outcome::{SuiteOutcome, answer},
    progress::Progress,
    rejudge::rendered,
    spawn::ProcessSpawner,
    summary,
    trials::Subject,
};
use crate::{
    catalog::{Kpi, Suite},
    clock,
    history::History,
    judge::{Judged, Targets, is_already_certain, may_be_certain_early},
    plan::{Plan, moment},
    report::{Occasion, RunFolder, failure_text, summary_markdown},
    results::{Results, Stage},
    session,
    settings::Settings,
};

/// Minimum time between two judgements of a watched soak: judging costs the same machine processor time.
const JUDGED_EVERY: Duration = Duration::from_secs(1);

/// Inputs that all attachments of a process share.
#[derive(Debug)]
pub(super) struct SharedInputs {
    pub(super) settings: Arc<Settings>,
    pub(super) targets: Arc<Targets>,
    /// Identifies the test run.
    pub(super) key: String,
    /// Under nextest this process is one of many, with one trial.
    pub(super) is_nextest: bool,
    pub(super) progress: Progress,
    /// The file of the CI job's summary.
    pub(super) step_summary: Option<PathBuf>,
}

#[derive(Debug)]
enum AttachmentState {
    Idle,
    /// A thread waits and judges. It is not joined: the process may end once every trial has its answer.
    Waiting,
    Done(Result<Arc<SuiteOutcome>, String>),
}

/// The attachment of this process to the session of a suite.
#[derive(Debug)]
pub(super) struct Attachment {
    suite: Suite,
    shared: Arc<SharedInputs>,
    state: Mutex<AttachmentState>,
    /// KPIs that are missed for good, with the texts of their failures.
    certain: Mutex<BTreeMap<Kpi, String>>,
    /// The latest results for the live display, and the time of their judgement.
    latest: Mutex<Option<(Instant, Arc<Results>)>>,
    changed: Condvar,
}

impl Attachment {
    pub(super) fn new(suite: Suite, shared: Arc<SharedInputs>) -> Self {
        Self {
            suite,
            shared,
            state: Mutex::new(AttachmentState::Idle),
            certain: Mutex::default(),
            latest: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Returns the outcome of a trial's subject. The first caller attaches. All callers wait: for the end of the
    /// session, or until their KPI is missed for good.
    pub(super) fn ask(self: &Arc<Self>, subject: Subject) -> Result<(), String> {
        let mut state = self.state.lock();
        loop {
            match &*state {
                AttachmentState::Idle => {
                    let us = Arc::clone(self);
                    *state = AttachmentState::Waiting;
                    let interest = us.interest(subject);
                    thread::spawn(move || us.wait_for_session(interest));
                }
                AttachmentState::Waiting => {
                    if let Some(why) = subject.kpi.and_then(|kpi| self.certain.lock().get(&kpi).cloned()) {
                        return Err(why);
                    }
                    self.changed.wait(&mut state);
                }
                AttachmentState::Done(Err(why)) => return Err(why.clone()),
                AttachmentState::Done(Ok(outcome)) => return answer(subject, outcome),
            }
        }
    }

    /// Returns the outcome of the suite, if there is one yet.
    pub(super) fn outcome(&self) -> Option<Arc<SuiteOutcome>> {
        match &*self.state.lock() {
            AttachmentState::Done(Ok(outcome)) => Some(Arc::clone(outcome)),
            _ => None,
        }
    }

    /// Asks the session to stop in good order.
    pub(super) fn ask_to_stop(&self) {
        if let (AttachmentState::Waiting, Ok(folder)) = (&*self.state.lock(), self.folder()) {
            folder.ask_to_stop();
        }
    }

    pub(super) fn print(&self, line: &str) {
        self.shared.progress.print(line);
    }

    /// A process that shows no progress reads the journal before its end only for a trial that may go red by then.
    fn interest(&self, subject: Subject) -> PollMode {
        let may_go_red = subject.kpi.is_some_and(may_be_certain_early);
        if self.shared.is_nextest && !may_go_red { PollMode::End } else { PollMode::News }
    }

    fn wait_for_session(&self, interest: PollMode) {
        // After a panic of this thread every trial would wait for ever.
        let outcome = catch_unwind(AssertUnwindSafe(|| self.wait_and_judge(interest)))
            .map_err(|_| "the runner panicked while it waited; what it said is on stderr".to_owned())
            .and_then(|outcome| outcome.map(Arc::new).map_err(|error| error.to_string()));
        self.shared.progress.finish(self.suite);
        *self.state.lock() = AttachmentState::Done(outcome);
        self.changed.notify_all();
    }

    fn wait_and_judge(&self, interest: PollMode) -> Result<SuiteOutcome, AttachError> {
        let folder = self.folder()?;
        let settings = &self.shared.settings;
        let plays_on_mock = settings.gateway_for(self.suite).is_none();
        let mut processes = ProcessSpawner::new(&settings.env.out, plays_on_mock).map_err(AttachError::Binary)?;
        let mut follower = Follower::new(Arc::clone(&self.shared.targets), interest);
        let attended = wait_for_session(&folder, &mut follower, &mut processes, &mut |follower, has_news| {
            self.seen(&folder, follower, has_news);
        })?;
        // The first process judges for all. On a full disk each judges for itself, with the same outcome.
        let _turn = Lock::exclusive(&folder.file(AttachFolder::OUTCOME_LOCK));
        if let Some(outcome) = folder.read_json(AttachFolder::OUTCOME)? {
            return Ok(outcome);
        }
        let run = folder.run_folder()?;
        if let Some(run) = &run {
            follower.catch_up(&run.journal())?;
        }
        let outcome = self.judged(follower.into_soak(), attended, &folder, run.as_ref());
        let _ = folder.write_json(AttachFolder::OUTCOME, &outcome);
        if let Some(path) = &self.shared.step_summary {
            let text = summary_markdown(&outcome.results, &outcome.folder);
            if let Err(error) = summary::append_once(path, &folder, &text) {
                self.print(&error.to_string());
            }
        }
        Ok(outcome)
    }

    /// Judges the record, and writes the last results if the session did not. Without a record nothing is proven.
    fn judged(
        &self,
        soak: Option<Soak>,
        attended: WaitOutcome,
        folder: &AttachFolder,
        run: Option<&RunFolder>,
    ) -> SuiteOutcome {
        let (settings, targets) = (&self.shared.settings, &self.shared.targets);
        let plan = soak.as_ref().map_or_else(|| settings.plan_of(self.suite), |soak| soak.header.plan.clone());
        let (header, mut history) = match soak {
            Some(Soak { header, history, .. }) => (Some(header), history),
            None => (None, History::new(&plan, &targets.sample_limits())),
        };
        let is_written = attended == WaitOutcome::Ended && run.is_some_and(last_results::are_final);
        let at_length = match attended {
            WaitOutcome::Ended => history.timeline.fatal().map(str::to_owned),
            WaitOutcome::Died { what, tail } => {
                history.absorb(&last_results::of_death(history.timeline.scenario_ms(), what, folder));
                Some(tail)
            }
        };
        let results = self.results(&plan, &history, Stage::Over);
        let folder = describe_folder(run);
        if let (Some(header), Some(run), false) = (&header, run, is_written) {
            last_results::write(&rendered(header, &history, &results, targets, (run, Occasion::Played), &folder));
        }
        SuiteOutcome { results, folder, at_length }
    }

    fn results(&self, plan: &Plan, history: &History, stage: Stage) -> Results {
        Results::of(plan, &self.shared.targets, history, &self.shared.settings.waivers_for(self.suite), stage)
    }

    fn folder(&self) -> Result<AttachFolder, FolderError> {
        AttachFolder::make(&self.shared.settings.env.out, &self.shared.key, self.suite)
    }

    /// Handles a look at the journal.
    fn seen(&self, folder: &AttachFolder, follower: &Follower, has_news: bool) {
        let Some(soak) = follower.soak() else { return };
        if has_news {
            self.take_in(folder, soak);
        }
        if has_news || self.shared.progress.is_live() {
            let results = self.shared.progress.is_live().then(|| self.latest_results(soak));
            let run = folder.run_folder().ok().flatten().filter(|_| self.shared.settings.env.live.is_some());
            let live_url = run.and_then(|run| fs::read_to_string(run.live_url()).ok());
            let live_url = live_url.as_deref().map(str::trim);
            self.shared.progress.show(self.suite, soak, results.as_deref(), &self.certain.lock(), live_url);
        }
    }

    fn latest_results(&self, soak: &Soak) -> Arc<Results> {
        let mut latest = self.latest.lock();
        let now = clock::now();
        match &*latest {
            Some((at, results)) if now.saturating_duration_since(*at) < JUDGED_EVERY => Arc::clone(results),
            _ => {
                let results = self.results(&soak.header.plan, &soak.history, Stage::Playing);
                Arc::clone(&latest.insert((now, Arc::new(results))).1)
            }
        }
    }

    /// Wakes the trials of KPIs that the news make missed for good.
    fn take_in(&self, folder: &AttachFolder, soak: &Soak) {
        let mut certain = self.certain.lock();
        let waivers = self.shared.settings.waivers_for(self.suite);
        let is_news = |kpi: &Kpi| {
            let is_waived = waivers.reason(Judged::Kpi, kpi.name()).is_some();
            !is_waived && !certain.contains_key(kpi) && is_already_certain(*kpi, &self.shared.targets, &soak.history)
        };
        let news: Vec<Kpi> = Kpi::of(self.suite).filter(is_news).collect();
        if news.is_empty() {
            return;
        }
        let results = Arc::new(self.results(&soak.header.plan, &soak.history, Stage::Playing));
        // The live display shows the same results at the same moment.
        *self.latest.lock() = Some((clock::now(), Arc::clone(&results)));
        let run = describe_folder(folder.run_folder().ok().flatten().as_ref());
        let at = moment(soak.history.timeline.scenario_ms());
        let as_of = format!("as of {at}, when it was missed for good; the results have the final figures");
        for kpi in news {
            let row = results.row(Judged::Kpi, kpi.name());
            let text = row.map(|row| failure_text(&row.judgement, self.suite, &run)).unwrap_or_default();
            certain.insert(kpi, format!("{text}\n  {as_of}"));
        }
        drop(certain);
        // A trial between its look and its wait holds the state: with the lock, no trial misses the notification.
        drop(self.state.lock());
        self.changed.notify_all();
    }
}

fn describe_folder(run: Option<&RunFolder>) -> String {
    run.map_or_else(|| "no folder was made".to_owned(), |run| session::display_path(&run.path()))
}
