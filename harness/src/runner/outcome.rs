//! The outcome of a suite, and the result of a trial.

use serde::{Deserialize, Serialize};

use super::trials::Subject;
use crate::{
    report::failure_text,
    results::{Results, Status},
};

/// The outcome of a suite.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SuiteOutcome {
    pub(super) results: Results,
    /// The folder of the soak, as a person would name it; or in other words where to read on.
    pub(super) folder: String,
    /// Reason why the session stopped, in full, for the one trial that is about it. Other trials have a line of it.
    pub(super) at_length: Option<String>,
}

/// Returns the result of a trial for its subject.
pub(super) fn answer(subject: Subject, outcome: &SuiteOutcome) -> Result<(), String> {
    match outcome.results.row(subject.kind, subject.name) {
        Some(row) if row.status == Status::Pass => Ok(()),
        Some(row) => {
            let text = failure_text(&row.judgement, subject.suite, &outcome.folder);
            let at_length = outcome.at_length.as_ref().filter(|_| subject.is_about_fatal_errors());
            Err(at_length.map_or_else(|| text.clone(), |at_length| format!("{text}\n\n{}", indented(at_length))))
        }
        None => Err(format!("{} was not judged; the soak in {} had another plan", subject.name, outcome.folder)),
    }
}

/// Text that is told whole. No line of it looks like one of the test report's, and no character steers a terminal.
fn indented(text: &str) -> String {
    let plain =
        |line: &str| line.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect::<String>();
    text.lines().map(|line| format!("  {}", plain(line))).collect::<Vec<_>>().join("\n")
}
