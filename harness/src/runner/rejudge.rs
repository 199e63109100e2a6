//! Judging again: the trials of a stored journal's suite, by today's targets. Nothing is played, and no gateway needed.
//!
//! The results depend on the journal, the targets, the waivers and the baseline (`S2_BASELINE` of today, whatever the
//! soak was compared with) alone: not on when, where or from which path it is judged. With those it was played with, they
//! are to the byte what its session wrote.

use std::{fmt, io, path::PathBuf, sync::Arc};

use libtest_mimic::{Arguments, Conclusion, Trial};

use super::{
    OtherSuite, check_out,
    folder::{AttachFolder, FolderError, run_key},
    of_other_suite,
    outcome::{SuiteOutcome, answer},
    progress,
    stored::{StoredError, StoredJournal},
    summary,
    trials::{self, Ask, Subject},
};
use crate::{
    catalog::Suite,
    history::History,
    journal::{Header, Torn},
    report::{FileInput, Glance, Occasion, RunFolder, comparison_table, files, kpi_table, summary_markdown},
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
    /// Nothing judged is nothing proven.
    #[error(
        "the journal {journal} is of {suite}, and none of {suite}'s trials is selected, so nothing was judged; \
         `-- {suite}::` selects all of them, and so does nextest's `-E 'test(/^{suite}::/)'`"
    )]
    NoneSelected { journal: String, suite: Suite },
}

/// Judges the journal that the settings name, and lets the trials of its suite say what came of it.
pub(super) fn run(
    mut args: Arguments,
    settings: &Settings,
    environment: &Environment,
) -> Result<Conclusion, RejudgeError> {
    let journal = StoredJournal::open(settings.env.journal.as_deref().ok_or(RejudgeError::NoJournal)?)?;
    let suite = journal.header().plan.suite;
    let waivers = Waivers::new(settings.waivers.clone(), journal.header().plan.unsupported.clone());
    if args.list {
        let nobody: Arc<Ask> = Arc::new(|_| Ok(()));
        return Ok(libtest_mimic::run(&args, trials_of(suite, &waivers, true, &nobody)));
    }
    // `full` is ignored because of the hours that it takes, and here it takes none: its trials are judged whether or not
    // ignored ones are asked for, and those that are not judged say themselves why.
    args.include_ignored |= std::mem::take(&mut args.ignored);
    if let Some(other) = of_other_suite(settings, std::iter::once(suite)) {
        return Err(other.into());
    }
    let path = display_path(journal.path());
    if !is_any_selected(&args, suite) {
        return Err(RejudgeError::NoneSelected { journal: path, suite });
    }
    let folder = RunFolder::new(&settings.env.out, suite, &journal.stamp());
    let results = folder.rejudged();
    let (outcome, torn) = judged(journal, settings, &path, &folder)?;
    let is_nextest = environment.nextest_run_id().is_some();
    if !is_nextest {
        print_preamble(&Preamble { path: &path, suite, settings, torn, not_used: not_used(environment) });
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
        let table = kpi_table(&outcome.results, progress::stderr_look());
        eprintln!("{suite}, judged again: {}\n\n{table}", display_path(&results));
        outcome.results.comparison.iter().for_each(|comparison| eprintln!("\n{}", comparison_table(comparison)));
    }
    Ok(conclusion)
}

/// The outcome, which also stands in the output files from now on.
fn judged(
    journal: StoredJournal,
    settings: &Settings,
    path: &str,
    into: &RunFolder,
) -> Result<(SuiteOutcome, Option<Torn>), RejudgeError> {
    check_out(&settings.env.out)?;
    let (header, history, torn) = journal.fold(&settings.targets)?;
    let description = format!("judged again from {path}; results in {}", display_path(&into.rejudged()));
    let (results, rendered) = rejudged(&header, &history, settings, into, Occasion::JudgedAgain, &description);
    rendered.iter().try_for_each(|(path, text)| replace(path, text))?;
    Ok((SuiteOutcome { results, folder: description, at_length: history.timeline.fatal().map(str::to_owned) }, torn))
}

/// Judges a record by today's settings: the results, and the output files with their content. `folder` is where failures say to read
/// on.
pub(super) fn rejudged(
    header: &Header,
    history: &History,
    settings: &Settings,
    into: &RunFolder,
    occasion: Occasion,
    folder: &str,
) -> (Results, Vec<(PathBuf, String)>) {
    let (plan, targets) = (&header.plan, &settings.targets);
    let waivers = Waivers::new(settings.waivers.clone(), plan.unsupported.clone());
    let results = Results::of(plan, targets, history, &waivers, Stage::Over);
    let glance = &Glance::at(plan, targets, history);
    let (series, timeline) = (&history.charts, &history.timeline);
    let input = FileInput { header, results: &results, glance, series, timeline, targets, folder };
    let rendered = files(into, occasion).map(|file| file.rendered(&input)).into();
    (results, rendered)
}

/// Every trial there is. Those of other suites are ignored, and of its own those that are waived today: in a list by
/// their mark, so that nextest leaves them out, else in words.
fn trials_of(suite: Suite, waivers: &Waivers, is_listed: bool, ask: &Arc<Ask>) -> Vec<Trial> {
    let trial = |subject: Subject| {
        let other = (subject.suite != suite).then(|| format!("the journal is of {suite}"));
        let excuse = other.or_else(|| trials::excuse(subject, Some(waivers)));
        let is_ignored = is_listed && excuse.is_some();
        trials::trial(subject, excuse, is_ignored, Arc::clone(ask))
    };
    Subject::all().map(trial).collect()
}

/// Whether the arguments select any trial of a suite. One that is waived is selected, and says so.
fn is_any_selected(args: &Arguments, suite: Suite) -> bool {
    let nobody: Arc<Ask> = Arc::new(|_| Ok(()));
    let of_suite = Subject::all().filter(|subject| subject.suite == suite);
    let mut trials = of_suite.map(|subject| trials::trial(subject, None, false, Arc::clone(&nobody)));
    trials.any(|trial| !args.is_filtered_out(&trial))
}

fn not_used(environment: &Environment) -> Vec<&'static str> {
    NOT_USED.into_iter().filter(|name| environment.get(name).is_some()).collect()
}

/// Information for a person before the verdicts.
struct Preamble<'a> {
    path: &'a str,
    suite: Suite,
    settings: &'a Settings,
    torn: Option<Torn>,
    not_used: Vec<&'static str>,
}

fn print_preamble(said: &Preamble<'_>) {
    eprint!("{said}");
}

impl fmt::Display for Preamble<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, suite, settings, torn, not_used } = self;
        writeln!(f, "judging {suite} again from {path}, by the targets of {}", settings.source)?;
        if let Some(Torn { line_number, bytes }) = torn {
            writeln!(f, "line {line_number}, of which there are {bytes} bytes, is not whole and left out")?;
        }
        if !not_used.is_empty() {
            writeln!(f, "nothing is played, so what is set of these is not used: {}", not_used.join(", "))?;
        }
        Ok(())
    }
}
