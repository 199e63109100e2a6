//! The runner is killed: what it started notices, ends in good order, and is gone.

use std::{fs, time::Duration};

use rustix::process::Signal;
use s2_harness::clock;
use testkit::AnyError;

use crate::unkillable::scene::{Play, journal, signal, wait, within};

/// With the embedded gateway, which must not be left over either. Long enough not to end by itself.
const SMOKE: Play = Play { suite: "smoke", pace: 10.0, settings: "" };

pub(crate) fn nothing_outlives_the_runner() -> Result<(), AnyError> {
    let soak = SMOKE.soak_at("orphans", None);
    let playing = soak.start()?;
    let out = playing.out();
    wait("the first interval", || journal(&out).contains("\"record\":\"interval\"").then_some(()))?;
    let ours = || started_for(&out.display().to_string());
    // One that was left by an earlier trial in this folder ends by itself.
    wait("a session and a gateway, and no other process", || (ours().len() == 2).then_some(()))?;
    signal(playing.runner.id(), Signal::KILL)?;
    let killed = clock::now().into_std();
    wait("their end", || ours().is_empty().then_some(()))?;
    within(Duration::from_secs(10), killed, "the end of session and gateway")?;

    let journal = journal(&out);
    assert!(journal.ends_with("\"reason\":\"abandoned\"}\n"), "{:?}", journal.lines().last());
    let latest = out.join("latest-smoke");
    let names = fs::read_dir(&latest)?.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let results = names.into_iter().find(|name| name.contains("-results-")).ok_or("no results")?;
    assert!(fs::read_to_string(latest.join(results))?.contains("\"endReason\": \"abandoned\""));
    drop(playing);
    Ok(())
}

/// Processes that were started for a soak: those whose environment names its attach folder.
fn started_for(out: &str) -> Vec<u32> {
    let needle = format!("S2_ATTACH={out}/");
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_ours = |pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable.starts_with(needle.as_bytes()))
    };
    pids.filter(is_ours).collect()
}
