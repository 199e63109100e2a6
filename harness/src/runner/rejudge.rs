//! Judging again: the trials of a stored journal's suite, by today's targets. Nothing is played, and no gateway needed.
//!
//! The results depend only on the journal, the targets, the waivers and today's `S2_BASELINE`, not on time, place or
//! path. With those of its session, they equal that session's to the byte.

use std::{io, path::PathBuf, sync::Arc};

use libtest_mimic::{Arguments, Conclusion, Trial};

use super::{
    OtherSuite, check_out,
    folder::{AttachFolder, FolderError, run_key},
    of_other_suite,
    outcome::{SuiteOutcome, answer},
    print_summary,
    stored::{StoredError, StoredJournal},
    summary,
    trials::{self, Ask, Subject},
};
use crate::{
    catalog::Suite,
    history::History,
    journal::{Header, Torn},
    judge::Targets,
    report::{FileInput, Glance, Occasion, RunFolder, files, summary_markdown},
    results::{Results, Stage, Waivers},
    session::{ArtifactError, display_path, replace},
    settings::{Environment, Settings},
};

/// Variables that matter only if something is played.
const NOT_USED: [&str; 7] =
    ["S2_GATEWAY_URL", "S2_TOKEN", "S2_GATEWAY_PID", "S2_WORKSPACE", "S2_PACE", "S2_SEED", "S2_LOG"];

/// A journal could not be judged again.
#[derive(Debug, thiserror::Error)]
pub(super) enum RejudgeError {
    #[error(transparent)]
    Stored(#[from] StoredError),
    #[error(transparent)]
    Out(#[from] io::Error),
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Results(#[from] ArtifactError),
    #[error(transparent)]
    Baseline(#[from] OtherSuite),
    #[error("S2_JOURNAL is not set")]
    NoJournal,
    #[error(
        "the journal {journal} is of {suite}, and none of {suite}'s trials is selected, so nothing was judged; \
         `-- {suite}::` selects all of them, and so does nextest's `-E 'test(/^{suite}::/)'`"
    )]
    NoneSelected { journal: String, suite: Suite },
}

/// Judges the journal that the settings name, and runs the trials of its suite.
pub(super) fn run(
    mut args: Arguments,
    settings: &Settings,
    environment: &Environment,
) -> Result<Conclusion, RejudgeError> {
    let journal = StoredJournal::open(settings.env.journal.as_deref().ok_or(RejudgeError::NoJournal)?)?;
    let suite = journal.header.plan.suite;
    let waivers = Waivers::new(settings.waivers.clone(), journal.header.plan.unsupported.clone());
    if args.list {
        return Ok(libtest_mimic::run(&args, trials_of(suite, &waivers, true, &trials::ask_nothing())));
    }
    // Judging again takes no hours: trials of `full` are judged without `--ignored`, too.
    args.include_ignored |= std::mem::take(&mut args.ignored);
    if let Some(other) = of_other_suite(settings, std::iter::once(suite)) {
        return Err(other.into());
    }
    let path = display_path(&journal.path);
    if !is_any_selected(&args, suite) {
        return Err(RejudgeError::NoneSelected { journal: path, suite });
    }
    let folder = RunFolder::new(&settings.env.out, suite, &journal.stamp());
    let (outcome, torn) = judged(journal, settings, &waivers, &path, &folder)?;
    let is_nextest = environment.nextest_run_id().is_some();
    if !is_nextest {
        eprintln!("judging {suite} again from {path}, by the targets of {}", settings.source);
        if let Some(Torn { line_number, bytes }) = torn {
            eprintln!("line {line_number}, of which there are {bytes} bytes, is not whole and left out");
        }
        let not_used: Vec<&str> = NOT_USED.into_iter().filter(|name| environment.get(name).is_some()).collect();
        if !not_used.is_empty() {
            eprintln!("nothing is played, so what is set of these is not used: {}", not_used.join(", "));
        }
    }
    if let Some(path) = environment.step_summary() {
        let text = summary_markdown(&outcome.results, &outcome.folder);
        let folder = AttachFolder::make(&settings.env.out, &run_key(environment), suite)?;
        if let Err(error) = summary::append_once(&path, &folder, &text) {
            eprintln!("{error}");
        }
    }
    let outcome = Arc::new(outcome);
    let judged = Arc::clone(&outcome);
    let ask: Arc<Ask> = Arc::new(move |subject| answer(subject, &judged));
    let conclusion = libtest_mimic::run(&args, trials_of(suite, &waivers, false, &ask));
    if !is_nextest {
        print_summary(&format!("{suite}, judged again: {}", display_path(&folder.rejudged())), &outcome.results);
    }
    Ok(conclusion)
}

/// Returns the outcome, and writes the output files.
fn judged(
    journal: StoredJournal,
    settings: &Settings,
    waivers: &Waivers,
    path: &str,
    into: &RunFolder,
) -> Result<(SuiteOutcome, Option<Torn>), RejudgeError> {
    check_out(&settings.env.out)?;
    let (header, history, torn) = journal.fold(&settings.targets)?;
    let description = format!("judged again from {path}; results in {}", display_path(&into.rejudged()));
    let results = Results::of(&header.plan, &settings.targets, &history, waivers, Stage::Over);
    let occasion = Occasion::JudgedAgain;
    let files = rendered(&header, &history, &results, &settings.targets, (into, occasion), &description);
    files.iter().try_for_each(|(path, text)| replace(path, text))?;
    Ok((SuiteOutcome { results, folder: description, at_length: history.timeline.fatal().map(str::to_owned) }, torn))
}

/// Renders the output files of a record and its results. `folder` is the place where failures say to read on.
pub(super) fn rendered(
    header: &Header,
    history: &History,
    results: &Results,
    targets: &Targets,
    (into, occasion): (&RunFolder, Occasion),
    folder: &str,
) -> Vec<(PathBuf, String)> {
    let glance = &Glance::at(&header.plan, targets, history);
    let (series, timeline) = (&history.charts, &history.timeline);
    let input = FileInput { header, results, glance, series, timeline, targets, folder };
    files(into, occasion).into_iter().map(|file| file.rendered(&input)).collect()
}

/// All trials. Those of other suites and those that are waived today are ignored: in a list by their flag, so that
/// nextest leaves them out, else by their outcome.
fn trials_of(suite: Suite, waivers: &Waivers, is_listed: bool, ask: &Arc<Ask>) -> Vec<Trial> {
    let trial = |subject: Subject| {
        let other = (subject.suite != suite).then(|| format!("the journal is of {suite}"));
        let excuse = other.or_else(|| trials::excuse(subject, Some(waivers)));
        let is_ignored = is_listed && excuse.is_some();
        trials::trial(subject, excuse, is_ignored, Arc::clone(ask))
    };
    Subject::all().map(trial).collect()
}

/// Whether the arguments select any trial of a suite; a waived trial counts.
fn is_any_selected(args: &Arguments, suite: Suite) -> bool {
    let of_suite = Subject::all().filter(|subject| subject.suite == suite);
    let mut trials = of_suite.map(|subject| trials::trial(subject, None, false, trials::ask_nothing()));
    trials.any(|trial| !args.is_filtered_out(&trial))
}
