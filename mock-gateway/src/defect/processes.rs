//! Two processes behind one address: what one counts, the other does not know of.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Defect, Faults};
use crate::metrics::Gauges;

/// How many there may be.
pub(crate) const PROCESSES: usize = 2;
/// The second began so many seconds before the first, and has so many bytes and descriptors more.
const OLDER_S: u64 = 60;
const MORE_BYTES: u64 = 9_000_000;
const MORE_FDS: u64 = 7;

/// Whose turn it is.
#[derive(Default)]
pub(super) struct Turns {
    counting: AtomicUsize,
    telling: AtomicUsize,
}

impl Faults {
    /// Which process counts what happens now; the first where there is no other.
    pub(crate) fn counts(&self) -> usize {
        self.whose_turn(&self.turns.counting)
    }

    /// Which process is asked for its metrics now.
    pub(crate) fn tells(&self) -> usize {
        self.whose_turn(&self.turns.telling)
    }

    /// What is counted elsewhere, as a process sees it.
    pub(crate) fn seen_by(&self, process: usize, mut gauges: Gauges) -> Gauges {
        if !self.has(Defect::TwoProcesses) {
            return gauges;
        }
        // Each holds half of the streams; the first one more where they are odd.
        gauges.streams_open = (gauges.streams_open + 1 - process) / PROCESSES;
        if process > 0
            && let Some(reading) = &mut gauges.process
        {
            reading.start_time_s -= OLDER_S;
            reading.resident_bytes += MORE_BYTES;
            reading.open_fds = reading.open_fds.map(|open| open + MORE_FDS);
        }
        gauges
    }

    fn whose_turn(&self, turns: &AtomicUsize) -> usize {
        if self.has(Defect::TwoProcesses) { turns.fetch_add(1, Ordering::Relaxed) % PROCESSES } else { 0 }
    }
}
