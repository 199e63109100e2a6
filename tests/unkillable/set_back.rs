//! The machine's wall clock is set back in the middle of a soak: nothing of it is the gateway's doing, and the timeline
//! stays.

use std::{
    fs::{self, File},
    path::Path,
    process::Command,
};

use testkit::AnyError;

use crate::unkillable::scene::{Play, Scene, end_reason, incidents, only_red};

const FULL: Play = Play { suite: "full", pace: 120.0, settings: "" };
/// By then all that is measured at intervals has been measured a few times.
const SET_BACK_AT_MS: u64 = 60 * 60_000;

pub(crate) fn a_clock_that_is_set_back_turns_nothing_red() -> Result<(), AnyError> {
    let (soak, gateway) = FULL.soak("set-back")?;
    let mut command = soak.command()?;
    let library = preloaded(&soak.folder)?;
    let file = soak.folder.join("set-back");
    command.env("LD_PRELOAD", library).env("SET_BACK_WHEN", &file);
    let scene = Scene::of(soak.start_by(command)?, gateway);
    scene.wait_until_recorded(SET_BACK_AT_MS)?;
    File::create(file)?;
    // A session that takes over afterwards keeps the timeline all the same.
    scene.wait_until_recorded(SET_BACK_AT_MS + 10 * 60_000)?;
    scene.kill_session()?;
    let left = scene.end()?;
    only_red(&left, &[])?;
    assert_eq!("played", end_reason(&left)?);
    let holes = incidents(&left, "hole")?;
    let lost_ms = |hole: &serde_json::Value| Some(hole["to_ms"].as_u64()? - hole["from_ms"].as_u64()?);
    assert!(holes.len() == 1 && lost_ms(&holes[0]) < Some(600_000), "{holes:?}");
    let drift =
        left.results()?["kpis"].as_array().into_iter().flatten().find(|kpi| kpi["name"] == "clock_drift").cloned();
    let notes = drift.ok_or("clock_drift is not judged")?["evidence"]["notes"].to_string();
    assert!(notes.contains("our own clock was set meanwhile"), "{notes}");
    Ok(())
}

/// The library that sets the clock back. It takes the C compiler that the build takes.
fn preloaded(folder: &Path) -> Result<std::path::PathBuf, AnyError> {
    let source = folder.join("set_back.c");
    fs::write(&source, include_str!("set_back.c"))?;
    let library = folder.join("set_back.so");
    let status = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).arg("-ldl").status()?;
    if status.success() { Ok(library) } else { Err("cc does not compile set_back.c".into()) }
}
