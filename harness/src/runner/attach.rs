//! Attaching: however many trials wait for a suite, in however many processes, one session plays it.
//!
//! There is nobody in charge. Every process that waits holds `attached.lock`, reads the journal, and where nobody plays
//! takes its turn at `spawn.lock` to start whoever does. A process that is killed at any point lets go of its locks, and
//! the next one finds things as they are.

use std::{io, time::Duration};

use super::{
    folder::{self, AttachFolder, FolderError},
    follow::Follower,
    lock::{Lock, LockError},
    spawn::{SpawnError, Spawner},
};
use crate::{clock, journal::ReadError, plan::Plan};

/// So many sessions are started for one suite of one test run. A session that takes over from a dead one is to come.
pub(super) const LIVES_MAX: u32 = 1;
/// Between looks at the journal.
const POLL: Duration = Duration::from_millis(200);
/// A session waits so long for another of the same run that plays on the same gateway, and this is a little longer.
pub(super) const TURN_LIMIT: Duration = Duration::from_secs(3 * 3600);
/// What a soak may take beyond its plan and its longest run.
const OVERTIME: Duration = Duration::from_secs(120);

/// How waiting for a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Attended {
    /// The journal has its end.
    Ended,
    /// Nobody plays any more, and nobody will: why, and where to look.
    Died(String),
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
        /// How long was waited.
        waited_s: u64,
        /// What the session said last.
        tail: String,
    },
}

/// Waits until the suite's session has ended, and starts one where nobody plays. `seen` is called after every look at
/// the journal that brought something new.
///
/// # Errors
/// Where no session could be started, its journal cannot be read, or it does not end.
pub(super) fn attend(
    folder: &AttachFolder,
    follower: &mut Follower,
    spawner: &mut dyn Spawner,
    seen: &mut dyn FnMut(&Follower),
) -> Result<Attended, AttachError> {
    let _attached = folder.attach()?;
    let arrived = clock::now();
    let mut first_seen = None;
    loop {
        if let Some(run) = folder.run_folder()?
            && follower.poll(&run.journal())?
        {
            seen(follower);
        }
        if follower.ended().is_some() {
            return Ok(Attended::Ended);
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
            return Err(AttachError::Overdue { waited_s: waited.as_secs(), tail: folder::tail(&folder.session_log()) });
        }
        std::thread::sleep(POLL);
    }
}

/// Nobody plays, and nobody else is about to start a session.
fn take_turn(
    folder: &AttachFolder,
    follower: &mut Follower,
    spawner: &mut dyn Spawner,
    seen: &mut dyn FnMut(&Follower),
) -> Result<Option<Attended>, AttachError> {
    // The session may have written its end between the last look and now, and if not, there is what it has written.
    if let Some(run) = folder.run_folder()?
        && follower.catch_up(&run.journal())?
    {
        seen(follower);
    }
    if follower.ended().is_some() {
        return Ok(Some(Attended::Ended));
    }
    if folder.lives()? >= LIVES_MAX {
        let tail = folder::tail(&folder.session_log());
        let why = if follower.soak().is_some() {
            format!("the session died: its process ended, and its journal has no end. {tail}")
        } else {
            format!("the session died before it began: its process ended, and wrote no journal. {tail}")
        };
        return Ok(Some(Attended::Died(why)));
    }
    if let Err(error) = spawner.spawn(folder) {
        folder.write_failure(&error.to_string())?;
        return Err(error.into());
    }
    Ok(None)
}

/// How long a soak may take from its first record, in real time.
fn limit(plan: &Plan) -> Duration {
    Duration::from_millis(plan.duration_ms).div_f64(plan.pace) + plan.scenario.runs.timeout + OVERTIME
}
