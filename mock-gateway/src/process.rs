//! Data of the system about this process.

use std::sync::Mutex;

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// This process at one moment.
pub(crate) struct ProcessReading {
    pub(crate) resident_bytes: u64,
    /// None where the system does not count them.
    pub(crate) open_fds: Option<u64>,
    /// Unix time of its start.
    pub(crate) start_time_s: u64,
}

/// Reads this process, again and again, with the same few descriptors.
pub(crate) struct ProcessReader(Option<Mutex<System>>);

impl ProcessReader {
    pub(crate) fn new() -> Self {
        Self(System::new().ok().map(Mutex::new))
    }

    /// None on a system that does not tell.
    pub(crate) fn read(&self) -> Option<ProcessReading> {
        let mut system = self.0.as_ref()?.lock().expect("no holder panics");
        let pid = Pid::from_u32(std::process::id());
        let kind = ProcessRefreshKind::nothing().with_memory();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, kind);
        let process = system.process(pid)?;
        Some(ProcessReading {
            resident_bytes: process.memory(),
            open_fds: process.open_files().map(|count| count as u64),
            start_time_s: process.start_time(),
        })
    }
}
