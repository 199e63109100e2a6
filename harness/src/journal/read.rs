//! Reads a journal, whole or while it is being written.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::{JOURNAL_VERSION, Record, clip, line_bytes_max};
use crate::plan::PlanError;

/// Reads records one by one. At the last whole line, it can be asked again later.
///
/// Of a torn line it keeps only the length: a writer that resumes the journal cuts the line off and writes another.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    file: BufReader<File>,
    line: Vec<u8>,
    line_number: u64,
    /// The end of the last whole line.
    whole_bytes: u64,
}

/// A last line that is not whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Torn {
    /// Its number, from 1.
    pub line_number: u64,
    /// Its length.
    pub bytes: usize,
}

/// The part of a header that is read first.
#[derive(Deserialize)]
struct VersionOf {
    version: u32,
}

/// A journal could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file could not be read.
    #[error("cannot read the journal {0}: {1}")]
    Io(PathBuf, #[source] io::Error),
    /// A whole line, by its number from 1, is not a record.
    #[error("{0}, line {1}: not a journal record ({2}); was the file edited, or cut in the middle?")]
    Line(PathBuf, u64, String),
    /// Another version of the format.
    #[error(
        "{0} is a journal of version {1}; this harness reads version {JOURNAL_VERSION}: \
         read it with a harness of its time"
    )]
    Version(PathBuf, u32),
    /// The plan in the header is none that settings make.
    #[error("{0}: the plan in its header makes no sense: {1}; was the file edited?")]
    Plan(PathBuf, #[source] PlanError),
}

impl Reader {
    /// Opens a journal.
    ///
    /// # Errors
    /// Where the file cannot be opened.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let file = File::open(path).map_err(|source| ReadError::Io(path.to_owned(), source))?;
        let file = BufReader::new(file);
        Ok(Self { path: path.to_owned(), file, line: Vec::new(), line_number: 0, whole_bytes: 0 })
    }

    /// The next record; `None` where no further line is whole yet.
    ///
    /// # Errors
    /// Where the file cannot be read, a whole line is not a record, the version is another, or the plan is impossible.
    pub fn next_record(&mut self) -> Result<Option<Record>, ReadError> {
        self.read_line().map_err(|source| ReadError::Io(self.path.clone(), source))?;
        if self.line.last() != Some(&b'\n') {
            let (line_number, bytes_max) = (self.line_number + 1, line_bytes_max(self.line_number == 0));
            if self.line.len() >= bytes_max {
                let reason = format!("longer than {bytes_max} bytes");
                return Err(ReadError::Line(self.path.clone(), line_number, reason));
            }
            return Ok(None);
        }
        self.line_number += 1;
        self.whole_bytes += self.line.len() as u64;
        let record = self.record();
        self.line.clear();
        record.map(Some)
    }

    /// Reads on from the last whole line, a line at most.
    fn read_line(&mut self) -> io::Result<()> {
        self.line.clear();
        // The start of a line may be in the buffer for long, and may have been cut off the file since.
        if !self.file.buffer().contains(&b'\n') {
            self.file.seek(SeekFrom::Start(self.whole_bytes))?;
        }
        let bytes_max = line_bytes_max(self.line_number == 0) as u64;
        (&mut self.file).take(bytes_max).read_until(b'\n', &mut self.line)?;
        Ok(())
    }

    fn record(&self) -> Result<Record, ReadError> {
        // A header of another version may have other fields, so the version is checked first.
        if self.line_number == 1
            && let Ok(VersionOf { version }) = serde_json::from_slice(&self.line)
        {
            self.check_version(version)?;
        }
        let record = serde_json::from_slice(&self.line).map_err(|e| self.malformed(&e.to_string()))?;
        match &record {
            Record::Header(header) => {
                self.check_version(header.version)?;
                header.plan.check().map_err(|source| ReadError::Plan(self.path.clone(), source))?;
            }
            _ if self.line_number == 1 => return Err(self.malformed("the first line is not a header")),
            _ => {}
        }
        Ok(record)
    }

    /// The rest after the last whole line: a line still being written, or torn.
    #[must_use]
    pub fn torn(&self) -> Option<Torn> {
        (!self.line.is_empty()).then_some(Torn { line_number: self.line_number + 1, bytes: self.line.len() })
    }

    fn check_version(&self, found: u32) -> Result<(), ReadError> {
        if found == JOURNAL_VERSION { Ok(()) } else { Err(ReadError::Version(self.path.clone(), found)) }
    }

    /// The error for a malformed line. The reason may quote the line, so it is cut.
    fn malformed(&self, reason: &str) -> ReadError {
        ReadError::Line(self.path.clone(), self.line_number, clip(reason))
    }
}
