//! Follows a journal while it is being written, and folds it into a digest.

use std::{path::Path, sync::Arc};

use crate::{
    journal::{EndReason, Finding, ReadError, Reader, Record},
    judge::{Digest, Targets},
    plan::Plan,
};

/// Reads what a session has written since the last look.
#[derive(Debug)]
pub(super) struct Follower {
    targets: Arc<Targets>,
    reader: Option<Reader>,
    soak: Option<Soak>,
}

/// A soak as far as it is known.
#[derive(Debug)]
pub(super) struct Soak {
    /// What is played: the journal's own plan, not today's settings.
    pub(super) plan: Plan,
    /// What has come of it so far.
    pub(super) digest: Digest,
    /// The last sign of life.
    pub(super) heartbeat: Option<Heartbeat>,
}

/// A sign of life, as the journal has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Heartbeat {
    pub(super) due_ms: u64,
    pub(super) open_streams: u32,
    pub(super) runs_started: u64,
}

impl Follower {
    pub(super) const fn new(targets: Arc<Targets>) -> Self {
        Self { targets, reader: None, soak: None }
    }

    /// Takes in what is new; whether anything was. A journal that is not there yet is one without news.
    pub(super) fn poll(&mut self, journal: &Path) -> Result<bool, ReadError> {
        if self.reader.is_none() {
            match Reader::open(journal) {
                Ok(reader) => self.reader = Some(reader),
                Err(ReadError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => return Ok(false),
                Err(e) => return Err(e),
            }
        }
        let Some(reader) = &mut self.reader else { return Ok(false) };
        let mut has_news = false;
        while let Some(record) = reader.next_record()? {
            has_news = true;
            match (record, &mut self.soak) {
                (Record::Header(header), None) => {
                    let digest = Digest::new(&header.plan, &self.targets);
                    self.soak = Some(Soak::new(header.plan, digest));
                }
                (record, Some(soak)) => soak.absorb(&record),
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

    /// Why the session ended, if it has.
    pub(super) fn ended(&self) -> Option<EndReason> {
        self.soak.as_ref()?.digest.end().map(|end| end.reason)
    }
}

impl Soak {
    pub(super) const fn new(plan: Plan, digest: Digest) -> Self {
        Self { plan, digest, heartbeat: None }
    }

    pub(super) fn absorb(&mut self, record: &Record) {
        if let Record::Incident(incident) = record
            && let Finding::Heartbeat { due_ms, open_streams, runs_started } = incident.finding
        {
            self.heartbeat = Some(Heartbeat { due_ms, open_streams, runs_started });
        }
        self.digest.absorb(record);
    }
}
