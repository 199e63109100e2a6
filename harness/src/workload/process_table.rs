//! All processes of this machine at one moment: who started whom.
//!
//! On Linux `/proc` is read: there `sysinfo` keeps a descriptor open for each process, which would count as S2's.

use std::collections::{BTreeMap, BTreeSet};

use super::process::{ProcessEntry, ProcessReader};

/// Maximum number of ancestors that are followed: a table that was read while processes ended may contain a circle.
const ANCESTORS_MAX: usize = 64;

/// The table. A process that has ended and that its parent has not waited for is not in it.
#[derive(Debug, Clone, Default)]
pub(super) struct ProcessTable(BTreeMap<u32, ProcessEntry>);

impl ProcessTable {
    #[cfg(target_os = "linux")]
    pub(super) fn read(_: &mut ProcessReader) -> Self {
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let row = |pid| Some((pid, entry(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?));
        Self(pids.filter_map(row).collect())
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn read(processes: &mut ProcessReader) -> Self {
        Self(processes.table())
    }

    /// Start of a process, if it is there.
    pub(super) fn started(&self, pid: u32) -> Option<u64> {
        self.0.get(&pid).map(|entry| entry.started)
    }

    /// Whether a process is there, and is the one that started then.
    pub(super) fn is_alive_since(&self, pid: u32, started: u64) -> bool {
        self.started(pid) == Some(started)
    }

    /// Name of a process, if it is there.
    pub(super) fn name(&self, pid: u32) -> Option<&str> {
        self.0.get(&pid).map(|entry| entry.name.as_str())
    }

    /// The ancestors of a process, nearest first.
    pub(super) fn ancestors(&self, pid: u32) -> impl Iterator<Item = u32> {
        std::iter::successors(self.parent(pid), |pid| self.parent(*pid)).take(ANCESTORS_MAX)
    }

    fn parent(&self, pid: u32) -> Option<u32> {
        self.0.get(&pid).map(|entry| entry.parent).filter(|parent| *parent != 0)
    }

    /// These processes and all their descendants that exist, without this process and its descendants, and without its
    /// ancestors except for `roots`: a named process is the gateway although it started S2, too.
    pub(super) fn descendants(&self, of: &[u32], roots: &[u32]) -> BTreeSet<u32> {
        let own = std::process::id();
        let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (pid, entry) in &self.0 {
            children.entry(entry.parent).or_default().push(*pid);
        }
        let mut found = BTreeSet::new();
        let mut open: Vec<u32> = of.iter().copied().filter(|pid| self.0.contains_key(pid)).collect();
        while let Some(pid) = open.pop() {
            if pid != own && found.insert(pid) {
                open.extend(children.get(&pid).into_iter().flatten());
            }
        }
        for ancestor in self.ancestors(own).filter(|ancestor| !roots.contains(ancestor)) {
            found.remove(&ancestor);
        }
        found
    }

    /// The nearest process from which all of these descend. It may be one of them.
    pub(super) fn common_ancestor(&self, of: &[u32]) -> Option<u32> {
        let (first, others) = of.split_first()?;
        let line = |pid: u32| -> Vec<u32> { std::iter::once(pid).chain(self.ancestors(pid)).collect() };
        let others: Vec<Vec<u32>> = others.iter().map(|pid| line(*pid)).collect();
        line(*first).into_iter().find(|pid| others.iter().all(|line| line.contains(pid)))
    }
}

impl FromIterator<(u32, ProcessEntry)> for ProcessTable {
    fn from_iter<T: IntoIterator<Item = (u32, ProcessEntry)>>(rows: T) -> Self {
        Self(rows.into_iter().collect())
    }
}

/// `pid (name) state ppid … starttime …`: the name may contain spaces and brackets, so the last bracket ends it.
#[cfg(any(target_os = "linux", test))]
fn entry(stat: &str) -> Option<ProcessEntry> {
    let (head, tail) = stat.rsplit_once(')')?;
    let name = head.split_once('(')?.1.to_owned();
    let mut fields = tail.split_ascii_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    // The 22nd field of all.
    let started = fields.nth(17)?.parse().ok()?;
    (!matches!(state, "Z" | "X" | "x")).then_some(ProcessEntry { parent, started, name })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[(u32, u32)]) -> ProcessTable {
        let entry = |parent| ProcessEntry { parent, started: 1, name: String::new() };
        rows.iter().map(|(pid, parent)| (*pid, entry(*parent))).collect()
    }

    #[test]
    fn a_row_is_read_whatever_the_program_is_called_and_a_zombie_is_none() {
        let row = |state: &str| format!("42 (a) b (c)) {state} 7 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 99 0");
        let expected = ProcessEntry { parent: 7, started: 12_345, name: "a) b (c)".to_owned() };
        assert_eq!(Some(expected), entry(&row("S")));
        assert_eq!((None, None), (entry(&row("Z")), entry("42 (a) S 7")));
    }

    #[test]
    fn descendants_are_found_at_any_depth_and_siblings_are_not() {
        let table = table(&[(1, 0), (10, 1), (11, 10), (12, 11), (13, 10), (20, 1), (21, 20)]);
        assert_eq!(BTreeSet::from([10, 11, 12, 13]), table.descendants(&[10], &[10]));
        assert_eq!(BTreeSet::from([12, 20, 21]), table.descendants(&[12, 20, 99], &[12]));
        // A table that was read while processes came and went may contain a circle.
        let circle = super::tests::table(&[(2, 3), (3, 2)]);
        assert_eq!(BTreeSet::from([2, 3]), circle.descendants(&[2], &[2]));
        assert_eq!(None, circle.common_ancestor(&[2, 9]));
    }

    #[test]
    fn s2_itself_and_those_that_started_it_are_not_the_gateway() {
        let own = std::process::id();
        let (shell, gateway, worker, child) = (own + 1, own + 2, own + 3, own + 4);
        let table = table(&[(shell, 1), (gateway, shell), (worker, gateway), (own, shell), (child, own)]);
        assert_eq!(BTreeSet::from([shell, gateway, worker]), table.descendants(&[shell], &[shell]));
        let deeper = super::tests::table(&[(5_000_000, 1), (shell, 5_000_000), (gateway, shell), (own, shell)]);
        assert_eq!(BTreeSet::from([5_000_000, gateway]), deeper.descendants(&[5_000_000], &[5_000_000]));
    }

    #[test]
    fn the_nearest_common_ancestor_may_be_one_of_them() {
        let table = table(&[(1, 0), (10, 1), (11, 10), (12, 10), (13, 12), (20, 1)]);
        let of = |pids: &[u32]| table.common_ancestor(pids);
        assert_eq!((Some(10), Some(10), Some(12)), (of(&[11, 13]), of(&[10, 13]), of(&[12, 13])));
        assert_eq!((Some(1), Some(11), None), (of(&[11, 20]), of(&[11]), of(&[])));
    }
}
