//! The session is killed, again and again: another reads its journal, keeps the timeline and plays on.

use std::{fs, path::Path, process::Stdio, time::Duration};

use s2_harness::clock;
use testkit::{AnyError, Left, own_binary, session_of};

use crate::unkillable::scene::{Play, Scene, end_reason, incidents, journal, only_red, signal, wait};
use rustix::process::Signal;

const MINUTE_MS: u64 = 60_000;
/// The whole two hours in a minute.
/// As slow as the longest trial beside it: at a higher pace a busy machine leaves churns too little time out of windows.
const FULL: Play = Play { suite: "full", pace: 60.0, settings: "" };
const SMOKE: Play = Play { suite: "smoke", pace: 60.0, settings: "" };
/// Another session is there within half a second where the machine has room; a busy one is given more.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(5);
/// Between looks for a session that has taken over.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Memory of lives that are too short to have one is unproven, and rightly; all else has to be green.
const OWN_MEMORY: &str = "self_drift";

pub(crate) fn kills_turn_no_kpi_of_the_gateway_red() -> Result<(), AnyError> {
    killed_at("kills", &[8 * MINUTE_MS, 31 * MINUTE_MS, 66 * MINUTE_MS, 108 * MINUTE_MS])
}

/// In the middle of each event: after the Redis restart, after the gateway's, and under the added latency.
pub(crate) fn a_kill_in_the_middle_of_chaos() -> Result<(), AnyError> {
    killed_at("chaos", &[45 * MINUTE_MS + 20_000, 75 * MINUTE_MS + 20_000, 91 * MINUTE_MS])
}

fn killed_at(name: &str, moments_ms: &[u64]) -> Result<(), AnyError> {
    let scene = FULL.start(name)?;
    let mut recorded = String::new();
    for at_ms in moments_ms {
        scene.wait_until_recorded(*at_ms)?;
        let away;
        (recorded, away) = kill(&scene)?;
        assert!(away < TAKEN_OVER_WITHIN, "nobody took over for {away:?}");
    }
    let left = scene.end()?;
    only_red(&left, &[OWN_MEMORY])?;
    assert_eq!("played", end_reason(&left)?);
    let holes = incidents(&left, "hole")?;
    assert_eq!(moments_ms.len(), holes.len(), "{holes:?}");
    // Nothing that was written is lost, not a byte.
    let whole = recorded.rfind('\n').map_or(0, |at| at + 1);
    assert!(whole > 0 && journal(&left.folder.join("out")).starts_with(&recorded[..whole]));
    nothing_is_left_behind(&left)
}

fn kill(scene: &Scene) -> Result<(String, Duration), AnyError> {
    scene.kill_session()
}

/// Neither a checkpoint, which only a session that takes over needs, nor half a file.
fn nothing_is_left_behind(left: &Left) -> Result<(), AnyError> {
    let names = left.files()?.into_iter().filter_map(|(path, _)| Some(path.file_name()?.to_str()?.to_owned()));
    let strays: Vec<String> = names.filter(|name| name.starts_with("checkpoint") || name.starts_with(".tmp")).collect();
    assert!(strays.is_empty(), "{strays:?}");
    Ok(())
}

/// As nextest runs them: each trial in a process of its own, all of one run.
pub(crate) fn trials_in_processes_of_their_own() -> Result<(), AnyError> {
    const TRIALS: [&str; 4] = [
        "smoke::kpi::run_success",
        "smoke::kpi::sse_gaps",
        "smoke::harness::full_duration",
        "smoke::workload::w3_registry_pulse",
    ];
    let (soak, _gateway) = SMOKE.soak("nextest")?;
    let mut trials = Vec::new();
    // The command makes the folder anew, so each trial's is the same one.
    let mut command = soak.command()?;
    for trial in TRIALS {
        let mut one = own_binary()?;
        let set = command.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
        one.envs(set).env("NEXTEST_RUN_ID", "0b7a9c1e").args(["--exact", trial, "--nocapture", "--color", "never"]);
        trials.push((trial, one.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?));
    }
    command.stdin(Stdio::null());
    let out = soak.folder.join("out");
    for at_ms in [3 * MINUTE_MS, 8 * MINUTE_MS] {
        wait("the moment", || (reached(&out) >= at_ms).then_some(()))?;
        let pid = wait("a session", || session_of(&out))?;
        signal(pid, Signal::KILL)?;
        wait("another session", || session_of(&out).filter(|other| *other != pid))?;
    }
    for (name, child) in trials {
        let output = child.wait_with_output()?;
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stdout));
    }
    let folders = fs::read_dir(&out)?.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let soaks = folders.filter(|entry| entry.file_name().to_string_lossy().starts_with("smoke-")).count();
    assert_eq!(1, soaks, "one run is one soak, however many sessions it took");
    assert_eq!(2, journal(&out).matches("\"kind\":\"hole\"").count());
    Ok(())
}

fn reached(out: &Path) -> u64 {
    let journal = journal(out);
    let to = journal.rmatches("\"to_ms\":").next().and(journal.rsplit("\"to_ms\":").next());
    to.and_then(|rest| rest.split(',').next()?.parse().ok()).unwrap_or(0)
}

pub(crate) fn after_ten_takeovers_it_gives_up() -> Result<(), AnyError> {
    let scene = SMOKE.start("ten")?;
    scene.wait_until_recorded(2 * MINUTE_MS)?;
    let mut killed = 0;
    let began = clock::now();
    // The eleventh that dies is the last that plays.
    while killed < 11 {
        let pid = scene.session()?;
        let holes = scene.journal().matches("\"kind\":\"hole\"").count();
        if holes < killed {
            // It has not taken over yet.
            assert!(began.elapsed() < Duration::from_secs(120), "{killed} were killed, and {holes} took over");
            std::thread::sleep(LOOK_EVERY);
            continue;
        }
        signal(pid, Signal::KILL)?;
        killed += 1;
        wait("its end", || (session_of(&scene.playing.out()) != Some(pid)).then_some(()))?;
    }
    let left = scene.end()?;
    assert!(!left.status.success());
    assert_eq!("fatal", end_reason(&left)?);
    let results = left.results()?;
    let fatal = results["fatalError"].as_str().unwrap_or_default();
    assert!(fatal.contains("11 sessions died one after another"), "{fatal}");
    // What was measured until then is judged.
    assert!(results["summary"]["runsStarted"].as_u64() >= Some(5), "{}", results["summary"]);
    Ok(())
}
