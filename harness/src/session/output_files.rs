//! The output files of a soak, as a session writes them: at every snapshot, and at the end.

use std::path::PathBuf;

use tokio::task::JoinSet;

use super::{
    ArtifactError, Context, Recorder,
    artifacts::{self, Evaluation},
    begin::StartedSession,
    descriptors,
};
use crate::{
    journal::{Finding, clip},
    report::{Occasion, OutputFile, files},
    results::Stage,
};

/// Writes a snapshot and the output files. A file that cannot be written does not stop the soak: the journal is the record, and
/// has it that whoever looks for the file finds an old one or none.
pub(super) fn write_down(begun: &StartedSession, context: &Context, minute: u64, drawing: &mut JoinSet<()>) {
    let StartedSession { config, header, .. } = begun;
    let exposition = context.shared_gateway.exposition();
    let (slow, fast): (Vec<_>, Vec<_>) =
        files(&config.folder, Occasion::Played).into_iter().partition(|file| file.is_slow);
    // Rendered under the recorder's lock, written outside it: a slow disk must not look like a slow gateway.
    let (rendered, said) = context.recorder.with_history(|history| {
        let said = Evaluation::of(config, history, Stage::Playing);
        let input = said.with(config, header, (&history.charts, &history.timeline));
        let mut rendered: Vec<(PathBuf, String)> = fast.into_iter().map(|file| file.rendered(&input)).collect();
        let snapshot = artifacts::snapshot(history, exposition.as_ref(), minute);
        rendered.insert(0, (config.folder.snapshot(minute), snapshot));
        (rendered, said)
    });
    for (path, text) in rendered {
        if let Err(error) = artifacts::replace(&path, &text) {
            unwritten(&context.recorder, &error);
        }
    }
    draw(begun, said, slow, drawing);
}

/// Renders slow files on a thread of their own: a scheduler that draws lets streams wait. Where those before are still being
/// drawn, they will do for now.
fn draw(begun: &StartedSession, said: Evaluation, slow: Vec<OutputFile>, drawing: &mut JoinSet<()>) {
    while drawing.try_join_next().is_some() {}
    if !drawing.is_empty() {
        return;
    }
    let StartedSession { config, header, recorder, .. } = begun;
    let (config, header, recorder) = (config.clone(), header.clone(), recorder.clone());
    drawing.spawn_blocking(move || {
        // Copied here, and not where it is measured: what is allocated and freed beside what stays for hours leaves holes
        // in the heap.
        let (series, timeline) = recorder.with_history(|history| (history.charts.clone(), history.timeline.clone()));
        for file in slow {
            let (path, text) = file.rendered(&said.with(&config, &header, (&series, &timeline)));
            if let Err(error) = artifacts::replace(&path, &text) {
                unwritten(&recorder, &error);
            }
        }
    });
}

/// Takes down that a file could not be written.
pub(super) fn unwritten(recorder: &Recorder, error: &ArtifactError) {
    tracing::error!("{error}");
    let message = if error.is_out_of_descriptors() {
        descriptors::exhausted(&error.to_string())
    } else {
        clip(&error.to_string())
    };
    recorder.incident(Finding::Fatal { message });
}

/// Output files of a soak that is over, with their content.
pub(super) fn last_files(begun: &StartedSession, is_wanted: fn(&OutputFile) -> bool) -> Vec<(PathBuf, String)> {
    let StartedSession { config, header, recorder, .. } = begun;
    let (said, series, timeline) = recorder.with_history(|history| {
        (Evaluation::of(config, history, Stage::Over), history.charts.clone(), history.timeline.clone())
    });
    let input = said.with(config, header, (&series, &timeline));
    files(&config.folder, Occasion::Played).into_iter().filter(is_wanted).map(|file| file.rendered(&input)).collect()
}
