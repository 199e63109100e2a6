//! Processes on this machine, by pid: memory, descriptors, processor time.

#[cfg(not(target_os = "linux"))]
use std::collections::BTreeMap;
#[cfg(target_os = "linux")]
use std::fs;

use sysinfo::{Pid, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System};

/// Looks at processes.
#[derive(Debug)]
pub(super) struct ProcessReader(Option<System>);

/// One look at a process.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ProcessView {
    /// Resident memory.
    pub(super) rss_bytes: u64,
    /// Open descriptors, where the system tells.
    pub(super) open_fds: Option<usize>,
    /// Processor time since it started.
    pub(super) cpu_ms: u64,
    /// When it started, seconds since 1970: a pid alone may come again.
    pub(super) started_s: u64,
}

/// A process in the table of all processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ProcessEntry {
    pub(super) parent: u32,
    /// Start, in units of the system: a pid may be reused.
    pub(super) started: u64,
    /// Name of the program, as far as the system keeps it.
    pub(super) name: String,
}

impl Default for ProcessReader {
    fn default() -> Self {
        Self(System::new().ok())
    }
}

impl ProcessReader {
    /// Looks at a process; `None` if it does not exist, is a zombie, or cannot be seen.
    pub(super) fn look(&mut self, pid: u32) -> Option<ProcessView> {
        let system = self.0.as_mut()?;
        let pid = Pid::from_u32(pid);
        let what = ProcessRefreshKind::nothing().with_cpu().with_memory();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, what);
        let process = system.process(pid)?;
        if matches!(process.status(), ProcessStatus::Zombie | ProcessStatus::Dead) {
            return None;
        }
        Some(ProcessView {
            rss_bytes: process.memory(),
            open_fds: process.open_files(),
            cpu_ms: process.accumulated_cpu_time(),
            started_s: process.start_time(),
        })
    }

    /// All processes.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn table(&mut self) -> BTreeMap<u32, ProcessEntry> {
        let Some(system) = self.0.as_mut() else { return BTreeMap::new() };
        system.refresh_processes_specifics(ProcessesToUpdate::All, true, ProcessRefreshKind::nothing());
        let is_alive = |process: &&sysinfo::Process| {
            !matches!(process.status(), ProcessStatus::Zombie | ProcessStatus::Dead) && process.thread_kind().is_none()
        };
        let row = |process: &sysinfo::Process| {
            let entry = ProcessEntry {
                parent: process.parent().map_or(0, Pid::as_u32),
                started: process.start_time(),
                name: process.name().to_string_lossy().into_owned(),
            };
            (process.pid().as_u32(), entry)
        };
        system.processes().values().filter(is_alive).map(row).collect()
    }
}

/// Resident memory of a process without the share of anonymous and shared memory that others hold too; `None` if
/// unknown.
#[cfg(target_os = "linux")]
pub(super) fn unshared_bytes(pid: u32) -> Option<u64> {
    let [rollup, status] = ["smaps_rollup", "status"].map(|file| fs::read_to_string(format!("/proc/{pid}/{file}")));
    unshared(&rollup.ok()?, &status.ok()?)
}

/// Resident memory of a process without what others hold too: this system does not tell.
#[cfg(not(target_os = "linux"))]
pub(super) const fn unshared_bytes(_: u32) -> Option<u64> {
    None
}

/// Proportional shares since Linux 5.4; pages of files in full.
#[cfg(any(target_os = "linux", test))]
fn unshared(rollup: &str, status: &str) -> Option<u64> {
    let parts = [(rollup, "Pss_Anon:"), (rollup, "Pss_Shmem:"), (status, "RssFile:")];
    let kib = parts.map(|(text, name)| -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    });
    kib.into_iter().sum::<Option<u64>>().map(|kib| kib.saturating_mul(1_024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared_by_fork_counts_by_its_share_and_files_in_full() {
        let rollup = "55928d160000-7ffe2df43000 ---p 00000000 00:00 0   [rollup]\nRss:     5000 kB\nPss:  2000 kB\n\
                      Pss_Anon:            112 kB\nPss_File:            190 kB\nPss_Shmem:             8 kB\n";
        let status = "Name:\tnode\nVmRSS:\t    5000 kB\nRssAnon:\t     224 kB\nRssFile:\t    1640 kB\n";
        assert_eq!(Some((112 + 8 + 1_640) * 1_024), unshared(rollup, status));
        assert_eq!((None, None), (unshared("Pss: 1 kB", status), unshared(rollup, "")));
    }
}
