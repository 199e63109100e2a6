//! A stored journal: finding it where `S2_JOURNAL` says, and folding it into what judges read.

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

/// A journal's name in the folder of its soak.
const NAME: &str = "journal.ndjson";
const HELP: &str = "S2_JOURNAL names a soak's journal.ndjson, or the folder it is in, such as target/soak/latest-full";

/// A journal that is opened, with its header read.
#[derive(Debug)]
pub(super) struct StoredJournal {
    path: PathBuf,
    reader: Reader,
    header: Header,
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
    #[error("{source}; {HELP}")]
    Read { source: ReadError },
}

impl From<ReadError> for StoredError {
    fn from(source: ReadError) -> Self {
        Self::Read { source }
    }
}

impl StoredJournal {
    /// Opens the journal at a path, or in the folder there, and reads what was to be played. Links are followed once and
    /// for all: `latest-full` may name another soak by the time that somebody reads a failure.
    pub(super) fn open(named: &Path) -> Result<Self, StoredError> {
        let path = find(named)?;
        let mut reader = Reader::open(&path)?;
        match reader.next_record()? {
            // The reader has seen to it that the first record is a header.
            Some(Record::Header(header)) => Ok(Self { path, reader, header: *header }),
            _ => Err(StoredError::Empty { path, bytes: reader.torn().map_or(0, |torn| torn.bytes) }),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) const fn header(&self) -> &Header {
        &self.header
    }

    /// When the soak began, as file names carry it: as its folder says, else as its header does.
    pub(super) fn stamp(&self) -> String {
        let folder = self.path.parent().and_then(RunFolder::from_path);
        let folder = folder.filter(|folder| folder.suite() == self.header.plan.suite);
        let of_folder = folder.map(|folder| folder.stamp().to_owned());
        // A header is text from a file, and only a time becomes part of a file's name.
        let of_header = || self.header.started_at.parse().map_or_else(|_| "undated".to_owned(), file_stamp);
        of_folder.unwrap_or_else(of_header)
    }

    /// Folds what is left of the journal, to its end or to where its session died. `targets` say which sample was the
    /// first over them. Says what is left out of a line that is not whole.
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
