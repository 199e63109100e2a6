//! Writes what a soak leaves behind, each file replaced whole.

use std::{
    collections::BTreeMap,
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

use super::SessionConfig;
use crate::{
    clock::wall_now,
    gateway::{Exposition, is_out_of_descriptors},
    history::{ChartSeries, History, Timeline},
    journal::Header,
    judge::{Verdicts, judge},
    report::{Glance, PageInput, ResultsInput, Stage, junit_xml, results_json, snapshot_json},
};

/// A file could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}: {source}; is the folder writable, the disk full? S2_OUT moves it")]
pub(crate) struct ArtifactError {
    path: PathBuf,
    source: io::Error,
}

impl ArtifactError {
    /// Whether it could not be written because this process has no file descriptor left.
    pub(super) fn is_out_of_descriptors(&self) -> bool {
        is_out_of_descriptors(&self.source)
    }
}

/// Makes the soak's folders.
pub(super) fn make_folders(config: &SessionConfig) -> Result<(), ArtifactError> {
    let logs = config.folder.logs();
    fs::create_dir_all(&logs).map_err(|source| ArtifactError { path: logs, source })
}

/// What is said of a soak as it stands. Judging is dear, and everything that is written at one moment says the same.
#[derive(Debug)]
pub(super) struct Evaluation {
    pub(super) verdicts: Verdicts,
    pub(super) glance: Glance,
}

impl Evaluation {
    pub(super) fn of(config: &SessionConfig, history: &History) -> Self {
        let (plan, targets) = (&config.plan, &config.targets);
        Self { verdicts: judge(plan, targets, history), glance: Glance::at(plan, targets, history) }
    }
}

/// The results as they stand, for CI and for all others: each file with what is to be in it. Where the last of them is
/// there, so is the other.
pub(super) fn results(
    config: &SessionConfig,
    header: &Header,
    history: &History,
    said: &Evaluation,
    stage: Stage,
) -> [(PathBuf, String); 2] {
    let input = ResultsInput { header, history, verdicts: &said.verdicts, waived: &waived(config) };
    let folder = shown(&config.folder.path());
    [(config.folder.junit(), junit_xml(&input, &folder, stage)), (config.folder.results(), results_json(&input))]
}

/// A path below the current folder is named from here.
pub(crate) fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}

/// What the settings waive, by name, and why.
pub(super) fn waived(config: &SessionConfig) -> BTreeMap<String, String> {
    config.waivers.iter().map(|(kpi, reason)| (kpi.name().to_owned(), reason.clone())).collect()
}

/// A soak as a page shows it: a copy, so that whoever measures does not wait until the page is drawn.
#[derive(Debug)]
pub(super) struct PageView {
    pub(super) config: SessionConfig,
    pub(super) header: Header,
    pub(super) said: Evaluation,
    pub(super) series: ChartSeries,
    pub(super) timeline: Timeline,
}

impl PageView {
    /// Which version of the record it shows.
    pub(super) const fn version(&self) -> u64 {
        self.series.version()
    }

    /// Draws it.
    pub(super) fn draw(&self, page: fn(&PageInput<'_>) -> String) -> String {
        page(&PageInput {
            header: &self.header,
            series: &self.series,
            timeline: &self.timeline,
            glance: &self.said.glance,
            verdicts: &self.said.verdicts,
            targets: &self.config.targets,
            waived: &waived(&self.config),
            folder: &shown(&self.config.folder.path()),
        })
    }
}

/// A snapshot, now.
pub(super) fn snapshot(history: &History, exposition: Option<&Exposition>, minute: u64) -> String {
    let mut metrics = exposition.map(|e| e.values.clone()).unwrap_or_default();
    for (name, buckets) in exposition.iter().flat_map(|e| &e.histograms) {
        if let Some((_, count)) = buckets.last() {
            metrics.insert(format!("{name}_count"), *count);
        }
    }
    snapshot_json(history, &metrics, minute, &wall_now().to_string())
}

/// A reader sees the old file or the new one, never half of either.
pub(crate) fn replace(path: &Path, text: &str) -> Result<(), ArtifactError> {
    let failed = |source| ArtifactError { path: path.to_owned(), source };
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    // A temporary file is its owner's alone; results are for everyone who may read the folder.
    #[cfg(unix)]
    fs::set_permissions(file.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644)).map_err(failed)?;
    file.persist(path).map_err(|e| failed(e.error))?;
    Ok(())
}
