//! A stored journal: found at the path in `S2_JOURNAL`, and folded into a history.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    clock::file_stamp,
    history::History,
    journal::{Header, ReadError, Reader, Record, Torn},
    judge::Targets,
    report::RunFolder,
};

const NAME: &str = "journal.ndjson";
const HELP: &str = "S2_JOURNAL names a soak's journal.ndjson, or the folder it is in, such as target/soak/latest-full";

/// An open journal whose header was read.
#[derive(Debug)]
pub(super) struct StoredJournal {
    pub(super) path: PathBuf,
    reader: Reader,
    pub(super) header: Header,
}

/// `S2_JOURNAL` names nothing that can be judged.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoredError {
    #[error("cannot find the journal {path}: {source}; {HELP}")]
    Find { path: PathBuf, source: io::Error },
    #[error("there is no {NAME} in {0}; {HELP}")]
    NotInFolder(PathBuf),
    #[error("{0} is neither a file nor a folder; {HELP}")]
    NotAFile(PathBuf),
    #[error("{path} has no whole line ({bytes} bytes in all): its session died before it wrote a record; {HELP}")]
    Empty { path: PathBuf, bytes: usize },
    #[error("{0}; {HELP}")]
    Read(#[from] ReadError),
}

impl StoredJournal {
    /// Opens the journal at a path, or in the folder there, and reads its header. Links are resolved here:
    /// `latest-full` may name another soak by the time that a failure is read.
    pub(super) fn open(named: &Path) -> Result<Self, StoredError> {
        let path = find(named)?;
        let mut reader = Reader::open(&path)?;
        match reader.next_record()? {
            // The reader guarantees that the first record is a header.
            Some(Record::Header(header)) => Ok(Self { path, reader, header: *header }),
            _ => Err(StoredError::Empty { path, bytes: reader.torn().map_or(0, |torn| torn.bytes) }),
        }
    }

    /// The start of the soak as file names carry it, from the name of its folder, else from its header.
    pub(super) fn stamp(&self) -> String {
        match self.path.parent().and_then(RunFolder::from_path) {
            Some(folder) if folder.suite() == self.header.plan.suite => folder.stamp().to_owned(),
            // A header is text from a file: only a time may become part of a file's name.
            _ => self.header.started_at.parse().map_or_else(|_| "undated".to_owned(), file_stamp),
        }
    }

    /// Folds the rest of the journal. `targets` decide which sample was the first over them. A torn line is left out.
    pub(super) fn fold(mut self, targets: &Targets) -> Result<(Header, History, Option<Torn>), StoredError> {
        let mut history = History::of(&self.header, &targets.sample_limits());
        while let Some(record) = self.reader.next_record()? {
            history.absorb(&record);
        }
        Ok((self.header, history, self.reader.torn()))
    }
}

fn find(named: &Path) -> Result<PathBuf, StoredError> {
    let failed = |source| StoredError::Find { path: named.to_owned(), source };
    let path = fs::canonicalize(named).map_err(failed)?;
    let kind = |path: &Path| fs::metadata(path).map(|data| data.file_type());
    if !kind(&path).map_err(failed)?.is_dir() {
        return if path.is_file() { Ok(path) } else { Err(StoredError::NotAFile(path)) };
    }
    let inside = path.join(NAME);
    match kind(&inside) {
        Ok(kind) if kind.is_file() => Ok(inside),
        Ok(_) => Err(StoredError::NotAFile(inside)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Err(StoredError::NotInFolder(path)),
        Err(source) => Err(StoredError::Find { path: inside, source }),
    }
}
