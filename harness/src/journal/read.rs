//! Reads a journal, whole or while it is being written.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::{Header, JOURNAL_VERSION, Record, clip, line_bytes_max};
use crate::plan::PlanError;

/// Reads records one by one, remembering where it stands: after the last whole line, it can be asked again later.
///
/// Of a line that is not whole it remembers nothing but how long it was: whoever resumes the journal cuts it off, and what
/// comes after the last whole line is then another.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    file: BufReader<File>,
    line: Vec<u8>,
    line_number: u64,
    /// Where the last whole line ended.
    whole_bytes: u64,
}

/// The last line was not whole; what stood before it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Torn {
    /// Which line.
    pub line_number: u64,
    /// How much of it there was.
    pub bytes: usize,
}

/// All that is asked of a header before it is read.
#[derive(Deserialize)]
struct VersionOf {
    version: u32,
}

/// A journal could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file could not be read.
    #[error("cannot read the journal {path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A whole line is not a record.
    #[error("{path}, line {line_number}: not a journal record ({reason}); was the file edited, or cut in the middle?")]
    Line {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line_number: u64,
        /// The fault.
        reason: String,
    },
    /// Another version of the format.
    #[error(
        "{path} is a journal of version {found}; this harness reads version {JOURNAL_VERSION}: \
         read it with a harness of its time"
    )]
    Version {
        /// Which file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// The plan in the header is none that settings make.
    #[error("{path}: the plan in its header makes no sense: {source}; was the file edited?")]
    Plan {
        /// Which file.
        path: PathBuf,
        /// The fault.
        source: PlanError,
    },
}

impl Reader {
    /// Opens a journal.
    ///
    /// # Errors
    /// Where the file cannot be opened.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let file = File::open(path).map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
        let file = BufReader::new(file);
        Ok(Self { path: path.to_owned(), file, line: Vec::new(), line_number: 0, whole_bytes: 0 })
    }

    /// The next record; `None` where no further line is whole yet.
    ///
    /// # Errors
    /// Where the file cannot be read, a whole line is not a record, or the journal is of another version or has a plan that none could be.
    pub fn next_record(&mut self) -> Result<Option<Record>, ReadError> {
        self.read_line().map_err(|source| ReadError::Io { path: self.path.clone(), source })?;
        if self.line.last() != Some(&b'\n') {
            let (line_number, bytes_max) = (self.line_number + 1, line_bytes_max(self.line_number == 0));
            if self.line.len() >= bytes_max {
                let reason = format!("longer than {bytes_max} bytes");
                return Err(ReadError::Line { path: self.path.clone(), line_number, reason });
            }
            return Ok(None);
        }
        self.line_number += 1;
        self.whole_bytes += self.line.len() as u64;
        let record = self.record();
        self.line.clear();
        let record = record?;
        match &record {
            Record::Header(header) => self.check(header)?,
            _ if self.line_number == 1 => return Err(self.malformed("the first line is not a header")),
            _ => {}
        }
        Ok(Some(record))
    }

    /// Reads on from the last whole line, a line at most.
    fn read_line(&mut self) -> io::Result<()> {
        self.line.clear();
        // The start of a line may lie in the buffer for long, and may have been cut off the file since.
        if !self.file.buffer().contains(&b'\n') {
            self.file.seek(SeekFrom::Start(self.whole_bytes))?;
        }
        let bytes_max = line_bytes_max(self.line_number == 0) as u64;
        (&mut self.file).take(bytes_max).read_until(b'\n', &mut self.line)?;
        Ok(())
    }

    fn record(&self) -> Result<Record, ReadError> {
        // A header of another version may well have other fields: what it is comes before whether it can be read.
        if self.line_number == 1
            && let Ok(VersionOf { version }) = serde_json::from_slice(&self.line)
        {
            self.check_version(version)?;
        }
        serde_json::from_slice(&self.line).map_err(|e| self.malformed(&e.to_string()))
    }

    /// The rest after the last whole line, if any. It is a line still being written, or one that was torn.
    #[must_use]
    pub fn torn(&self) -> Option<Torn> {
        (!self.line.is_empty()).then_some(Torn { line_number: self.line_number + 1, bytes: self.line.len() })
    }

    fn check(&self, header: &Header) -> Result<(), ReadError> {
        self.check_version(header.version)?;
        header.plan.check().map_err(|source| ReadError::Plan { path: self.path.clone(), source })
    }

    fn check_version(&self, found: u32) -> Result<(), ReadError> {
        if found == JOURNAL_VERSION { Ok(()) } else { Err(ReadError::Version { path: self.path.clone(), found }) }
    }

    /// The error for a malformed line. The reason may quote the line, which may be anything, so it is cut.
    fn malformed(&self, reason: &str) -> ReadError {
        ReadError::Line { path: self.path.clone(), line_number: self.line_number, reason: clip(reason) }
    }
}
