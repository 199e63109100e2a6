//! The results of a session that could not write its last ones itself: it died, or was killed between its end and them.

use std::{fs, path::PathBuf};

use super::folder::AttachFolder;
use crate::{
    catalog::Phase,
    journal::{Finding, Incident, Record},
    report::RunFolder,
    session::replace,
};

/// Returns the record of a session that left no end, for verdicts and results.
pub(super) fn of_death(at_ms: u64, what: &str, folder: &AttachFolder) -> Record {
    let why = folder
        .read(AttachFolder::CANNOT_GO_ON)
        .ok()
        .flatten()
        .map_or_else(String::new, |why| format!("; it said: {why}"));
    let message =
        format!("the session died: {what}{why}; its log is {}", folder.file(AttachFolder::SESSION_LOG).display());
    Record::Incident(Incident { at_ms, phase: Phase::Steady, finding: Finding::Fatal { message } })
}

/// Writes the output files. A file that cannot be written changes no verdict.
pub(super) fn write(files: &[(PathBuf, String)]) {
    for error in files.iter().filter_map(|(path, text)| replace(path, text).err()) {
        eprintln!("{error}");
    }
}

/// Whether the results know of the soak's end.
pub(super) fn are_final(run: &RunFolder) -> bool {
    let results = fs::read(run.results()).unwrap_or_default();
    let results: serde_json::Value = serde_json::from_slice(&results).unwrap_or_default();
    results.pointer("/summary/endedAt").is_some_and(serde_json::Value::is_string)
}
