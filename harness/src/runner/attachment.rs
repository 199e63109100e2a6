//! One attachment a suite and process, shared by all its trials: they ask, and wait until there is an answer.

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
    folder::AttachFolder,
    follow::{Follower, PollMode, Soak},
    last_results,
    lock::Lock,
    outcome::{SuiteOutcome, answer},
    progress::{Progress, ProgressView},
    spawn::ProcessSpawner,
    summary,
    trials::Subject,
};
use crate::{
    catalog::{Kpi, Suite},
    clock,
    history::History,
    judge::{Judged, Targets, is_already_certain, may_be_certain_early},
    plan::moment,
    report::{RunFolder, failure_text, summary_markdown},
    results::{Results, Stage},
    session,
    settings::Settings,
};

/// While a soak is watched it is judged no more often: that takes from the same machine.
const JUDGED_EVERY: Duration = Duration::from_secs(1);

/// Inputs that all attachments of a process share.
#[derive(Debug)]
pub(super) struct SharedInputs {
    pub(super) settings: Arc<Settings>,
    pub(super) targets: Arc<Targets>,
    /// Tells this test run from others.
    pub(super) key: String,
    /// Under nextest this process is one of many, with one trial.
    pub(super) is_nextest: bool,
    pub(super) progress: Progress,
    /// The file that the CI job's summary is made of.
    pub(super) step_summary: Option<PathBuf>,
}

#[derive(Debug)]
enum AttachmentState {
    /// Nobody has asked yet.
    Idle,
    /// A thread waits and judges. Nobody joins it: where every trial has its answer before, the process may end.
    Waiting,
    Done(Result<Arc<SuiteOutcome>, String>),
}

/// The attachment of this process to the session of a suite.
#[derive(Debug)]
pub(super) struct Attachment {
    suite: Suite,
    shared: Arc<SharedInputs>,
    state: Mutex<AttachmentState>,
    /// KPIs that are missed, whatever is still to come, and what there is to say about them.
    certain: Mutex<BTreeMap<Kpi, String>>,
    /// For who watches: the latest results, and when they were judged.
    latest: Mutex<Option<(Instant, Arc<Results>)>>,
    changed: Condvar,
}

impl Attachment {
    /// Nothing happens before somebody asks.
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

    /// Returns the outcome of a trial's subject. The first caller attaches, and all callers wait: for the end of the session,
    /// or until nothing that is still to come can help.
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

    /// Returns the outcome of the suite, if its end was waited for.
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

    /// Says a thing to who watches.
    pub(super) fn print(&self, line: &str) {
        self.shared.progress.print(line);
    }

    /// A process that shows no progress looks at the journal before its end only for a trial that may go red by then.
    fn interest(&self, subject: Subject) -> PollMode {
        let may_go_red = subject.kpi.is_some_and(may_be_certain_early);
        if self.shared.is_nextest && !may_go_red { PollMode::End } else { PollMode::News }
    }

    fn wait_for_session(&self, interest: PollMode) {
        // A panic that nobody hears of would leave every trial waiting.
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
        // The first judges, and tells the others: of one soak there is one verdict. On a disk that takes nothing any more
        // each judges for itself, and comes to the same.
        let _turn = Lock::exclusive(&folder.outcome_lock());
        if let Some(outcome) = folder.outcome()? {
            return Ok(outcome);
        }
        let run = folder.run_folder()?;
        if let Some(run) = &run {
            follower.catch_up(&run.journal())?;
        }
        if let Some(run) = &run {
            last_results::leave(run, &attended, &folder, settings);
        }
        let outcome = self.judged(follower.into_soak(), attended, &folder, run.as_ref());
        let _ = folder.write_outcome(&outcome);
        if let Some(path) = &self.shared.step_summary {
            let text = summary_markdown(&outcome.results, &outcome.folder);
            if let Err(error) = summary::append_once(path, &folder, &text) {
                self.print(&error.to_string());
            }
        }
        Ok(outcome)
    }

    fn judged(
        &self,
        soak: Option<Soak>,
        attended: WaitOutcome,
        folder: &AttachFolder,
        run: Option<&RunFolder>,
    ) -> SuiteOutcome {
        let mut soak = soak.unwrap_or_else(|| self.soak_that_never_began());
        let at_length = match attended {
            WaitOutcome::Ended => soak.history.timeline.fatal().map(str::to_owned),
            WaitOutcome::Died { what, tail } => {
                let at_ms = soak.history.timeline.scenario_ms();
                soak.history.absorb(&last_results::of_death(at_ms, what, folder));
                Some(tail)
            }
        };
        SuiteOutcome { results: self.results(&soak, Stage::Over), folder: describe_folder(run), at_length }
    }

    fn results(&self, soak: &Soak, stage: Stage) -> Results {
        let waivers = self.shared.settings.waivers_for(self.suite);
        Results::of(&soak.plan, &self.shared.targets, &soak.history, &waivers, stage)
    }

    fn folder(&self) -> Result<AttachFolder, super::FolderError> {
        AttachFolder::make(&self.shared.settings.env.out, &self.shared.key, self.suite)
    }

    /// Even then there are verdicts: nothing is proven.
    fn soak_that_never_began(&self) -> Soak {
        let settings = &self.shared.settings;
        let plan = settings.plan_of(self.suite);
        let history = History::new(&plan, &self.shared.targets.sample_limits());
        Soak::new(plan, history)
    }

    /// The journal was looked at.
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
            let view = ProgressView { soak, results: results.as_deref(), certain: &self.certain.lock(), live_url };
            self.shared.progress.show(self.suite, &view);
        }
    }

    fn latest_results(&self, soak: &Soak) -> Arc<Results> {
        let mut latest = self.latest.lock();
        let now = clock::now();
        match &*latest {
            Some((at, results)) if now.saturating_duration_since(*at) < JUDGED_EVERY => Arc::clone(results),
            _ => Arc::clone(&latest.insert((now, Arc::new(self.results(soak, Stage::Playing)))).1),
        }
    }

    /// Looks whether a KPI is missed for good by what is new, and tells its trial.
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
        let results = Arc::new(self.results(soak, Stage::Playing));
        // Who watches is shown the same at the same moment.
        *self.latest.lock() = Some((clock::now(), Arc::clone(&results)));
        let run = describe_folder(folder.run_folder().ok().flatten().as_ref());
        // The soak goes on, and what is told here is told at once.
        let at = moment(soak.history.timeline.scenario_ms());
        let as_of = format!("as of {at}, when it was missed for good; the results have the final figures");
        for kpi in news {
            let row = results.row(Judged::Kpi, kpi.name());
            let text = row.map(|row| failure_text(&row.judgement, self.suite, &run)).unwrap_or_default();
            certain.insert(kpi, format!("{text}\n  {as_of}"));
        }
        drop(certain);
        // A trial between looking and waiting holds the state; whoever tells it now has been heard.
        drop(self.state.lock());
        self.changed.notify_all();
    }
}

fn describe_folder(run: Option<&RunFolder>) -> String {
    run.map_or_else(|| "no folder was made".to_owned(), |run| session::display_path(&run.path()))
}
