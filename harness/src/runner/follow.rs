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
    journal::{ReadError, Reader, Record},
    judge::Targets,
    plan::Plan,
};

/// The last record of a journal is short; in so many bytes there is all of it.
const END_BYTES_MAX: u64 = 512;
/// How the last record of a journal begins.
const END: &str = r#"{"record":"end""#;

/// How much a follower wants to know before the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PollMode {
    /// All that is new, at once.
    News,
    /// The plan, and then only whether the end is there. Sixty processes of one nextest run that all take a journal apart
    /// would take half a core from the soak that they wait for.
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
    /// The plan that is played: the journal's own plan, not today's settings.
    pub(super) plan: Plan,
    /// The history of the soak so far.
    pub(super) history: History,
    /// The scenario's clock, where its beginning is known.
    clock: Option<Clock>,
}

impl Follower {
    pub(super) const fn new(targets: Arc<Targets>, interest: PollMode) -> Self {
        Self { targets, interest, reader: None, soak: None, has_ended: false }
    }

    /// Takes in what is new, if it is of interest; whether anything was. A journal that is not there yet is one without
    /// news.
    pub(super) fn poll(&mut self, journal: &Path) -> Result<bool, ReadError> {
        if self.interest == PollMode::End && self.soak.is_some() {
            self.has_ended = self.has_ended || has_end(journal);
            return Ok(false);
        }
        self.catch_up(journal)
    }

    /// Takes in all that is new; whether anything was.
    pub(super) fn catch_up(&mut self, journal: &Path) -> Result<bool, ReadError> {
        if self.reader.is_none() {
            match Reader::open(journal) {
                Ok(reader) => self.reader = Some(reader),
                Err(ReadError::Io(_, source)) if source.kind() == std::io::ErrorKind::NotFound => return Ok(false),
                Err(e) => return Err(e),
            }
        }
        let Some(reader) = &mut self.reader else { return Ok(false) };
        let mut has_news = false;
        while let Some(record) = reader.next_record()? {
            has_news = true;
            match (record, &mut self.soak) {
                (Record::Header(header), None) => {
                    let history = History::of(&header, &self.targets.sample_limits());
                    let began = header.started_at.parse().ok();
                    let clock = began.map(|at| Clock::take_over(at, header.started_monotonic_ms, header.plan.pace));
                    self.soak = Some(Soak { clock, ..Soak::new(header.plan, history) });
                }
                (record, Some(soak)) => {
                    self.has_ended = self.has_ended || matches!(record, Record::End(_));
                    soak.history.absorb(&record);
                }
                // The reader has seen to it that the first record is a header.
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

    /// Whether the session has ended in good order.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended
    }
}

/// Whether a journal ends as the journals of sessions do that ended in good order.
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
    pub(super) const fn new(plan: Plan, history: History) -> Self {
        Self { plan, history, clock: None }
    }

    /// Where the scenario is by its clock, and at least where its record is; scenario milliseconds.
    pub(super) fn now_ms(&self) -> u64 {
        let by_clock = self.clock.as_ref().map_or(0, Clock::now_ms);
        by_clock.max(self.history.timeline.scenario_ms()).min(self.plan.duration_ms)
    }
}
