//! Other processes, as `/proc` shows them: which is a soak's session, how much memory it has taken, what it was called
//! with.

use std::{fs, os::unix::ffi::OsStrExt, path::Path};

/// The session that plays a soak whose results go to a folder, by its environment.
pub(crate) fn session_of(out: &Path) -> Option<u32> {
    let pids = fs::read_dir("/proc").ok()?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    // Processes that are another's, or have gone meanwhile, cannot be read.
    pids.into_iter().find(|pid| fs::read(format!("/proc/{pid}/environ")).is_ok_and(|it| is_session(&it, out)))
}

fn is_session(environment: &[u8], out: &Path) -> bool {
    let mut variables = environment.split(|byte| *byte == 0);
    let attach = [b"S2_ATTACH=", out.as_os_str().as_bytes(), b"/"].concat();
    variables.clone().any(|variable| variable == b"S2_ROLE=session")
        && variables.any(|variable| variable.starts_with(&attach))
}

/// The most memory that a process has had resident so far; bytes.
pub(crate) fn memory_peak_bytes(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(peak.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1_024)
}

/// What a process was called with, as `ps` shows it to everybody.
pub(crate) fn command_line(pid: u32) -> Vec<u8> {
    fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default()
}
