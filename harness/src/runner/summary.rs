//! The summary of a CI job: the table of KPIs, appended to the file that GitHub names, once for each soak.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::folder::AttachFolder;

/// GitHub shows no larger summary of a step.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The summary could not be written. No verdict depends on it.
#[derive(Debug, thiserror::Error)]
#[error("the summary of the CI job lacks this soak: cannot append to {path}: {source}; GITHUB_STEP_SUMMARY names it")]
pub(super) struct SummaryError {
    path: PathBuf,
    source: io::Error,
}

/// Appends a text to the file at a path, unless a process has done so for this soak. The claim comes first: a process
/// that is killed in between leaves no summary rather than two.
pub(super) fn append_once(path: &Path, folder: &AttachFolder, text: &str) -> Result<(), SummaryError> {
    let failed = |source| SummaryError { path: path.to_owned(), source };
    match File::create_new(folder.file(AttachFolder::SUMMARY_CLAIM)) {
        Ok(_) => append(path, text).map_err(failed),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

fn append(path: &Path, text: &str) -> io::Result<()> {
    let there = fs::metadata(path).map_or(0, |data| data.len());
    if there.saturating_add(text.len() as u64) > FILE_BYTES_MAX {
        let full = format!("it has {there} bytes already, and GitHub takes {FILE_BYTES_MAX} of a step");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, full));
    }
    // One write: another suite of the step may append at the same time.
    File::options().append(true).create(true).open(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Suite;

    #[test]
    fn of_one_soak_there_is_one_summary_and_what_was_there_stays() {
        let out = tempfile::tempdir().unwrap();
        let path = out.path().join("summary.md");
        fs::write(&path, "before\n").unwrap();
        for suite in [Suite::Smoke, Suite::Smoke, Suite::Full] {
            let folder = AttachFolder::make(out.path(), "run", suite).unwrap();
            append_once(&path, &folder, &format!("{suite}\n")).unwrap();
        }
        assert_eq!("before\nsmoke\nfull\n", fs::read_to_string(&path).unwrap());
    }

    #[test]
    fn a_summary_that_cannot_be_written_is_said_with_its_path() {
        let out = tempfile::tempdir().unwrap();
        let folder = |suite| AttachFolder::make(out.path(), "run", suite).unwrap();
        let missing = out.path().join("nowhere/summary.md");
        let said = append_once(&missing, &folder(Suite::Smoke), "x").unwrap_err().to_string();
        assert!(said.contains("nowhere/summary.md") && said.contains("GITHUB_STEP_SUMMARY"), "{said}");
        let full = out.path().join("full.md");
        fs::write(&full, vec![b'x'; 1024 * 1024]).unwrap();
        let said = append_once(&full, &folder(Suite::Full), "x").unwrap_err().to_string();
        assert!(said.contains("1048576 bytes already"), "{said}");
        assert_eq!(1024 * 1024, fs::metadata(&full).unwrap().len());
    }
}
