//! Follows a journal while it is being written, and folds it into a history.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
    sync::Arc,
};

use crate::{
    clock::Clock,
    history::History,
    journal::{Header, ReadError, Reader, Record},
    judge::Targets,
};

/// Upper bound of the length of a journal's last record.
const END_BYTES_MAX: u64 = 512;
/// How the last record of a journal begins.
const END: &str = r#"{"record":"end""#;

/// How much a follower wants to know before the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PollMode {
    /// All news, at once.
    News,
    /// The plan, and then only the end: sixty nextest processes that parse the journal take half a core.
    End,
}

/// Reads what a session has written since the last look.
#[derive(Debug)]
pub(super) struct Follower {
    targets: Arc<Targets>,
    interest: PollMode,
    reader: Option<Reader>,
    soak: Option<Soak>,
    has_ended: bool,
}

/// A soak as far as it is known.
#[derive(Debug)]
pub(super) struct Soak {
    /// The journal's header. It has the plan that is played, which today's settings may not have.
    pub(super) header: Box<Header>,
    pub(super) history: History,
    /// The scenario's clock, if the header says when it started.
    clock: Option<Clock>,
}

impl Follower {
    pub(super) const fn new(targets: Arc<Targets>, interest: PollMode) -> Self {
        Self { targets, interest, reader: None, soak: None, has_ended: false }
    }

    /// Reads the news that the mode wants; whether there were any. A journal that does not exist yet has no news.
    pub(super) fn poll(&mut self, journal: &Path) -> Result<bool, ReadError> {
        if self.interest == PollMode::End && self.soak.is_some() {
            self.has_ended = self.has_ended || has_end(journal);
            return Ok(false);
        }
        self.catch_up(journal)
    }

    /// Reads all news; whether there were any.
    pub(super) fn catch_up(&mut self, journal: &Path) -> Result<bool, ReadError> {
        let reader = match &mut self.reader {
            Some(reader) => reader,
            none => match Reader::open(journal) {
                Ok(reader) => none.insert(reader),
                Err(ReadError::Io(_, source)) if source.kind() == std::io::ErrorKind::NotFound => return Ok(false),
                Err(e) => return Err(e),
            },
        };
        let mut has_news = false;
        while let Some(record) = reader.next_record()? {
            has_news = true;
            match (record, &mut self.soak) {
                (Record::Header(header), None) => {
                    let history = History::of(&header, &self.targets.sample_limits());
                    let began = header.started_at.parse().ok();
                    let clock = began.map(|at| Clock::take_over(at, header.started_monotonic_ms, header.plan.pace));
                    self.soak = Some(Soak { header, history, clock });
                }
                (record, Some(soak)) => {
                    self.has_ended = self.has_ended || matches!(record, Record::End(_));
                    soak.history.absorb(&record);
                }
                // The reader guarantees that the first record is a header.
                (_, None) => {}
            }
        }
        Ok(has_news)
    }

    pub(super) const fn soak(&self) -> Option<&Soak> {
        self.soak.as_ref()
    }

    pub(super) fn into_soak(self) -> Option<Soak> {
        self.soak
    }

    pub(super) fn has_ended(&self) -> bool {
        self.has_ended
    }
}

/// Whether the last record of a journal is an end: its session ended in good order.
pub(super) fn has_end(journal: &Path) -> bool {
    last_line(journal).is_some_and(|line| line.starts_with(END))
}

/// The last line of a file, if it is short.
fn last_line(path: &Path) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(END_BYTES_MAX))).ok()?;
    let mut bytes = Vec::new();
    file.take(END_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    // A line without its line feed is still being written.
    let text = String::from_utf8_lossy(bytes.strip_suffix(b"\n")?);
    text.lines().last().map(str::to_owned)
}

impl Soak {
    /// The scenario's time by its clock, and at least that of its record; scenario milliseconds.
    pub(super) fn now_ms(&self) -> u64 {
        let by_clock = self.clock.as_ref().map_or(0, Clock::now_ms);
        by_clock.max(self.history.timeline.scenario_ms()).min(self.header.plan.duration_ms)
    }
}
