//! SIGINT and SIGTERM: the first ends the soak in good order, the second leaves.

use std::time::Duration;

pub(crate) use rustix::process::Signal;
use s2_harness::clock;

use testkit::{AnyError, session_of};

use crate::unkillable::scene::{Play, end_reason, signal, wait, within};

pub(crate) const INTERRUPT: Signal = Signal::INT;
pub(crate) const TERMINATE: Signal = Signal::TERM;
/// Long enough not to end by itself.
const SMOKE: Play = Play { suite: "smoke", pace: 10.0, settings: "" };
/// What a shell says of a process that SIGINT ended.
const INTERRUPTED: i32 = 130;

pub(crate) fn ends_in_good_order(by: Signal) -> Result<(), AnyError> {
    let scene = SMOKE.start(if by == INTERRUPT { "interrupt" } else { "terminate" })?;
    scene.wait_until_recorded(60_000)?;
    signal(scene.playing.runner.id(), by)?;
    let asked = clock::now().into_std();
    let left = scene.end()?;
    within(Duration::from_secs(5), asked, "the end")?;
    assert!(!left.status.success());
    assert_eq!("signal", end_reason(&left)?);
    let summary = &left.results()?["summary"];
    assert_eq!("signal", summary["endReason"], "{summary}");
    assert!(summary["runsStarted"].as_u64() >= Some(1), "{summary}");
    Ok(())
}

pub(crate) fn a_second_interrupt_leaves_at_once() -> Result<(), AnyError> {
    let mut scene = SMOKE.start("twice")?;
    scene.wait_until_recorded(60_000)?;
    let (runner, session) = (scene.playing.runner.id(), scene.session()?);
    // A session that stands still cannot end, so that the runner has to wait for it.
    signal(session, Signal::STOP)?;
    signal(runner, INTERRUPT)?;
    let said = scene.playing.out().with_file_name("stderr");
    let has_said = || std::fs::read_to_string(&said).unwrap_or_default().contains("once more leaves at once");
    wait("the first to be heard", || has_said().then_some(()))?;
    signal(runner, INTERRUPT)?;
    let asked = clock::now().into_std();
    let status = wait("the runner's end", || scene.playing.runner.try_wait().ok().flatten());
    signal(session, Signal::CONT)?;
    within(Duration::from_secs(2), asked, "leaving")?;
    assert_eq!(Some(INTERRUPTED), status?.code());
    wait("the session's end", || session_of(&scene.playing.out()).is_none().then_some(()))
}
