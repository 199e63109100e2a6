//! The processes of a gateway: the one that listens (or that is named) and its descendants.
//!
//! A gateway may be a cluster: a primary process that listens, and workers. Memory, descriptors and processor time of
//! the gateway are the sums over all of them, found again at each reading, because workers come and go.
//!
//! Memory of a tree: the resident memory of the root, and of each other process its resident memory without the share
//! of anonymous and shared memory that other processes hold too (`/proc/<pid>/smaps_rollup`), so that memory that
//! workers inherited by fork is not counted once per worker. Pages of files count in full, as in a resident size: their
//! proportional share would change with every unrelated process that runs the same program. A gateway of one process is
//! measured by its resident memory alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::{
    process::{self, ProcessReader, ProcessView},
    process_table::ProcessTable,
};

/// Maximum number of processes that are read. A gateway with more is not read at all: part of a sum says nothing.
const PROCESSES_MAX: usize = 1_024;
/// A reading is repeated up to this many times if processes came or went during it.
const READINGS_MAX: usize = 3;

/// How the memory of a reading was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum MemoryMeasure {
    /// One process: its resident memory.
    Resident,
    /// Several: shared memory counts once, or nearly.
    SharedOnce,
    /// Several, and their shared memory is unknown: the sum of their resident memory.
    SumOfResident,
}

impl fmt::Display for MemoryMeasure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resident => "resident memory",
            Self::SharedOnce => "with its descendants; memory that they share counts once",
            Self::SumOfResident => {
                "with its descendants; the sum of their resident memory, because /proc/<pid>/smaps_rollup cannot be read"
            }
        })
    }
}

/// One reading of a tree.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TreeView {
    /// The root; of several, the oldest.
    pub(super) root: u32,
    /// Name of the root's program.
    pub(super) name: String,
    /// Start of the root, seconds since 1970: a pid may be reused.
    pub(super) started_s: u64,
    /// Memory of all processes.
    pub(super) rss_bytes: u64,
    /// How that was measured.
    pub(super) measure: MemoryMeasure,
    /// Open descriptors of all processes; `None` if those of one cannot be counted.
    pub(super) open_fds: Option<usize>,
    /// Processor time of each process since it started, milliseconds, by pid and start.
    pub(super) cpu_ms: BTreeMap<(u32, u64), u64>,
}

impl TreeView {
    /// Number of processes.
    pub(super) fn processes(&self) -> usize {
        self.cpu_ms.len()
    }
}

/// Reads the tree of a gateway, again and again.
#[derive(Debug, Default)]
pub(super) struct ProcessTree {
    /// The processes of the last reading, by pid and start. A worker whose parent has ended belongs to the gateway as
    /// before, although its parent is now another.
    known: BTreeMap<u32, u64>,
}

impl ProcessTree {
    /// Reads the tree below these roots. `None` if a root is gone, or there are too many processes.
    pub(super) fn read(
        &mut self,
        processes: &mut ProcessReader,
        mut table: ProcessTable,
        roots: &[u32],
    ) -> Option<TreeView> {
        let root = oldest(&table, roots)?;
        if !self.known.contains_key(&root) {
            // Another gateway: workers of the one before are not its own.
            self.known.clear();
        }
        let mut members = self.members(&table, roots)?;
        let mut view = sum(processes, &table, root, &members);
        for _ in 1..READINGS_MAX {
            // One process is read in one go; several may change while they are read.
            if members.len() == 1 && view.is_some() {
                break;
            }
            table = ProcessTable::read(processes);
            let before = std::mem::replace(&mut members, self.members(&table, roots)?);
            if view.is_some() && before == members {
                break;
            }
            view = sum(processes, &table, root, &members);
        }
        self.known = members.iter().filter_map(|pid| Some((*pid, table.started(*pid)?))).collect();
        view
    }

    /// The roots and their descendants; those that were known and still live; and the descendants of these.
    fn members(&self, table: &ProcessTable, roots: &[u32]) -> Option<BTreeSet<u32>> {
        let known = self.known.iter().filter(|(pid, started)| table.is_alive_since(**pid, **started));
        let from: Vec<u32> = roots.iter().copied().chain(known.map(|(pid, _)| *pid)).collect();
        let members = table.descendants(&from, roots);
        (members.len() <= PROCESSES_MAX).then_some(members)
    }
}

/// The root that started first.
fn oldest(table: &ProcessTable, roots: &[u32]) -> Option<u32> {
    let alive = roots.iter().filter_map(|root| Some((table.started(*root)?, *root)));
    alive.min().map(|(_, root)| root)
}

/// The sums. `None` if the root could not be read, or another process ended meanwhile.
fn sum(processes: &mut ProcessReader, table: &ProcessTable, root: u32, members: &BTreeSet<u32>) -> Option<TreeView> {
    let first = processes.look(root)?;
    let mut view = TreeView {
        root,
        name: table.name(root).unwrap_or_default().to_owned(),
        started_s: first.started_s,
        rss_bytes: first.rss_bytes,
        measure: if members.len() == 1 { MemoryMeasure::Resident } else { MemoryMeasure::SharedOnce },
        open_fds: first.open_fds,
        cpu_ms: BTreeMap::from([((root, table.started(root)?), first.cpu_ms)]),
    };
    let mut unshared = 0;
    let mut resident = 0_u64;
    for pid in members.iter().copied().filter(|pid| *pid != root) {
        let ProcessView { rss_bytes, open_fds, cpu_ms, .. } = processes.look(pid)?;
        resident = resident.saturating_add(rss_bytes);
        match process::unshared_bytes(pid) {
            Some(bytes) => unshared += bytes,
            None => view.measure = MemoryMeasure::SumOfResident,
        }
        view.open_fds = view.open_fds.zip(open_fds).map(|(sum, open)| sum.saturating_add(open));
        view.cpu_ms.insert((pid, table.started(pid)?), cpu_ms);
    }
    let others = if view.measure == MemoryMeasure::SharedOnce { unshared } else { resident };
    view.rss_bytes = view.rss_bytes.saturating_add(others);
    Some(view)
}
