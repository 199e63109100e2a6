//! The session is stopped for ten seconds, as a machine does that swaps: that is the harness's own lateness.

use std::{thread, time::Duration};

use rustix::process::Signal;
use testkit::AnyError;

use crate::unkillable::scene::{Play, incidents, only_red, reds, signal};

/// A run every second.
const SMOKE: Play = Play { suite: "smoke", pace: 20.0, settings: "[suites]\nsmoke_duration = \"12m\"\n" };
/// What is tested, so it is no guess of a sleep.
const STOPPED: Duration = Duration::from_secs(10);

pub(crate) fn a_session_that_stood_still_blames_itself() -> Result<(), AnyError> {
    let scene = SMOKE.start("stopped")?;
    scene.wait_until_recorded(60_000)?;
    let session = scene.session()?;
    signal(session, Signal::STOP)?;
    thread::sleep(STOPPED);
    signal(session, Signal::CONT)?;
    let left = scene.end()?;
    // Heartbeats are ours as well, and one may have been due meanwhile.
    only_red(&left, &["load_delivered", "heartbeats"])?;
    let reds = reds(&left)?;
    let why = reds.get("load_delivered").ok_or("load_delivered is green")?["reason"].to_string();
    assert!(why.contains("the session stood still for"), "{why}");
    let stalls = incidents(&left, "stalled")?;
    let longest_ms = stalls.iter().filter_map(|stall| stall["stalled_ms"].as_u64()).max();
    assert!(longest_ms >= Some(9_000), "{stalls:?}");
    Ok(())
}
