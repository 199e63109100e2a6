//! The files that a soak has left.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    process::ExitStatus,
};

use serde_json::Value;

use crate::{AnyError, soak::out};

/// The exit status and the files that a soak has left.
#[derive(Debug)]
pub struct Left {
    /// The exit status of the runner.
    pub status: ExitStatus,
    /// The soak's folder: `out`, which is S2's, `stdout` and `stderr`.
    pub folder: PathBuf,
    pub(crate) suite: &'static str,
}

impl Left {
    /// The records of the journal, each as JSON.
    ///
    /// # Errors
    ///
    /// There is no journal, or a line of it is not JSON.
    pub fn journal(&self) -> Result<Vec<Value>, AnyError> {
        let text = fs::read_to_string(self.suite_folder().join("journal.ndjson"))?;
        Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
    }

    /// The results.
    ///
    /// # Errors
    ///
    /// There are none, or they are not JSON.
    pub fn results(&self) -> Result<Value, AnyError> {
        let folder = self.suite_folder();
        let is_results = |path: &PathBuf| path.to_string_lossy().contains("-results-");
        let mut files = fs::read_dir(&folder)?.filter_map(|entry| Some(entry.ok()?.path()));
        let path = files.find(is_results).ok_or_else(|| format!("{} has no results", folder.display()))?;
        Ok(serde_json::from_slice(&fs::read(path)?)?)
    }

    /// Returns the text that the runner has written to its standard output, and then to its standard error.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or is not UTF-8.
    pub fn output(&self) -> io::Result<String> {
        let [stdout, stderr] = ["stdout", "stderr"].map(|name| fs::read_to_string(self.folder.join(name)));
        Ok(format!("{}\n{}", stdout?, stderr?))
    }

    /// Every file in the folder, with its contents. Links are not followed, since they lead to files in the same folder.
    ///
    /// # Errors
    ///
    /// A folder or a file cannot be read.
    pub fn files(&self) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
        files(&self.folder)
    }

    fn suite_folder(&self) -> PathBuf {
        out(&self.folder).join(format!("latest-{}", self.suite))
    }
}

fn files(folder: &Path) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            found.extend(files(&entry.path())?);
        } else if kind.is_file() {
            found.push((entry.path(), fs::read(entry.path())?));
        }
    }
    Ok(found)
}

/// The judgements in some results that are not green, by name. Waived ones are not among them.
///
/// # Errors
///
/// The results lack a list, or a judgement lacks its name.
pub fn reds(results: &Value) -> Result<BTreeMap<String, Value>, String> {
    let waived = results["waived"].as_array().ok_or("the results do not say what is waived")?;
    let mut reds = BTreeMap::new();
    for kind in ["kpis", "workloads", "harness"] {
        let judged = results[kind].as_array().ok_or_else(|| format!("the results have no {kind}"))?;
        for judgement in judged {
            let name = judgement["name"].as_str().ok_or("a judgement without a name")?;
            let is_waived = waived.iter().any(|waived| waived["name"] == name);
            if judgement["verdict"] != "pass" && !is_waived {
                reds.insert(name.to_owned(), judgement.clone());
            }
        }
    }
    Ok(reds)
}
