//! Attaching: however many trials wait for a suite, in however many processes, one session plays it.
//!
//! There is nobody in charge. Every process that waits holds `attached.lock`, reads the journal, and where nobody plays
//! takes its turn at `spawn.lock` to start whoever does. A process that is killed at any point lets go of its locks, and
//! the next one finds things as they are.

use std::{io, time::Duration};

use super::{
    folder::{AttachFolder, FolderError},
    follow::Follower,
    lock::{Lock, LockError},
    spawn::{SpawnError, Spawner},
};
use crate::{clock, journal::ReadError, plan::Plan};

/// Maximum number of sessions that play one suite of one test run: the first, and ten that take over from one that died.
pub(super) const LIVES_MAX: u32 = 11;
/// One more is started after the last has died: it plays nothing, and leaves results from what there is.
const STARTS_MAX: u32 = LIVES_MAX + 1;
/// Between looks at the journal.
const POLL: Duration = Duration::from_millis(150);
/// A session waits so long for another of the same run that plays on the same gateway, and this is a little longer.
pub(super) const TURN_LIMIT: Duration = Duration::from_secs(3 * 3600);
/// Maximum time of a soak beyond its plan and its longest run.
const OVERTIME: Duration = Duration::from_secs(120);

/// A session that has written its end writes its results and goes, and then its gateway does; in no more than this.
const LEAVE_LIMIT: Duration = Duration::from_secs(4);

/// How waiting for a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WaitOutcome {
    /// The journal has its end.
    Ended,
    /// Nobody plays any more, and nobody will.
    Died {
        /// How that is known.
        what: &'static str,
        /// The last output of the session.
        tail: String,
    },
}

/// Waiting for a session came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// The journal cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The attach folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A lock cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The runner does not know its own binary.
    #[error("cannot find the test binary to start a session with: {0}")]
    Binary(io::Error),
    /// No session.
    #[error("no session could be started: {0}")]
    Spawn(#[from] SpawnError),
    /// Another trial's process tried in vain.
    #[error("no session could be started: {0}")]
    Failed(String),
    /// The soak does not end.
    #[error("the soak should have ended {waited_s} s after it was first seen, and has not; {tail}")]
    Overdue {
        /// Time that was waited.
        waited_s: u64,
        /// The last output of the session.
        tail: String,
    },
}

/// Waits until the suite's session has ended, and starts one where nobody plays. `seen` is called after every look at
/// the journal, with whether it brought something new.
///
/// # Errors
/// Where no session could be started, its journal cannot be read, or it does not end.
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
        if let Some(why) = folder.failure()? {
            return Err(AttachError::Failed(why));
        }
        if let Some(_turn) = Lock::try_exclusive(&folder.spawn_lock())?
            && !folder.is_session_alive()?
            && let Some(attended) = take_turn(folder, follower, spawner, seen)?
        {
            return Ok(attended);
        }
        spawner.reap();
        let (since, limit) = match follower.soak() {
            Some(soak) => (*first_seen.get_or_insert_with(clock::now), limit(&soak.plan)),
            None => (arrived, TURN_LIMIT + OVERTIME),
        };
        let waited = clock::now().saturating_duration_since(since);
        if waited > limit {
            return Err(AttachError::Overdue { waited_s: waited.as_secs(), tail: folder.last_words() });
        }
        std::thread::sleep(POLL);
    }
}

/// Nobody plays, and nobody else is about to start a session.
fn take_turn(
    folder: &AttachFolder,
    follower: &mut Follower,
    spawner: &mut dyn Spawner,
    seen: &mut dyn FnMut(&Follower, bool),
) -> Result<Option<WaitOutcome>, AttachError> {
    // The session may have written its end between the last look and now, which the next look is told; and if not, there
    // is what it has written.
    if let Some(run) = folder.run_folder()?
        && follower.catch_up(&run.journal())?
    {
        seen(follower, true);
    }
    if follower.has_ended() {
        return Ok(None);
    }
    if folder.lives()? >= STARTS_MAX || folder.cannot_go_on()?.is_some() {
        let what = if follower.soak().is_some() {
            "its process ended, and its journal has no end"
        } else {
            "its process ended before it wrote a journal"
        };
        return Ok(Some(WaitOutcome::Died { what, tail: folder.last_words() }));
    }
    if let Err(error) = spawner.spawn(folder) {
        if follower.soak().is_some() {
            let what = "its process ended, and no other could be started";
            return Ok(Some(WaitOutcome::Died { what, tail: error.to_string() }));
        }
        folder.write_failure(&error.to_string())?;
        return Err(error.into());
    }
    Ok(None)
}

/// Waits for the exit of the session, for a bounded time. When a trial has reported, all results are there, and as a rule no process
/// of S2 still runs.
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
