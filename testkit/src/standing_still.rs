//! Soaks on a machine that stands still now and then.

use std::{fs, path::Path};

use crate::AnyError;

/// A soak is played this often before its failure counts although its machine stood still.
const TRIES_MAX: u32 = 3;
/// The kind of incident by which a journal says that its session got no processor.
const STALLED: &str = r#""stalled""#;

/// Plays a soak that leaves its files in a folder, and tests it. A soak that fails is played again if its journal says that the
/// session stood still meanwhile: then its durations are those of the machine, and S2 rightly judges less.
///
/// # Errors
///
/// The error of the last soak.
pub fn again_if_stalled(folder: &Path, test: impl Fn() -> Result<(), AnyError>) -> Result<(), AnyError> {
    let mut tries = 1;
    loop {
        match test() {
            Err(error) if tries < TRIES_MAX && stood_still(folder) => {
                eprintln!("the machine stood still, so {} is played again: {error}", folder.display());
                tries += 1;
            }
            result => return result,
        }
    }
}

/// Whether a journal in a folder says that its session stood still.
fn stood_still(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries.map(|entry| entry.path()).any(|path| {
        let is_journal = path.file_name().is_some_and(|name| name == "journal.ndjson");
        path.is_dir() && stood_still(&path)
            || is_journal && fs::read(&path).is_ok_and(|text| String::from_utf8_lossy(&text).contains(STALLED))
    })
}
