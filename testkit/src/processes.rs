//! Other processes, as `/proc` shows them.

use std::{fs, os::unix::ffi::OsStrExt, path::Path};

/// The session of the soak whose results go to a folder, found by its environment.
#[must_use]
pub fn session_of(out: &Path) -> Option<u32> {
    let pids = fs::read_dir("/proc").ok()?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    // Processes of other users, and those that have ended meanwhile, cannot be read.
    pids.into_iter().find(|pid| fs::read(format!("/proc/{pid}/environ")).is_ok_and(|it| is_session(&it, out)))
}

fn is_session(environment: &[u8], out: &Path) -> bool {
    let mut variables = environment.split(|byte| *byte == 0);
    let attach = [b"S2_ATTACH=", out.as_os_str().as_bytes(), b"/"].concat();
    variables.clone().any(|variable| variable == b"S2_ROLE=session")
        && variables.any(|variable| variable.starts_with(&attach))
}

/// The resident memory of a process.
#[must_use]
pub fn memory_bytes(pid: u32) -> Option<u64> {
    status_bytes(pid, "VmRSS:")
}

/// The most resident memory that a process has had.
#[must_use]
pub fn memory_peak_bytes(pid: u32) -> Option<u64> {
    status_bytes(pid, "VmHWM:")
}

fn status_bytes(pid: u32, field: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let size = status.lines().find_map(|line| line.strip_prefix(field))?;
    Some(size.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1_024)
}

/// Processor time that a process has used, milliseconds, to a hundredth of a second.
#[must_use]
pub fn cpu_ms(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name is in brackets and may hold spaces. After it, user and system time are the 12th and the 13th field.
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks: u64 = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Some(ticks * 1_000 / rustix::param::clock_ticks_per_second())
}

/// The command line of a process, as `ps` shows it to every user.
#[must_use]
pub fn command_line(pid: u32) -> Vec<u8> {
    fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default()
}
