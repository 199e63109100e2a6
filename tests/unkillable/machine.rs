//! A machine that misbehaves: a disk that is full, a folder that is read-only, descriptors that are used up.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use libtest_mimic::Completion;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use testkit::AnyError;

use crate::unkillable::scene::{Play, Scene, end_reason};

const SMOKE: Play = Play { suite: "smoke", pace: 20.0, settings: "" };

/// A disk of a few megabytes, if this process may mount one.
struct Disk(PathBuf);

impl Disk {
    fn mount(name: &str) -> Result<Option<Self>, AnyError> {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("unkillable-disks").join(name);
        // One that is left from a test that was killed is as good as gone.
        let _ = Command::new("umount").arg("-l").arg(&path).stderr(Stdio::null()).status();
        fs::create_dir_all(&path)?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=6m", "tmpfs"]).arg(&path).stderr(Stdio::null());
        Ok(mount.status().is_ok_and(|status| status.success()).then_some(Self(path)))
    }

    /// Takes all the room there is.
    fn fill(&self) -> Result<(), AnyError> {
        let mut file = File::create(self.0.join("ballast"))?;
        while file.write_all(&[0; 4_096]).is_ok() {}
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Says why a trial was not played, where nobody may mount a disk.
fn unmounted() -> Completion {
    Completion::ignored_with("only root may mount a small disk")
}

pub(crate) fn a_full_disk_leaves_an_end_and_results() -> Result<Completion, AnyError> {
    let Some(disk) = Disk::mount("full")? else { return Ok(unmounted()) };
    let scene = SMOKE.start_in(disk.0.join("soak"))?;
    scene.wait_until_recorded(60_000)?;
    disk.fill()?;
    let left = scene.end()?;
    assert!(!left.status.success());
    assert_eq!("fatal", end_reason(&left)?);
    let results = left.results()?;
    let fatal = results["fatalError"].as_str().unwrap_or_default();
    assert!(fatal.contains("No space left on device") && fatal.contains("is the disk full?"), "{fatal}");
    // The room that was kept took even the record that found the disk full.
    assert!(!fatal.contains("the record in hand is lost"), "{fatal}");
    assert!(results["summary"]["runsStarted"].as_u64() >= Some(1), "{}", results["summary"]);
    drop(disk);
    Ok(Completion::Completed)
}

/// Makes a folder one that nobody may write to, by a mount over it. Files in it that are open stay so.
fn make_read_only(folder: &Path) -> Result<(), AnyError> {
    for options in ["bind", "bind,remount,ro"] {
        let status = Command::new("mount").args(["-o", options]).args([folder, folder]).status()?;
        assert!(status.success(), "mount -o {options}: {status}");
    }
    Ok(())
}

pub(crate) fn a_folder_that_is_read_only_is_said_at_the_start() -> Result<Completion, AnyError> {
    let Some(disk) = Disk::mount("read-only-at-the-start")? else { return Ok(unmounted()) };
    let (soak, gateway) = SMOKE.soak_on(disk.0.join("soak"))?;
    let command = soak.command()?;
    make_read_only(&disk.0.join("soak/out"))?;
    let left = Scene::of(soak.start_by(command)?, gateway).end()?;
    assert!(!left.status.success());
    let said = left.output()?;
    assert!(said.contains("soak/out") && said.contains("Read-only file system"), "{said}");
    assert!(said.contains("S2_OUT"), "what would help is said: {said}");
    Ok(Completion::Completed)
}

pub(crate) fn a_folder_that_becomes_read_only_leaves_the_record_and_the_verdicts() -> Result<Completion, AnyError> {
    let Some(disk) = Disk::mount("read-only")? else { return Ok(unmounted()) };
    let scene = SMOKE.start_in(disk.0.join("soak"))?;
    scene.wait_until_recorded(60_000)?;
    make_read_only(&fs::canonicalize(disk.0.join("soak/out/latest-smoke"))?)?;
    let left = scene.end()?;
    assert!(!left.status.success());
    // Played to its end, and said by the trial whose business it is; no KPI of the gateway's is red for it.
    assert_eq!("played", end_reason(&left)?);
    let said = left.output()?;
    assert!(said.contains("-results-") && said.contains("Read-only file system"), "{said}");
    let failed: Vec<&str> = said.lines().filter(|line| line.ends_with("FAILED")).collect();
    assert!(failed.iter().any(|line| line.contains("smoke::harness::no_fatal_errors")), "{failed:?}");
    // A machine that is busy with other trials may be late, and that is said too.
    let of_harness = ["smoke::harness::no_fatal_errors", "smoke::harness::load_delivered"];
    assert!(failed.iter().all(|line| of_harness.iter().any(|name| line.contains(name))), "{failed:?}");
    Ok(Completion::Completed)
}

pub(crate) fn streams_without_descriptors_are_refused_at_the_start() -> Result<Completion, AnyError> {
    let (soak, gateway) = SMOKE.soak("few-descriptors")?;
    let command = soak.command()?;
    let mut limited = Command::new("bash");
    limited.args(["-c", "ulimit -n 26; exec \"$@\"", "bash"]).arg(command.get_program()).args(command.get_args());
    let fatal = fatal_error(Scene::of(soak.start_by(limited)?, gateway))?;
    let why = "file descriptors, and this process may have 26: raise the hard limit";
    assert!(fatal.contains("20 streams") && fatal.contains(why), "{fatal}");
    Ok(Completion::Completed)
}

pub(crate) fn descriptors_that_are_used_up_are_no_fault_of_the_gateways() -> Result<Completion, AnyError> {
    let scene = SMOKE.start("descriptors")?;
    scene.wait_until_recorded(60_000)?;
    // Open descriptors stay open.
    let session = i32::try_from(scene.session()?).ok().and_then(Pid::from_raw);
    prlimit(session, Resource::Nofile, Rlimit { current: Some(8), maximum: Some(8) })?;
    let fatal = fatal_error(scene)?;
    assert!(fatal.contains("has used up its file descriptors (the limit is 8)"), "{fatal}");
    Ok(Completion::Completed)
}

/// The fatal error of a session.
fn fatal_error(scene: Scene) -> Result<String, AnyError> {
    let left = scene.end()?;
    assert!(!left.status.success());
    assert_eq!("fatal", end_reason(&left)?);
    Ok(left.results()?["fatalError"].as_str().unwrap_or_default().to_owned())
}
