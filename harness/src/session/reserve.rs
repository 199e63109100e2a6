//! Room for the last records and results: a file of zeros that is deleted when the disk is full.

use std::{fs, io, path::PathBuf};

/// The last records, and the results twice: the new ones stand beside the old ones for a moment.
const BYTES: usize = 1024 * 1024;

#[derive(Debug)]
pub(super) struct DiskReserve(Option<PathBuf>);

impl DiskReserve {
    /// Keeps room with a file at a path. A disk without this room will not hold a soak.
    pub(super) fn keep(path: PathBuf) -> Result<Self, String> {
        let kept = fs::write(&path, vec![0; BYTES]);
        kept.map_err(|e| format!("cannot keep {BYTES} bytes of room in {}: {e}; S2_OUT moves it", path.display()))?;
        Ok(Self(Some(path)))
    }

    /// Gives the room up, if an error says that the disk is full. Says whether there was any.
    pub(super) fn give_up_for(&mut self, error: &io::Error) -> bool {
        let is_full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        is_full && self.give_up()
    }

    /// Gives the room up. Says whether there was any.
    pub(super) fn give_up(&mut self) -> bool {
        self.0.take().is_some_and(|path| fs::remove_file(path).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_given_up_once_and_only_where_the_disk_is_full() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("reserve");
        let mut reserve = DiskReserve::keep(path.clone()).unwrap();
        assert_eq!(BYTES as u64, fs::metadata(&path).unwrap().len());
        assert!(!reserve.give_up_for(&io::Error::from(io::ErrorKind::ReadOnlyFilesystem)));
        assert!(path.exists());
        assert!(reserve.give_up_for(&io::Error::from(io::ErrorKind::StorageFull)));
        assert!(!path.exists());
        assert!(!reserve.give_up_for(&io::Error::from(io::ErrorKind::StorageFull)));
    }

    #[test]
    fn where_there_is_no_room_that_is_said() {
        let said = DiskReserve::keep("/nonexistent/reserve".into()).unwrap_err();
        assert!(said.contains("/nonexistent/reserve") && said.contains("S2_OUT moves it"), "{said}");
    }
}
