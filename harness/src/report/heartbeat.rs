//! The heartbeat line.

/// The heartbeat of a scenario minute, as log and terminal show it.
pub(crate) fn heartbeat_line(minute: u64, open_streams: u64, runs_started: u64) -> String {
    format!("💓 S2 alive — t={minute}m, active SSE={open_streams}, runs started={runs_started}")
}
