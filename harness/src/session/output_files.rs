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
    gateway::is_out_of_descriptors,
    journal::{Finding, clip},
    report::{Occasion, OutputFile, files},
    results::Stage,
};

/// Writes a snapshot and the output files. A file that cannot be written does not stop the soak: the journal says so.
pub(super) fn write_down(begun: &StartedSession, context: &Context, minute: u64, drawing: &mut JoinSet<()>) {
    let StartedSession { config, header, .. } = begun;
    let exposition = context.exposition.lock().clone();
    let (slow, fast): (Vec<_>, Vec<_>) =
        files(&config.folder, Occasion::Played).into_iter().partition(|file| file.is_slow);
    // Rendered under the recorder's lock, written outside it: a slow disk must not look like a slow gateway.
    let (rendered, evaluation) = context.recorder.with_history(|history| {
        let evaluation = Evaluation::of(config, history, Stage::Playing);
        let input = evaluation.with(config, header, (&history.charts, &history.timeline));
        let snapshot = artifacts::snapshot(history, exposition.as_ref(), minute);
        let mut rendered = vec![(config.folder.snapshot(minute), snapshot)];
        rendered.extend(fast.into_iter().map(|file| file.rendered(&input)));
        (rendered, evaluation)
    });
    write_all(&context.recorder, rendered);
    draw(begun, evaluation, slow, drawing);
}

/// Renders slow files on a thread of their own, so that no stream waits; none while others are still drawn.
fn draw(begun: &StartedSession, evaluation: Evaluation, slow: Vec<OutputFile>, drawing: &mut JoinSet<()>) {
    while drawing.try_join_next().is_some() {}
    if !drawing.is_empty() {
        return;
    }
    let StartedSession { config, header, recorder, .. } = begun;
    let (config, header, recorder) = (config.clone(), header.clone(), recorder.clone());
    drawing.spawn_blocking(move || {
        // Copied on this thread: short allocations beside others that stay for hours leave holes in the heap.
        let (series, timeline) = recorder.with_history(|history| (history.charts.clone(), history.timeline.clone()));
        let input = evaluation.with(&config, &header, (&series, &timeline));
        write_all(&recorder, slow.into_iter().map(|file| file.rendered(&input)));
    });
}

/// Writes files, each as soon as it is rendered, and records those that cannot be written.
pub(super) fn write_all(recorder: &Recorder, rendered: impl IntoIterator<Item = (PathBuf, String)>) {
    for (path, text) in rendered {
        if let Err(error) = artifacts::replace(&path, &text) {
            unwritten(recorder, &error);
        }
    }
}

fn unwritten(recorder: &Recorder, error: &ArtifactError) {
    let text = error.to_string();
    tracing::error!("{text}");
    let message = if is_out_of_descriptors(error) { descriptors::exhausted(&text) } else { clip(&text) };
    recorder.incident(Finding::Fatal { message });
}

/// Output files of a soak that is over, with their content.
pub(super) fn last_files(begun: &StartedSession, is_wanted: fn(&OutputFile) -> bool) -> Vec<(PathBuf, String)> {
    let StartedSession { config, header, recorder, .. } = begun;
    let (evaluation, series, timeline) = recorder.with_history(|history| {
        (Evaluation::of(config, history, Stage::Over), history.charts.clone(), history.timeline.clone())
    });
    let input = evaluation.with(config, header, (&series, &timeline));
    files(&config.folder, Occasion::Played).into_iter().filter(is_wanted).map(|file| file.rendered(&input)).collect()
}
