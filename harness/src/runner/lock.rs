//! File locks, which the kernel releases when their process dies.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
};

/// A lock that is held until this is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

#[derive(Debug, thiserror::Error)]
#[error("cannot lock {path}: {source}; S2 needs a folder with working file locks, and S2_OUT names another")]
pub(super) struct LockError {
    path: PathBuf,
    source: io::Error,
}

impl LockError {
    fn at(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        |source| Self { path: path.to_owned(), source }
    }
}

impl Lock {
    /// Takes the lock exclusively; `None` if another process holds it.
    pub(super) fn try_exclusive(path: &Path) -> Result<Option<Self>, LockError> {
        let file = open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(LockError::at(path)(source)),
        }
    }

    /// Waits for the lock, and takes it exclusively. Only for locks that are held for a second or two.
    pub(super) fn exclusive(path: &Path) -> Result<Self, LockError> {
        let file = open(path)?;
        file.lock().map_err(LockError::at(path))?;
        Ok(Self { file })
    }

    /// Takes the lock beside others that share it. A process that looks whether it is held delays this for a moment.
    pub(super) fn shared(path: &Path) -> Result<Self, LockError> {
        let file = open(path)?;
        file.lock_shared().map_err(LockError::at(path))?;
        Ok(Self { file })
    }

    /// Writes a text for processes that find the lock taken.
    pub(super) fn write(&mut self, words: &str) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(words.as_bytes())
    }
}

/// Whether a process holds the lock. The look holds it for a moment: processes that need it try again.
pub(super) fn is_held(path: &Path) -> Result<bool, LockError> {
    Ok(Lock::try_exclusive(path)?.is_none())
}

/// Whether the lock is known to be free.
pub(super) fn is_free(path: &Path) -> bool {
    matches!(is_held(path), Ok(false))
}

/// Returns the text that the holder of a lock wrote.
pub(super) fn holder(path: &Path) -> String {
    let mut words = String::new();
    let read = File::open(path).and_then(|file| file.take(4_096).read_to_string(&mut words));
    if read.is_ok() { words } else { String::new() }
}

fn open(path: &Path) -> Result<File, LockError> {
    match OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path) {
        // Another user's file in a shared folder can be locked if it can be read.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => File::open(path),
        opened => opened,
    }
    .map_err(LockError::at(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        assert!(!is_held(&path).unwrap());
        let lock = Lock::try_exclusive(&path).unwrap();
        assert!(lock.is_some());
        assert!(is_held(&path).unwrap());
        assert!(Lock::try_exclusive(&path).unwrap().is_none());
        drop(lock);
        assert!(!is_held(&path).unwrap());
    }

    #[test]
    fn many_share_a_lock_and_it_is_free_when_the_last_lets_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let (one, other) = (Lock::shared(&path).unwrap(), Lock::shared(&path).unwrap());
        drop(one);
        assert!(is_held(&path).unwrap());
        drop(other);
        assert!(!is_held(&path).unwrap());
    }

    #[test]
    fn the_last_word_of_a_holder_is_read_by_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let mut lock = Lock::try_exclusive(&path).unwrap().unwrap();
        lock.write("a long first word").unwrap();
        lock.write("second").unwrap();
        assert_eq!(holder(&path), "second");
    }
}
