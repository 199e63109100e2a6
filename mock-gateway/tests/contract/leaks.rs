//! Memory and descriptors that grow, as they are seen from outside the gateway's process.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::caller::{Caller, eventually};
use crate::side_by_side::play_many;

/// A gateway in a process of its own, so that only its memory and descriptors are measured.
struct Process(Child);

impl Process {
    fn start(arguments: &[&str]) -> (Self, Caller) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mock-gateway"))
            .args(["--port", "0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim_end().strip_prefix("mock gateway listening on ").unwrap().to_owned();
        (Self(child), Caller::at(url, "w"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Whether or not the test got to its end.
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}

/// Memory in MiB and descriptors, before and after a hundred runs.
async fn growth(arguments: &[&str]) -> (f64, f64) {
    let (_process, caller) = Process::start(arguments);
    play_many(&caller, 100).await;
    let reading = async || {
        let resident = caller.metric("process_resident_memory_bytes").await / f64::from(1 << 20);
        (resident, caller.metric("process_open_fds").await)
    };
    let before = reading().await;
    play_many(&caller, 100).await;
    let after = reading().await;
    (after.0 - before.0, after.1 - before.1)
}

#[tokio::test]
async fn a_gateway_leaks_memory_and_descriptors_only_when_it_is_told_to() {
    let (plain, _) = growth(&[]).await;
    let (leaking, _) = growth(&["--defect", "leak-memory"]).await;
    // A hundred times 64 KiB.
    assert!(leaking > 5.0 && plain < 2.5, "{leaking:.1} MiB, without a leak {plain:.1}");
    let (_, descriptors) = growth(&["--defect", "leak-descriptors,slow-judge"]).await;
    assert!(descriptors >= 10.0, "{descriptors}");
}

#[tokio::test]
async fn a_sawtooth_rises_and_falls_back() {
    let (_process, caller) = Process::start(&["--defect", "sawtooth"]);
    let resident = async || caller.metric("process_resident_memory_bytes").await;
    let start = resident().await;
    eventually("memory has risen", async || resident().await > 1.1 * start).await;
    eventually("memory has fallen back", async || resident().await < 1.08 * start).await;
}

#[tokio::test]
async fn warm_up_growth_grows() {
    let (_process, caller) = Process::start(&["--defect", "warm-up-growth"]);
    let resident = async || caller.metric("process_resident_memory_bytes").await;
    let start = resident().await;
    eventually("memory has grown", async || resident().await > 1.15 * start).await;
}

/// The first descendant of a process: its resident memory in MiB, and its descriptors.
#[cfg(target_os = "linux")]
fn child_of(pid: u32) -> Option<(f64, usize)> {
    let pids = std::fs::read_dir("/proc").unwrap().flatten();
    let mut pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_child = |of: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{of}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").and_then(|(_, tail)| tail.split(' ').nth(1)?.parse().ok()) == Some(pid)
    };
    let child = pids.find(is_child)?;
    let status = std::fs::read_to_string(format!("/proc/{child}/status")).ok()?;
    let kib =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<f64>().ok())?;
    Some((kib / 1_024.0, std::fs::read_dir(format!("/proc/{child}/fd")).ok()?.count()))
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_worker_that_leaks_is_a_process_of_its_own_and_the_one_that_listens_does_not_grow() {
    let (process, caller) = Process::start(&["--defect", "worker-leak"]);
    let own = async || caller.metric("process_open_fds").await;
    play_many(&caller, 100).await;
    let (before, of_own) = (child_of(process.0.id()).unwrap(), own().await);
    play_many(&caller, 100).await;
    let (after, of_own_after) = (child_of(process.0.id()).unwrap(), own().await);
    let (memory, descriptors) = (after.0 - before.0, after.1 - before.1);
    assert!(memory > 5.0 && descriptors >= 10, "{memory:.1} MiB, {descriptors}");
    assert!((of_own_after - of_own).abs() < 10.0, "{of_own} and {of_own_after}");
}

#[tokio::test]
async fn of_two_workers_that_answer_in_turn_one_leaks() {
    let (_process, caller) = Process::start(&["--defect", "one-worker-leaks"]);
    let resident = async || caller.metric("process_resident_memory_bytes").await;
    let started = async || caller.metric("process_start_time_seconds").await;
    assert_eq!(started().await.to_bits(), started().await.to_bits());
    let before = [resident().await, resident().await];
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    let after = [resident().await, resident().await];
    // 24 MB in a minute.
    let grown = [0, 1].map(|process| after[process] - before[process]);
    assert!(grown[0] < 700_000.0 && grown[1] > 900_000.0, "{grown:?}");
}
