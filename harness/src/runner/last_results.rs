//! The results of a session that could not write its last ones itself: it died, or was killed between its end and them.

use std::fs;

use super::{attach::WaitOutcome, folder::AttachFolder, rejudge::rejudged, stored::StoredJournal};
use crate::{
    catalog::Phase,
    journal::{Finding, Incident, Record},
    report::{Occasion, RunFolder},
    session::{display_path, replace},
    settings::Settings,
};

/// Returns the runner's record of a session that left no end. Verdicts and results use it as if it stood in the journal.
pub(super) fn of_death(at_ms: u64, what: &str, folder: &AttachFolder) -> Record {
    let why = folder.cannot_go_on().ok().flatten().map_or_else(String::new, |why| format!("; it said: {why}"));
    let log = folder.session_log();
    let message = format!("the session died: {what}{why}; its log is {}", log.display());
    Record::Incident(Incident { at_ms, phase: Phase::Steady, finding: Finding::Fatal { message } })
}

/// Writes the results from the journal, unless the session has written its last ones. Where that cannot be done, the
/// trials say all the same what came of the soak.
pub(super) fn leave(run: &RunFolder, attended: &WaitOutcome, folder: &AttachFolder, settings: &Settings) {
    if *attended == WaitOutcome::Ended && are_final(run) {
        return;
    }
    let stored = StoredJournal::open(&run.journal()).and_then(|journal| journal.fold(&settings.targets));
    let Ok((header, mut history, _)) = stored else { return };
    if let WaitOutcome::Died { what, .. } = attended {
        history.absorb(&of_death(history.timeline.scenario_ms(), what, folder));
    }
    let folder = display_path(&run.path());
    for (path, text) in rejudged(&header, &history, settings, run, Occasion::Played, &folder).1 {
        if let Err(error) = replace(&path, &text) {
            eprintln!("{error}");
        }
    }
}

/// Whether the results know of the soak's end.
fn are_final(run: &RunFolder) -> bool {
    let results = fs::read(run.results()).unwrap_or_default();
    let results: serde_json::Value = serde_json::from_slice(&results).unwrap_or_default();
    results.pointer("/summary/endedAt").is_some_and(serde_json::Value::is_string)
}
