//! Attaching: one session plays a suite, for all trials that wait for it in any number of processes.
//!
//! No process is in charge. Each waiting process holds `attached.lock` and reads the journal. If no session lives, it
//! takes `spawn.lock` and starts one. The kernel releases the locks of a killed process.

use std::{io, time::Duration};

use super::{
    folder::{AttachFolder, FolderError},
    follow::Follower,
    lock::{Lock, LockError},
    spawn::{SpawnError, Spawner},
};
use crate::{clock, journal::ReadError, plan::Plan, session};

/// Maximum number of sessions of a suite in a test run: the first, and ten that take over.
pub(super) const LIVES_MAX: u32 = 11;
/// One more session is started after the last has died: it plays nothing, and writes results from the record.
const STARTS_MAX: u32 = LIVES_MAX + 1;
/// Between looks at the journal.
const POLL: Duration = Duration::from_millis(150);
/// Maximum time that a session waits for another suite, which plays on the same gateway: a little longer than that plays.
pub(super) const TURN_LIMIT: Duration = Duration::from_secs(3 * 3600);
/// Maximum time of a soak beyond its plan and its longest run: a session ends by itself before.
const OVERTIME: Duration = session::OVERTIME.saturating_add(Duration::from_secs(30));
/// Maximum time from the end in the journal until the session and its gateway have exited.
const LEAVE_LIMIT: Duration = Duration::from_secs(4);

/// How waiting for a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WaitOutcome {
    /// The journal has its end.
    Ended,
    /// No session lives, and none will be started. `tail` is the last output of the session.
    Died { what: &'static str, tail: String },
}

/// Waiting for a session failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum AttachError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error("cannot find the test binary to start a session with: {0}")]
    Binary(io::Error),
    #[error("no session could be started: {0}")]
    Spawn(#[from] SpawnError),
    /// Another process could not start one.
    #[error("no session could be started: {0}")]
    Failed(String),
    #[error("the soak should have ended {waited_s} s after it was first seen, and has not; {tail}")]
    Overdue { waited_s: u64, tail: String },
}

/// Waits until the suite's session has ended, and starts one if none lives. `seen` is called after every look at the
/// journal; its flag says whether the journal had news.
pub(super) fn wait_for_session(
    folder: &AttachFolder,
    follower: &mut Follower,
    spawner: &mut dyn Spawner,
    seen: &mut dyn FnMut(&Follower, bool),
) -> Result<WaitOutcome, AttachError> {
    let _attached = folder.attach()?;
    let arrived = clock::now();
    let mut first_seen = None;
    loop {
        let run = folder.run_folder()?;
        let has_news = run.map_or(Ok(false), |run| follower.poll(&run.journal()))?;
        seen(follower, has_news);
        if follower.has_ended() {
            wait_for_exit(folder, spawner)?;
            return Ok(WaitOutcome::Ended);
        }
        if let Some(why) = folder.read(AttachFolder::FAILURE)? {
            return Err(AttachError::Failed(why));
        }
        if let Some(_turn) = Lock::try_exclusive(&folder.file(AttachFolder::SPAWN_LOCK))?
            && !folder.is_session_alive()?
            && let Some(attended) = take_turn(folder, follower, spawner, seen)?
        {
            return Ok(attended);
        }
        spawner.reap();
        let (since, limit) = match follower.soak() {
            Some(soak) => (*first_seen.get_or_insert_with(clock::now), limit(&soak.header.plan)),
            None => (arrived, TURN_LIMIT + OVERTIME),
        };
        let waited = clock::now().saturating_duration_since(since);
        if waited > limit {
            return Err(AttachError::Overdue { waited_s: waited.as_secs(), tail: folder.last_words() });
        }
        std::thread::sleep(POLL);
    }
}

/// Starts a session, while no session lives and no other process is about to start one.
fn take_turn(
    folder: &AttachFolder,
    follower: &mut Follower,
    spawner: &mut dyn Spawner,
    seen: &mut dyn FnMut(&Follower, bool),
) -> Result<Option<WaitOutcome>, AttachError> {
    // The session may have written its end, or further records, since the last look.
    if let Some(run) = folder.run_folder()?
        && follower.catch_up(&run.journal())?
    {
        seen(follower, true);
    }
    if follower.has_ended() {
        return Ok(None);
    }
    if folder.lives()? >= STARTS_MAX || folder.read(AttachFolder::CANNOT_GO_ON)?.is_some() {
        let what = match follower.soak() {
            Some(_) => "its process ended, and its journal has no end",
            None => "its process ended before it wrote a journal",
        };
        return Ok(Some(WaitOutcome::Died { what, tail: folder.last_words() }));
    }
    if let Err(error) = spawner.spawn(folder) {
        if follower.soak().is_some() {
            let what = "its process ended, and no other could be started";
            return Ok(Some(WaitOutcome::Died { what, tail: error.to_string() }));
        }
        folder.write(AttachFolder::FAILURE, &error.to_string())?;
        return Err(error.into());
    }
    Ok(None)
}

/// Waits for the exit of the session, for a bounded time: when a trial reports, all results are written.
fn wait_for_exit(folder: &AttachFolder, spawner: &mut dyn Spawner) -> Result<(), LockError> {
    let began = clock::now();
    while spawner.reap() || folder.is_session_alive()? {
        if clock::now().saturating_duration_since(began) > LEAVE_LIMIT {
            break;
        }
        std::thread::sleep(POLL / 4);
    }
    Ok(())
}

/// Returns the maximum time of a soak from its first record, in real time.
fn limit(plan: &Plan) -> Duration {
    Duration::from_millis(plan.duration_ms).div_f64(plan.pace) + plan.scenario.runs.timeout + OVERTIME
}
