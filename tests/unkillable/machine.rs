//! A machine that misbehaves: a disk that is full, descriptors that are used up.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use libtest_mimic::Completion;

use crate::{
    scene::{Play, Scene, end_reason},
    soak::AnyError,
};

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

pub(crate) fn descriptors_that_are_used_up_are_no_fault_of_the_gateways() -> Result<Completion, AnyError> {
    let (soak, gateway) = SMOKE.soak("descriptors")?;
    let command = soak.command()?;
    let mut limited = Command::new("bash");
    limited.args(["-c", "ulimit -n 26; exec \"$@\"", "bash"]).arg(command.get_program()).args(command.get_args());
    let left = Scene::of(soak.start_by(limited)?, gateway).end()?;
    assert!(!left.status.success());
    assert_eq!("fatal", end_reason(&left)?);
    let results = left.results()?;
    let fatal = results["fatalError"].as_str().unwrap_or_default();
    assert!(fatal.contains("has used up its file descriptors (the limit is 26)"), "{fatal}");
    Ok(Completion::Completed)
}
