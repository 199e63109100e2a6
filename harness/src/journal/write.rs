//! Writes a journal: whole lines, each handed to the kernel before the next.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::{Record, line_bytes_max};

/// Size of the pieces in which the last whole line is searched.
const PIECE_BYTES: u64 = 64 * 1024;

/// The only writer of a journal.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    file: File,
    /// Length up to the last whole line.
    whole_bytes: u64,
    is_torn: bool,
}

/// A journal could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The file could not be opened.
    #[error("cannot open the journal {0} for appending: {1}; is the folder writable? S2_OUT moves it")]
    Open(PathBuf, #[source] io::Error),
    /// The last whole line could not be found, or what stands after it not be cut off.
    #[error("cannot cut the journal {0} after its last whole line: {1}; may the file be read and written?")]
    Resume(PathBuf, #[source] io::Error),
    /// A record could not be turned into a line.
    #[error("cannot encode a journal record: {0}")]
    Encode(#[from] serde_json::Error),
    /// No reader would take the line, or the journal after it.
    #[error(
        "a record of {bytes} bytes is too long for the journal {path}: a reader takes {bytes_max}; if it is the header, \
             fewer runs a minute or a shorter suite make a shorter plan"
    )]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Length of the line.
        bytes: usize,
        /// Limit of its length.
        bytes_max: usize,
    },
    /// A line could not be written.
    #[error("cannot append to the journal {0}: {1}; is the disk full?")]
    Append(PathBuf, #[source] io::Error),
}

impl Writer {
    /// Opens a journal, new or not, and cuts off a torn line of another writer. Returns the number of bytes cut, too.
    ///
    /// # Errors
    /// Where the file cannot be opened, read or cut.
    pub fn resume(path: &Path) -> Result<(Self, u64), WriteError> {
        let file = OpenOptions::new().create(true).read(true).append(true).open(path);
        let mut file = file.map_err(|source| WriteError::Open(path.to_owned(), source))?;
        let cut = cut_torn(&mut file);
        let (whole_bytes, cut_bytes) = cut.map_err(|source| WriteError::Resume(path.to_owned(), source))?;
        Ok((Self { path: path.to_owned(), file, whole_bytes, is_torn: false }, cut_bytes))
    }

    /// Appends one record as one line, in one write: a process killed between two records leaves whole lines.
    ///
    /// # Errors
    /// Where the record cannot be encoded, is too long to be read again, or the line cannot be written.
    pub fn append(&mut self, record: &Record) -> Result<(), WriteError> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        let (bytes, bytes_max) = (line.len(), line_bytes_max(self.whole_bytes == 0));
        if bytes > bytes_max {
            return Err(WriteError::TooLong { path: self.path.clone(), bytes, bytes_max });
        }
        let failed = |source| WriteError::Append(self.path.clone(), source);
        if self.is_torn {
            return Err(failed(io::Error::other("an earlier line could not be written whole")));
        }
        if let Err(error) = self.file.write_all(&line) {
            // Half a line would spoil the next one: it is taken back, or nothing more is written.
            self.is_torn = self.file.set_len(self.whole_bytes).is_err();
            return Err(failed(error));
        }
        self.whole_bytes += line.len() as u64;
        Ok(())
    }

    /// Asks the kernel to bring everything to the disk.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn sync(&self) -> Result<(), WriteError> {
        self.file.sync_data().map_err(|source| WriteError::Append(self.path.clone(), source))
    }
}

/// Cuts a file after its last line feed. Returns its length then, and the number of bytes cut.
fn cut_torn(file: &mut File) -> io::Result<(u64, u64)> {
    let length = file.metadata()?.len();
    let mut piece = Vec::new();
    let mut whole_bytes = length;
    while whole_bytes > 0 && piece.last() != Some(&b'\n') {
        let from = whole_bytes.saturating_sub(PIECE_BYTES);
        file.seek(SeekFrom::Start(from))?;
        piece.clear();
        file.take(whole_bytes - from).read_to_end(&mut piece)?;
        piece.truncate(piece.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1));
        whole_bytes = from + piece.len() as u64;
    }
    if whole_bytes < length {
        file.set_len(whole_bytes)?;
    }
    Ok((whole_bytes, length - whole_bytes))
}
