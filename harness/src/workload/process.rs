//! Processes on this machine, by pid: memory, descriptors, processor time.

use sysinfo::{Pid, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System};

/// Looks at processes.
#[derive(Debug)]
pub(super) struct Processes(Option<System>);

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

impl Processes {
    /// Nothing is looked at yet.
    pub(super) fn new() -> Self {
        Self(System::new().ok())
    }

    /// Looks at a process; `None` where there is none of that pid, or the system does not tell. One that has ended, and
    /// that its parent has not been told of yet, is none.
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
}
