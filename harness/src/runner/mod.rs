//! The test binary: named trials, attached to one session a suite.
//!
//! The binary plays three roles. As the runner it is a libtest: its trials wait for a session and report the verdicts.
//! It starts itself again as the session, and as the embedded gateway. They find one another through a folder and the
//! kernel's file locks, so trials may be threads (`cargo test`) or processes (nextest).
//!
//! With `S2_JOURNAL` the trials are judged from a stored journal, and no session starts.

mod attach;
mod attachment;
mod folder;
mod follow;
mod interrupt;
mod last_results;
mod lock;
mod outcome;
mod preflight;
mod progress;
mod rejudge;
#[cfg(test)]
mod rejudge_tests;
mod role;
mod spawn;
mod stdout;
mod stored;
mod summary;
#[cfg(test)]
mod tests;
mod trials;

use std::{collections::BTreeMap, error::Error, fs, io, path::Path, process::ExitCode, sync::Arc};

use attachment::{Attachment, SharedInputs};
use libtest_mimic::{Arguments, ColorSetting};
use progress::Progress;
pub use role::{Embedded, EmbeddedGateway, StartingGateway};

use crate::{
    catalog::Suite,
    report::{comparison_table, kpi_table},
    results::{Results, Waivers},
    settings::{Environment, Settings, Source},
};

/// Exit code for wrong settings, arguments or output folder: no trial was run.
const WRONG_USE: u8 = 2;

/// The test binary's `main`, in each of its roles.
#[must_use]
pub fn main(embedded: &Embedded) -> ExitCode {
    let environment = Environment::from_process();
    if let Some(code) = role::play(&environment, embedded) {
        return code;
    }
    let args = Arguments::from_args();
    match Settings::load(&environment, embedded.soak_toml) {
        Ok(settings) if settings.env.journal.is_some() => match rejudge::run(args, &settings, &environment) {
            Ok(conclusion) => conclusion.exit_code(),
            Err(error) => wrong_use(&error),
        },
        Ok(settings) => run(args, settings, &environment),
        Err(error) => wrong_use(&error),
    }
}

fn wrong_use(error: &dyn Error) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(WRONG_USE)
}

fn run(mut args: Arguments, settings: Settings, environment: &Environment) -> ExitCode {
    let waivers: BTreeMap<Suite, Waivers> =
        Suite::ALL.iter().map(|suite| (*suite, settings.waivers_for(*suite))).collect();
    let suites = if args.list { Vec::new() } else { trials::suites_to_play(&args, &waivers) };
    if let Some(other) = of_other_suite(&settings, suites.iter().copied()) {
        return wrong_use(&other);
    }
    let settings = Arc::new(settings);
    let preflights = preflight::trials(&args, &settings);
    if (!suites.is_empty() || preflight::is_played(&args, &settings))
        && let Err(error) = check_out(&settings.env.out)
    {
        return wrong_use(&error);
    }
    let is_nextest = environment.nextest_run_id().is_some();
    if !suites.is_empty() && !is_nextest && settings.source == Source::BuiltIn {
        eprintln!("no tests/soak.toml below {}: playing {}", environment.folder().display(), settings.source);
    }
    let shared = Arc::new(SharedInputs {
        targets: Arc::new(settings.targets.clone()),
        key: folder::run_key(environment),
        is_nextest,
        progress: Progress::new(is_nextest),
        step_summary: environment.step_summary(),
        settings,
    });
    let attachments: BTreeMap<Suite, Arc<Attachment>> =
        suites.iter().map(|suite| (*suite, Arc::new(Attachment::new(*suite, Arc::clone(&shared))))).collect();
    let attachments = Arc::new(attachments);
    if !suites.is_empty() {
        interrupt::listen(Arc::clone(&attachments));
    }
    let asked = Arc::clone(&attachments);
    let ask: Arc<trials::Ask> = Arc::new(move |subject| match asked.get(&subject.suite) {
        Some(attachment) => attachment.ask(subject),
        None => Err(format!("{} was not to be played", subject.suite)),
    });
    let mut trials = trials::trials(&waivers, args.list || args.ignored, &ask);
    trials.extend(preflights);
    // Trials only wait. A trial without a thread would keep its suite from starting beside the others.
    args.test_threads = args.test_threads.or(Some(trials.len()));
    let carried = shared.progress.carry_stdout();
    if carried.is_some() && args.color.is_none() {
        // The report writes to a pipe, and does not see the terminal behind it.
        args.color = console::colors_enabled().then_some(ColorSetting::Always);
    }
    let conclusion = libtest_mimic::run(&args, trials);
    if let Some(carried) = carried {
        carried.finish();
    }
    if !is_nextest {
        for (suite, attachment) in &*attachments {
            if let Some(outcome) = attachment.outcome() {
                print_summary(&format!("{suite}: {}", outcome.folder), &outcome.results);
            }
        }
    }
    conclusion.exit_code()
}

/// The baseline is of another suite. Ignored in silence, it would look like one without a regression.
#[derive(Debug, thiserror::Error)]
#[error(
    "S2_BASELINE names results of {baseline}, and {judged} is to be judged: only runs of one suite compare; \
     `-- {baseline}::` selects that suite alone, and so does nextest's `-E 'test(/^{baseline}::/)'`"
)]
struct OtherSuite {
    baseline: Suite,
    judged: Suite,
}

fn of_other_suite(settings: &Settings, mut judged: impl Iterator<Item = Suite>) -> Option<OtherSuite> {
    let baseline = settings.targets.baseline()?.suite();
    judged.find(|judged| *judged != baseline).map(|judged| OtherSuite { baseline, judged })
}

/// Checks that results can be written: one error before the soak instead of one for each trial.
fn check_out(out: &Path) -> io::Result<()> {
    let check = || {
        fs::create_dir_all(out)?;
        tempfile::tempfile_in(out).map(drop)
    };
    check().map_err(|e| {
        let out = out.display();
        io::Error::new(e.kind(), format!("cannot write to {out}: {e}; results go there, and S2_OUT names another"))
    })
}

/// Prints results on stderr. Stdout belongs to the test report.
fn print_summary(headline: &str, results: &Results) {
    eprintln!("{headline}\n\n{}", kpi_table(results, progress::stderr_look()));
    results.comparison.iter().for_each(|comparison| eprintln!("\n{}", comparison_table(comparison)));
}
