//! Attaching and following, in temporary folders: sessions here are threads, or a few lines written to a journal.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use super::{
    attach::{AttachError, LIVES_MAX, WaitOutcome, wait_for_session},
    folder::{AttachFolder, GatewayAddress, remove_old, run_key},
    follow::{Follower, PollMode, has_end},
    lock::{self, Lock},
    spawn::{SpawnError, Spawner},
};
use crate::{
    catalog::{Phase, Suite},
    journal::{End, EndReason, Finding, Header, Incident, Interval, JOURNAL_VERSION, Record, Writer},
    judge::Targets,
    plan::{Plan, Scenario},
    report::RunFolder,
    settings::Environment,
};

fn header() -> Record {
    Record::Header(Box::new(Header {
        version: JOURNAL_VERSION,
        harness: "0".into(),
        started_at: "2026-11-23T10:00:00Z".into(),
        started_monotonic_ms: None,
        nonce: String::new(),
        gateway_url: "http://127.0.0.1:1".into(),
        embedded: true,
        plan: Plan::new(Suite::Smoke, &Scenario::default(), 1, 30.0),
        settings: [].into(),
        routes: [].into(),
    }))
}

fn heartbeat(due_ms: u64) -> Record {
    let finding = Finding::Heartbeat { due_ms, open_streams: 20, runs_started: 15 };
    Record::Incident(Incident { at_ms: due_ms, phase: Phase::Steady, finding })
}

fn end() -> Record {
    Record::End(End { at_ms: 900_000, ended_at: "2026-11-23T10:00:30Z".into(), reason: EndReason::Played })
}

fn follower() -> Follower {
    Follower::new(Arc::new(Targets::default()), PollMode::News)
}

/// Starts sessions that are threads: each holds `session.lock` and writes a journal, with or without an end.
struct Threads {
    out: PathBuf,
    spawned: Arc<AtomicU32>,
    records: Vec<Record>,
}

impl Spawner for Threads {
    fn spawn(&mut self, folder: &AttachFolder) -> Result<(), SpawnError> {
        let run = match folder.run_folder()? {
            Some(run) => run,
            None => folder.make_run_folder(&self.out)?,
        };
        folder.write_lives(folder.lives()? + 1)?;
        self.spawned.fetch_add(1, SeqCst);
        let life =
            Lock::try_exclusive(&folder.file(AttachFolder::SESSION_LOCK))?.expect("only one session is ever started");
        let records = self.records.clone();
        thread::spawn(move || {
            let mut writer = Writer::resume(&run.journal()).unwrap().0;
            for record in records {
                thread::sleep(Duration::from_millis(20));
                writer.append(&record).unwrap();
            }
            drop(life);
        });
        Ok(())
    }

    fn reap(&mut self) -> bool {
        false
    }
}

/// Starts nothing.
struct Broken(AtomicU32);

impl Spawner for Broken {
    fn spawn(&mut self, folder: &AttachFolder) -> Result<(), SpawnError> {
        self.0.fetch_add(1, SeqCst);
        Err(folder.make_run_folder(Path::new("/nonexistent/s2")).unwrap_err().into())
    }

    fn reap(&mut self) -> bool {
        false
    }
}

fn attend_with(folder: &AttachFolder, spawner: &mut dyn Spawner) -> (Result<WaitOutcome, AttachError>, Follower) {
    let mut follower = follower();
    let attended = wait_for_session(folder, &mut follower, spawner, &mut |_, _| {});
    (attended, follower)
}

#[test]
fn however_many_attach_one_session_is_started_and_all_see_its_end() {
    let out = tempfile::tempdir().unwrap();
    let spawned = Arc::new(AtomicU32::new(0));
    let attachers: Vec<_> = (0..8)
        .map(|_| {
            // Each makes the folder for itself, as processes do.
            let folder = AttachFolder::make(out.path(), "run", Suite::Smoke).unwrap();
            let records = vec![header(), heartbeat(300_000), end()];
            let mut spawner = Threads { out: out.path().into(), spawned: Arc::clone(&spawned), records };
            thread::spawn(move || attend_with(&folder, &mut spawner))
        })
        .collect();
    for attacher in attachers {
        let (attended, follower) = attacher.join().unwrap();
        assert_eq!(attended.unwrap(), WaitOutcome::Ended);
        assert!(follower.has_ended());
    }
    assert_eq!(spawned.load(SeqCst), 1);
    let latest = std::fs::read_link(out.path().join("latest-smoke")).unwrap();
    assert!(RunFolder::from_path(&latest).is_some_and(|run| run.suite() == Suite::Smoke));
}

#[test]
fn who_attaches_after_the_end_is_told_and_starts_nothing() {
    let out = tempfile::tempdir().unwrap();
    let folder = AttachFolder::make(out.path(), "run", Suite::Smoke).unwrap();
    let run = folder.make_run_folder(out.path()).unwrap();
    let mut writer = Writer::resume(&run.journal()).unwrap().0;
    writer.append(&header()).unwrap();
    writer.append(&end()).unwrap();
    let mut broken = Broken(AtomicU32::new(0));
    assert_eq!(attend_with(&folder, &mut broken).0.unwrap(), WaitOutcome::Ended);
    assert_eq!(broken.0.load(SeqCst), 0);
}

#[test]
fn a_session_that_dies_without_an_end_is_said_to_have_died_with_the_end_of_its_log() {
    let out = tempfile::tempdir().unwrap();
    let folder = AttachFolder::make(out.path(), "run", Suite::Smoke).unwrap();
    std::fs::write(folder.file(AttachFolder::SESSION_LOG), "thread 'main' panicked at the disco\n").unwrap();
    let spawned = Arc::new(AtomicU32::new(0));
    let records = vec![header(), heartbeat(300_000)];
    let mut spawner = Threads { out: out.path().into(), spawned: Arc::clone(&spawned), records };
    let (attended, follower) = attend_with(&folder, &mut spawner);
    let WaitOutcome::Died { tail, .. } = attended.unwrap() else { panic!("it was said to have ended") };
    assert!(tail.contains("panicked at the disco") && tail.contains("session.log"), "{tail}");
    assert!(follower.soak().is_some());
    assert_eq!(spawned.load(SeqCst), LIVES_MAX + 1, "the last one only concludes");
}

#[test]
fn where_no_session_can_be_started_one_tries_and_the_others_are_told_why() {
    let out = tempfile::tempdir().unwrap();
    let folder = AttachFolder::make(out.path(), "run", Suite::Smoke).unwrap();
    let mut broken = Broken(AtomicU32::new(0));
    let first = attend_with(&folder, &mut broken).0.unwrap_err().to_string();
    let second = attend_with(&folder, &mut broken).0.unwrap_err().to_string();
    assert_eq!(first, second);
    assert!(first.contains("/nonexistent/s2") && first.contains("S2_OUT"), "{first}");
    assert_eq!(broken.0.load(SeqCst), 1);
}

#[test]
fn a_session_that_plays_for_another_process_is_left_alone() {
    let out = tempfile::tempdir().unwrap();
    let folder = AttachFolder::make(out.path(), "run", Suite::Smoke).unwrap();
    let life = Lock::try_exclusive(&folder.file(AttachFolder::SESSION_LOCK)).unwrap();
    let run = folder.make_run_folder(out.path()).unwrap();
    let player = thread::spawn(move || {
        let mut writer = Writer::resume(&run.journal()).unwrap().0;
        writer.append(&header()).unwrap();
        thread::sleep(Duration::from_millis(500));
        writer.append(&end()).unwrap();
        drop(life);
    });
    let mut broken = Broken(AtomicU32::new(0));
    assert_eq!(attend_with(&folder, &mut broken).0.unwrap(), WaitOutcome::Ended);
    assert_eq!(broken.0.load(SeqCst), 0);
    player.join().unwrap();
}

#[test]
fn whoever_waits_holds_the_attached_lock() {
    let out = tempfile::tempdir().unwrap();
    let folder = AttachFolder::make(out.path(), "run", Suite::Smoke).unwrap();
    let records = vec![header(), end()];
    let mut spawner = Threads { out: out.path().into(), spawned: Arc::default(), records };
    let mut was_held = false;
    let mut seen = |_: &Follower, _| was_held = lock::is_held(&folder.file(AttachFolder::ATTACHED_LOCK)).unwrap();
    wait_for_session(&folder, &mut follower(), &mut spawner, &mut seen).unwrap();
    assert!(was_held);
    assert!(!lock::is_held(&folder.file(AttachFolder::ATTACHED_LOCK)).unwrap());
}

#[test]
fn a_growing_journal_is_followed_record_by_record_and_a_torn_line_waits_for_its_rest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.ndjson");
    let mut follower = follower();
    assert!(!follower.poll(&path).unwrap(), "there is no journal yet");

    let mut writer = Writer::resume(&path).unwrap().0;
    writer.append(&header()).unwrap();
    assert!(follower.poll(&path).unwrap());
    assert!(!follower.poll(&path).unwrap());
    writer.append(&Record::Interval(Box::new(Interval::empty(0, 10_000, Phase::Steady)))).unwrap();
    assert!(follower.poll(&path).unwrap());
    assert_eq!(follower.soak().unwrap().history.timeline.scenario_ms(), 10_000);

    let line = format!("{}\n", serde_json::to_string(&heartbeat(300_000)).unwrap());
    let (half, rest) = line.split_at(40);
    append(&path, half);
    assert!(!follower.poll(&path).unwrap());
    append(&path, rest);
    assert!(follower.poll(&path).unwrap());
    assert_eq!(follower.soak().unwrap().history.timeline.heartbeat.unwrap().due_ms, 300_000);

    assert!(!follower.has_ended());
    writer.append(&end()).unwrap();
    follower.poll(&path).unwrap();
    assert!(follower.has_ended());
}

#[test]
fn who_only_wants_the_end_reads_the_plan_and_then_nothing_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.ndjson");
    let mut follower = Follower::new(Arc::new(Targets::default()), PollMode::End);
    let mut writer = Writer::resume(&path).unwrap().0;
    writer.append(&header()).unwrap();
    assert!(follower.poll(&path).unwrap());
    writer.append(&heartbeat(300_000)).unwrap();
    assert!(!follower.poll(&path).unwrap());
    assert_eq!(follower.soak().unwrap().history.timeline.heartbeat, None);
    writer.append(&end()).unwrap();
    assert!(!follower.poll(&path).unwrap());
    assert!(follower.has_ended());
    assert_eq!(follower.soak().unwrap().history.timeline.heartbeat, None);
    assert!(follower.catch_up(&path).unwrap());
    assert!(follower.soak().unwrap().history.timeline.heartbeat.is_some());
}

#[test]
fn who_only_wants_the_end_has_all_of_a_journal_that_will_have_none() {
    let out = tempfile::tempdir().unwrap();
    let folder = AttachFolder::make(out.path(), "run", Suite::Smoke).unwrap();
    let records = vec![header(), heartbeat(300_000)];
    let mut spawner = Threads { out: out.path().into(), spawned: Arc::default(), records };
    let mut follower = Follower::new(Arc::new(Targets::default()), PollMode::End);
    let attended = wait_for_session(&folder, &mut follower, &mut spawner, &mut |_, _| {}).unwrap();
    assert!(matches!(attended, WaitOutcome::Died { .. }));
    assert!(follower.soak().unwrap().history.timeline.heartbeat.is_some());
}

#[test]
fn the_end_of_a_journal_is_told_by_its_last_whole_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.ndjson");
    assert!(!has_end(&path));
    let ended_at = "2026-11-23T10:00:00.123456789Z".to_owned();
    let end = Record::End(End { at_ms: u64::MAX, ended_at, reason: EndReason::Abandoned });
    let end = serde_json::to_string(&end).unwrap();
    let long = "x".repeat(10_000);
    for (text, expected) in [
        (format!("{long}\n{end}\n"), true),
        (format!("{end}\n"), true),
        (format!("{long}\n{end}"), false),
        (format!("{end}\n{long}\n"), false),
        (String::new(), false),
    ] {
        std::fs::write(&path, &text).unwrap();
        assert_eq!(has_end(&path), expected);
    }
}

fn append(path: &Path, text: &str) {
    use std::io::Write;
    std::fs::OpenOptions::new().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

#[test]
fn a_test_run_is_told_from_others_by_nextests_id_or_else_by_its_process() {
    let key = |variables: &[(&str, &str)]| run_key(&Environment::new("/".into(), variables.iter().copied()));
    assert_eq!(key(&[("NEXTEST_RUN_ID", "a8e30e64-7e30")]), "a8e30e64-7e30");
    assert!(key(&[]).starts_with(&format!("{}-", std::process::id())));
    let odd = key(&[("NEXTEST_RUN_ID", "../../etc")]);
    assert!(odd.len() == 32 && odd.chars().all(|c| c.is_ascii_hexdigit()), "{odd}");
}

#[test]
fn what_stands_in_the_folder_is_read_back() {
    let out = tempfile::tempdir().unwrap();
    let folder = AttachFolder::make(out.path(), "run", Suite::Smoke).unwrap();
    assert_eq!((folder.run_folder().unwrap(), folder.gateway_address().unwrap()), (None, None));
    let first = folder.make_run_folder(out.path()).unwrap();
    let second = folder.make_run_folder(out.path()).unwrap();
    assert_ne!(first, second, "soaks of the same second have folders of their own");
    assert_eq!(folder.run_folder().unwrap(), Some(second));
    let address = GatewayAddress { url: "http://127.0.0.1:1".into(), pid: 7 };
    folder.write_gateway_address(&address).unwrap();
    assert_eq!(folder.gateway_address().unwrap(), Some(address));
    folder.remove_gateway_address();
    assert_eq!(folder.gateway_address().unwrap(), None);
}

#[test]
fn old_folders_go_unless_somebody_uses_them() {
    let out = tempfile::tempdir().unwrap();
    let make = |key, is_old: bool| {
        let folder = AttachFolder::make(out.path(), key, Suite::Smoke).unwrap();
        drop(folder.attach().unwrap());
        if is_old {
            let long_ago = std::time::UNIX_EPOCH + Duration::from_secs(1);
            std::fs::File::open(folder.path()).unwrap().set_modified(long_ago).unwrap();
        }
        folder
    };
    let (old, used, young) = (make("old", true), make("used", true), make("young", false));
    let _attached = used.attach().unwrap();
    remove_old(out.path());
    assert!(!old.path().exists() && used.path().exists() && young.path().exists());
}
