//! The environment, read once: settings that differ by place, and variables that the runner sets for its children.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::problem::{Problems, nearest};

/// The place of problems with the environment.
pub(super) const PLACE: &str = "the environment";

/// The variables that a user may set.
const PUBLIC: [&str; 17] = [
    "S2_GATEWAY_URL",
    "S2_TOKEN",
    "S2_TOKEN_FILE",
    "S2_TOKEN_COMMAND",
    "S2_CA_FILE",
    "S2_TLS_VERIFY",
    "S2_WORKSPACE",
    "S2_GATEWAY_PID",
    "S2_DIALECT",
    "S2_PACE",
    "S2_OUT",
    "S2_CONFIG",
    "S2_SEED",
    "S2_LOG",
    "S2_JOURNAL",
    "S2_LIVE",
    "S2_BASELINE",
];

/// The role that a re-executed binary plays.
pub const ROLE: &str = "S2_ROLE";
/// The folder in which a session, its gateway and its trials find one another.
pub const ATTACH: &str = "S2_ATTACH";
/// The suite that a session or gateway is for.
pub const SUITE: &str = "S2_SUITE";
/// The variables that the runner passes to its children.
const INTERNAL: [&str; 3] = [ROLE, ATTACH, SUITE];

/// Set by nextest, the same for all processes of a run.
const NEXTEST_RUN_ID: &str = "NEXTEST_RUN_ID";
/// Set by GitHub: the file for a step's summary.
const STEP_SUMMARY: &str = "GITHUB_STEP_SUMMARY";
/// Variables that other programs set and S2 reads.
const OTHERS: [&str; 2] = [NEXTEST_RUN_ID, STEP_SUMMARY];

/// The part of a process's environment that S2 reads. Tests construct one instead of changing their own. It has no `Debug`, since one
/// of the values is a token.
#[derive(Clone)]
pub struct Environment {
    folder: PathBuf,
    variables: BTreeMap<String, String>,
    not_text: Vec<String>,
}

impl Environment {
    /// This process's.
    #[must_use]
    pub fn from_process() -> Self {
        let folder = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
        let mut environment = Self::new(folder, []);
        for (name, value) in std::env::vars_os() {
            let Some(name) = name.to_str().filter(|name| name.starts_with("S2_") || OTHERS.contains(name)) else {
                continue;
            };
            match value.into_string() {
                Ok(value) => drop(environment.variables.insert(name.to_owned(), value)),
                Err(_) => environment.not_text.push(name.to_owned()),
            }
        }
        environment
    }

    /// An environment for tests. Relative paths start at `folder`.
    #[must_use]
    pub fn new<'a>(folder: PathBuf, variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { folder, variables, not_text: Vec::new() }
    }

    /// The value of a variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// The value of a variable that is not empty.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// The path in a variable, absolute.
    pub(super) fn path(&self, name: &str) -> Option<PathBuf> {
        self.value(name).map(|path| self.folder.join(path))
    }

    /// The id of this nextest run, under nextest.
    #[must_use]
    pub fn nextest_run_id(&self) -> Option<&str> {
        self.value(NEXTEST_RUN_ID)
    }

    /// The file for the summary of a step of a CI job.
    #[must_use]
    pub fn step_summary(&self) -> Option<PathBuf> {
        self.path(STEP_SUMMARY)
    }

    /// Where relative paths start.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Without this check a misspelt or empty variable would silently turn a soak of a gateway into one of the mock.
    pub(super) fn check(&self, problems: &Problems) {
        let known = || PUBLIC.iter().chain(&INTERNAL).copied();
        for (name, value) in &self.variables {
            if !OTHERS.contains(&name.as_str()) && !known().any(|known| known == name) {
                let near = nearest(name, PUBLIC.iter().copied());
                let near = near.map_or_else(String::new, |near| format!("did you mean `{near}`? "));
                problems.add(PLACE, name, format!("is no variable of S2's; {near}there are {}", PUBLIC.join(", ")));
            } else if value.is_empty() && name.starts_with("S2_") {
                problems.add(PLACE, name, "is set but empty; give it a value, or unset it");
            }
        }
        for name in &self.not_text {
            problems.add(PLACE, name, "is not UTF-8 text");
        }
    }
}
