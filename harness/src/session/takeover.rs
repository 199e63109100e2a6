//! Takes over from a session that died, by its journal and its last checkpoint. The plan goes on where the clock is.

use std::{collections::BTreeMap, fs, io};

use super::{checkpoint::Checkpoint, resume_state::ResumeState};
use crate::{
    catalog::{Phase, Workload},
    clock::Clock,
    history::History,
    journal::{Cycles, Finding, Header, Incident, Interval, ReadError, Reader, Record, WriteError, Writer},
    judge::Targets,
    report::RunFolder,
};

/// State that a session that died has left.
#[derive(Debug)]
pub(super) struct Takeover {
    pub(super) header: Header,
    history: History,
    /// The last ids of the streams that are kept for hours, by name.
    last_ids: BTreeMap<String, String>,
    /// Measured by the session that died, and not yet in the journal.
    unwritten: Vec<Interval>,
}

/// A session that died cannot be taken over.
#[derive(Debug, thiserror::Error)]
#[error("cannot take over from the session that died: {0}")]
pub(super) enum TakeoverError {
    Read(#[from] ReadError),
    Write(#[from] WriteError),
}

impl Takeover {
    /// Reads the folder of a soak; `None` where no session has begun. `targets` define the first sample over them.
    pub(super) fn read(folder: &RunFolder, targets: &Targets) -> Result<Option<Self>, TakeoverError> {
        let mut reader = match Reader::open(&folder.journal()) {
            Ok(reader) => reader,
            Err(ReadError::Io(_, source)) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        // A session that was killed before its first line was whole has not begun.
        let Some(Record::Header(header)) = reader.next_record()? else { return Ok(None) };
        let mut history = History::of(&header, &targets.sample_limits());
        while let Some(record) = reader.next_record()? {
            history.absorb(&record);
        }
        let mut checkpoint = Checkpoint::read(&folder.checkpoint());
        let last_ids = std::mem::take(&mut checkpoint.last_ids);
        let unwritten = checkpoint.beyond(history.timeline.measured_to_ms);
        Ok(Some(Self { header: *header, history, last_ids, unwritten }))
    }

    /// The clock of the scenario: it ran on.
    pub(super) fn clock(&self) -> Clock {
        let Header { started_at, started_monotonic_ms, plan, .. } = &self.header;
        let started_at = started_at.parse().unwrap_or_else(|_| crate::clock::wall_now());
        Clock::take_over(started_at, *started_monotonic_ms, plan.pace)
    }

    /// Opens the journal for further records. Enters the intervals of the checkpoint, and the hole. Gives the journal,
    /// its content, and the hole: the time in which no session played, scenario milliseconds.
    pub(super) fn open(
        mut self,
        folder: &RunFolder,
        clock: &Clock,
    ) -> Result<(Writer, History, ResumeState, [u64; 2]), TakeoverError> {
        let (mut writer, torn_bytes) = Writer::resume(&folder.journal())?;
        for interval in std::mem::take(&mut self.unwritten) {
            self.enter(&mut writer, &Record::Interval(Box::new(interval)))?;
        }
        let from_ms = self.history.timeline.measured_to_ms;
        let to_ms = clock.now_ms().max(from_ms);
        let torn = match torn_bytes {
            0 => String::new(),
            _ => format!("; its last line was torn, and {torn_bytes} bytes of it are dropped"),
        };
        let why = format!("the session's process died; life {} took over{torn}", self.history.timeline.hole_count + 1);
        let finding = Finding::Hole { from_ms, to_ms, why, cut: self.cut() };
        self.enter(&mut writer, &Record::Incident(Incident { at_ms: to_ms, phase: Phase::Steady, finding }))?;
        remove_half_written(folder);
        let resumed = ResumeState::of(&self.history, self.last_ids);
        Ok((writer, self.history, resumed, [from_ms, to_ms]))
    }

    /// Cycles that were begun, and that will never be finished.
    fn cut(&self) -> BTreeMap<Workload, u64> {
        let cut = |workload: &Workload| {
            let Cycles { started, finished } = self.history.cycles(*workload);
            (*workload, started.saturating_sub(finished))
        };
        self.history.totals.cycles.keys().map(cut).filter(|(_, cut)| *cut > 0).collect()
    }

    fn enter(&mut self, writer: &mut Writer, record: &Record) -> Result<(), WriteError> {
        writer.append(record)?;
        self.history.absorb(record);
        Ok(())
    }
}

/// Files that the session that died was about to put in the place of others.
fn remove_half_written(folder: &RunFolder) {
    let entries = fs::read_dir(folder.path()).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(".tmp")) {
        // A file that stays does no harm.
        let _ = fs::remove_file(entry.path());
    }
}
