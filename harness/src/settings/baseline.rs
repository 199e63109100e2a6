//! The earlier run that a soak is compared with: `S2_BASELINE`, and `[baseline]` in `soak.toml`.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::{
    environment::{Environment, PLACE},
    problem::Problems,
    table::TableReader,
};
use crate::{judge::Baseline, report::RunFolder};

const NAME: &str = "S2_BASELINE";
const RIGHT: &str = "it should be the results file of an earlier run, or that run's folder";
/// Results have some hundred kilobytes.
const BYTES_MAX: u64 = 16 * 1024 * 1024;
/// A run's folder holds a few dozen files.
const ENTRIES_MAX: usize = 10_000;
/// A wider limit is none.
const REGRESSION_PERCENT_MAX: f64 = 1_000.0;

/// `[baseline]`: the limit for a KPI's regression against the earlier run, percent.
pub(super) fn max_regression_percent(table: &mut TableReader<'_>) -> Option<f64> {
    let text = table.text("max_regression")?;
    let percent: Option<f64> = text.trim().strip_suffix('%').and_then(|number| number.trim_end().parse().ok());
    let percent = percent.filter(|percent| *percent > 0.0 && *percent <= REGRESSION_PERCENT_MAX);
    if percent.is_none() {
        let what = format!("is {text:?}; it should be a share above 0%, {REGRESSION_PERCENT_MAX}% at most: \"10%\"");
        table.problem("max_regression", what);
    }
    percent
}

/// The earlier run that the environment names; a problem where it is none.
pub(super) fn read(environment: &Environment, problems: &Problems) -> Option<Baseline> {
    let named = environment.value(NAME)?;
    let read = at(&environment.folder().join(named));
    read.map_err(|what| problems.add(PLACE, NAME, format!("is {named:?}, which {what}"))).ok()
}

fn at(path: &Path) -> Result<Baseline, String> {
    if let Some(link) = path.ancestors().find(|part| is_latest_link(part)) {
        let link = link.display();
        return Err(format!(
            "goes by {link}, and that soon names the soak that is played; $(realpath …) names the run"
        ));
    }
    let kind = fs::metadata(path).map_err(|e| format!("cannot be read: {e}; {RIGHT}"))?;
    let file = if kind.is_dir() { newest_in(path)? } else { path.to_owned() };
    let text = text_of(&file).map_err(|e| format!("cannot be read: {e}; {RIGHT}"))?;
    let name = file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    Baseline::from_json(&name, &text).map_err(|e| e.to_string())
}

/// A session makes such a link when it begins. Once another takes over, the link names another run.
fn is_latest_link(path: &Path) -> bool {
    let is_latest = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("latest-"));
    is_latest && fs::symlink_metadata(path).is_ok_and(|kind| kind.is_symlink())
}

/// The newest results of a run: those of judging it again, beside its folder, else its session's.
fn newest_in(folder: &Path) -> Result<PathBuf, String> {
    let judged_again = RunFolder::from_path(folder).map(|run| run.rejudged()).filter(|file| file.is_file());
    if let Some(file) = judged_again {
        return Ok(file);
    }
    let entries = fs::read_dir(folder).map_err(|e| format!("cannot be read: {e}; {RIGHT}"))?;
    let names = entries.flatten().take(ENTRIES_MAX).filter_map(|entry| entry.file_name().into_string().ok());
    let results = names.filter_map(|name| Some((RunFolder::stamp_of_results(&name)?.to_owned(), name)));
    let newest = results.max().ok_or_else(|| format!("holds no s2-…-results-….json; {RIGHT}"))?;
    Ok(folder.join(newest.1))
}

fn text_of(path: &Path) -> io::Result<String> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut text = String::new();
    File::open(path)?.take(BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > BYTES_MAX {
        return Err(io::Error::other(format!("it has more than {BYTES_MAX} bytes")));
    }
    Ok(text)
}
