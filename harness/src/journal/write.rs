//! Writes a journal: whole lines, each handed to the kernel before the next.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::Record;

/// The only writer of a journal.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    file: File,
}

/// A journal could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The file could not be opened.
    #[error("cannot open the journal {path} for appending: {source}; is the folder writable? S2_OUT moves it")]
    Open {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A record could not be turned into a line.
    #[error("cannot encode a journal record: {0}")]
    Encode(#[from] serde_json::Error),
    /// A line could not be written.
    #[error("cannot append to the journal {path}: {source}; is the disk full?")]
    Append {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Writer {
    /// Opens a journal for appending; a new one where there is none.
    ///
    /// # Errors
    /// Where the file cannot be opened.
    pub fn open(path: &Path) -> Result<Self, WriteError> {
        let file = OpenOptions::new().create(true).append(true).open(path);
        let file = file.map_err(|source| WriteError::Open { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Appends one record as one line, in one write: a process killed between two records leaves whole lines.
    ///
    /// # Errors
    /// Where the record cannot be encoded or the line not be written.
    pub fn append(&mut self, record: &Record) -> Result<(), WriteError> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(|source| WriteError::Append { path: self.path.clone(), source })
    }

    /// Asks the kernel to bring everything to the disk.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn sync(&self) -> Result<(), WriteError> {
        self.file.sync_data().map_err(|source| WriteError::Append { path: self.path.clone(), source })
    }
}
