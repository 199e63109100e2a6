//! Runs that have ended, and that wait until their streams have shown all of their events.

use std::{collections::VecDeque, sync::Arc};

use super::{RunWatch, StartPoint};

/// Maximum number of runs that wait. Further runs are not compared.
pub(super) const WAITING_MAX: usize = 4_096;
/// The same for the bytes of their records.
pub(super) const WAITING_BYTES_MAX: usize = 64 * 1_024 * 1_024;

/// Runs that have ended, and of which the workspace streams may have more to show.
#[derive(Debug, Default)]
pub(super) struct PendingRuns {
    pub(super) runs: VecDeque<EndedRun>,
    pub(super) bytes: usize,
}

/// A run that has ended in success.
#[derive(Debug)]
pub(super) struct EndedRun {
    pub(super) run: String,
    pub(super) watch: Arc<RunWatch>,
    pub(super) due: StartPoint,
    /// When its end was known; milliseconds as the ledger counts them.
    pub(super) known_ms: u64,
    /// Its log lines.
    pub(super) record: Vec<String>,
}

impl EndedRun {
    pub(super) fn bytes(&self) -> usize {
        self.record.iter().map(|line| line.len() + size_of::<String>()).sum()
    }
}
