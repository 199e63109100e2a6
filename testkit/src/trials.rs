//! Trials, and trials that need a program which the machine may lack.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use crate::AnyError;

/// If this is set, a missing program fails the trials that need it. CI sets it: there, nothing may stay untested.
const REQUIRE: &str = "REQUIRE_TEST_PROGRAMS";

/// A program that trials start.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    name: &'static str,
    /// The command that installs it.
    install: &'static str,
}

/// A Redis server.
pub const REDIS_SERVER: Program = Program { name: "redis-server", install: "apt-get install redis-server" };
/// A browser.
pub const CHROMIUM: Program = Program { name: "chromium", install: "apt-get install chromium" };
/// The program that controls [`CHROMIUM`].
pub const CHROMEDRIVER: Program = Program { name: "chromedriver", install: "apt-get install chromium-driver" };
/// A runtime with a garbage collector.
pub const NODE: Program = Program { name: "node", install: "apt-get install nodejs" };
/// The test runner that CI jobs use.
pub const CARGO_NEXTEST: Program = Program { name: "cargo-nextest", install: "cargo install cargo-nextest --locked" };

impl Program {
    /// Whether it is on the `PATH`.
    fn is_installed(self) -> bool {
        let path = std::env::vars_os().find(|(name, _)| name == "PATH").map(|(_, path)| path).unwrap_or_default();
        std::env::split_paths(&path).any(|folder| is_executable(&folder.join(self.name)))
    }
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

/// A trial from a function that returns an error if it fails.
pub fn trial(name: impl Into<String>, test: impl FnOnce() -> Result<(), AnyError> + Send + 'static) -> Trial {
    Trial::test(name, move || test().map_err(|error| Failed::from(error.to_string())))
}

/// Trials that need these programs. If one is missing, they are ignored, and the report gives the reason; with the
/// environment variable `REQUIRE_TEST_PROGRAMS`, or with `--ignored`, they fail with the same reason.
#[must_use]
pub fn needing(programs: &[Program], args: &Arguments, trials: Vec<Trial>) -> Vec<Trial> {
    let missing: Vec<Program> = programs.iter().copied().filter(|program| !program.is_installed()).collect();
    if missing.is_empty() {
        return trials;
    }
    let reasons: Vec<String> = missing.iter().map(|it| format!("no {}: {}", it.name, it.install)).collect();
    let reason = reasons.join("; ");
    let is_required = std::env::vars_os().any(|(name, _)| name == REQUIRE);
    let reason = if is_required { format!("{reason} ({REQUIRE} is set)") } else { reason };
    if args.list && !args.ignored && !is_required {
        // The list itself has names only.
        eprintln!("{} ignored trials: {reason}", trials.len());
    }
    let is_error = is_required || args.ignored;
    // A trial that is ignored by its flag has no reason in the report. So the flag is set only for lists, since nextest skips what
    // a list says is ignored, and for `--ignored`, which selects by it.
    let is_flagged = !is_required && (args.list || args.ignored);
    let unplayed = trials.into_iter().map(|trial| {
        let reason = reason.clone();
        let outcome = move || if is_error { Err(Failed::from(reason)) } else { Ok(Completion::ignored_with(reason)) };
        Trial::ignorable_test(trial.name(), outcome).with_ignored_flag(is_flagged)
    });
    unplayed.collect()
}
