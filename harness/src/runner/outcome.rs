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
    /// The folder of the soak for display, or other words on where to read on.
    pub(super) folder: String,
    /// The full reason why the session stopped, for the trial about fatal errors. Other trials show a line of it.
    pub(super) at_length: Option<String>,
}

/// Returns the result of a trial for its subject.
pub(super) fn answer(subject: Subject, outcome: &SuiteOutcome) -> Result<(), String> {
    match outcome.results.row(subject.kind, subject.name) {
        Some(row) if row.status == Status::Pass => Ok(()),
        Some(row) => {
            let text = failure_text(&row.judgement, subject.suite, &outcome.folder);
            match &outcome.at_length {
                Some(at_length) if subject.is_about_fatal_errors() => Err(format!("{text}\n\n{}", indented(at_length))),
                _ => Err(text),
            }
        }
        None => Err(format!("{} was not judged; the soak in {} had another plan", subject.name, outcome.folder)),
    }
}

/// A text in full, with no line that looks like one of the test report, and no control character.
fn indented(text: &str) -> String {
    let plain =
        |line: &str| line.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect::<String>();
    text.lines().map(|line| format!("  {}", plain(line))).collect::<Vec<_>>().join("\n")
}
