//! State that a session that takes over needs, and that the journal does not have yet. It is written every second, and
//! replaced as a whole. With it a session that is killed loses one second, instead of an interval.

use std::{collections::BTreeMap, fs, io, path::Path};

use serde::{Deserialize, Serialize};

use crate::journal::Interval;

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    /// Measurements since the last interval.
    pub(super) unwritten: Vec<Interval>,
    /// The last id that each kept stream gave, by the stream's name.
    pub(super) last_ids: BTreeMap<String, String>,
}

impl Checkpoint {
    /// Replaces the last checkpoint. A reader finds one or the other. After an error only a takeover is poorer.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        // Always the same name: a writer that is killed leaves at most one file.
        let beside = path.with_extension("new");
        fs::write(&beside, serde_json::to_vec(self)?)?;
        fs::rename(beside, path)
    }

    /// The last checkpoint; an empty one where there is none that can be read.
    pub(super) fn read(path: &Path) -> Self {
        let text = fs::read(path).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Returns the intervals that the journal lacks. Its last interval ends at `written_to_ms`. If that was written
    /// after the checkpoint, the journal lacks none; otherwise it lacks all.
    pub(super) fn beyond(self, written_to_ms: u64) -> Vec<Interval> {
        let is_newer = self.unwritten.iter().all(|interval| interval.from_ms >= written_to_ms);
        if is_newer { self.unwritten } else { Vec::new() }
    }

    /// Removes it: a soak that has ended is not taken over.
    pub(super) fn remove(path: &Path) {
        for path in [path.to_owned(), path.with_extension("new")] {
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Phase;

    fn checkpoint(from_ms: u64) -> Checkpoint {
        Checkpoint {
            unwritten: vec![Interval::empty(from_ms, from_ms + 1_000, Phase::Steady)],
            last_ids: [("7".to_owned(), "41".to_owned())].into(),
        }
    }

    #[test]
    fn a_checkpoint_reads_back_and_the_newest_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint.json");
        assert!(Checkpoint::read(&path).unwritten.is_empty());
        checkpoint(10_000).write(&path).unwrap();
        checkpoint(20_000).write(&path).unwrap();
        let read = Checkpoint::read(&path);
        assert_eq!((20_000, "41"), (read.unwritten[0].from_ms, read.last_ids["7"].as_str()));
        fs::write(&path, "{\"unwritten\":[").unwrap();
        assert!(Checkpoint::read(&path).last_ids.is_empty());
        Checkpoint::remove(&path);
        assert_eq!(0, fs::read_dir(folder.path()).unwrap().count());
    }

    #[test]
    fn what_an_interval_has_already_is_not_counted_twice() {
        assert_eq!(1, checkpoint(20_000).beyond(20_000).len());
        assert_eq!(0, checkpoint(10_000).beyond(20_000).len());
    }
}
