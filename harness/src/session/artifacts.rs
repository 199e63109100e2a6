//! Writes the files of a soak. Each is replaced as a whole.

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

use super::SessionConfig;
use crate::{
    clock::wall_now,
    gateway::Exposition,
    history::{ChartSeries, History, Timeline},
    journal::Header,
    report::{FileInput, Glance, snapshot_json},
    results::{Results, Stage},
};

#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}: {source}; is the folder writable, the disk full? S2_OUT moves it")]
pub(crate) struct ArtifactError {
    path: PathBuf,
    source: io::Error,
}

pub(super) fn make_folders(config: &SessionConfig) -> Result<(), ArtifactError> {
    let logs = config.folder.logs();
    fs::create_dir_all(&logs).map_err(|source| ArtifactError { path: logs, source })
}

/// A soak as it stands: judged once, since that is expensive, for all files of one moment, which agree.
#[derive(Debug)]
pub(super) struct Evaluation {
    results: Results,
    glance: Glance,
    folder: String,
}

impl Evaluation {
    pub(super) fn of(config: &SessionConfig, history: &History, stage: Stage) -> Self {
        let SessionConfig { plan, targets, waivers, .. } = config;
        Self {
            results: Results::of(plan, targets, history, waivers, stage),
            glance: Glance::at(plan, targets, history),
            folder: display_path(&config.folder.path()),
        }
    }

    /// Returns the input for output files and pages, with the charts and the timeline of that moment or a later one.
    pub(super) fn with<'a>(
        &'a self,
        config: &'a SessionConfig,
        header: &'a Header,
        (series, timeline): (&'a ChartSeries, &'a Timeline),
    ) -> FileInput<'a> {
        let Self { results, glance, folder } = self;
        FileInput { header, results, glance, series, timeline, targets: &config.targets, folder }
    }
}

/// Displays a path below the current folder without that folder.
pub(crate) fn display_path(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}

pub(super) fn snapshot(history: &History, exposition: Option<&Exposition>, minute: u64) -> String {
    let mut metrics = exposition.map(|e| e.values.clone()).unwrap_or_default();
    for (name, buckets) in exposition.iter().flat_map(|e| &e.histograms) {
        if let Some((_, count)) = buckets.last() {
            metrics.insert(format!("{name}_count"), *count);
        }
    }
    snapshot_json(history, &metrics, minute, &wall_now().to_string())
}

/// Replaces a file: a reader sees the old one or the new one, never a part.
pub(crate) fn replace(path: &Path, text: &str) -> Result<(), ArtifactError> {
    let failed = |source| ArtifactError { path: path.to_owned(), source };
    let folder = path.parent().unwrap_or(Path::new("."));
    // `tempfile` replaces the system's error by one of its own, without the error code. The message needs the code.
    let mut code = None;
    let create = |path: &Path| {
        let created = fs::File::options().write(true).create_new(true).open(path);
        created.inspect_err(|error| code = error.raw_os_error())
    };
    let created = tempfile::Builder::new().make_in(folder, create);
    let mut file = created.map_err(|error| failed(code.map_or(error, io::Error::from_raw_os_error)))?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    // Only its owner can read a temporary file; results are for all readers of the folder.
    #[cfg(unix)]
    fs::set_permissions(file.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644)).map_err(failed)?;
    file.persist(path).map_err(|e| failed(e.error))?;
    Ok(())
}
