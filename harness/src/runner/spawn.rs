//! Starts a session, and before it the embedded gateway where the suite plays on the mock: the runner's own binary again,
//! in another role.

use std::{
    fs::File,
    io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use super::{
    folder::{self, AttachFolder, FolderError},
    lock::{self, LockError},
    role::Role,
};
use crate::{
    clock,
    settings::{ATTACH, ROLE, SUITE},
};

/// A process of ours that has not come up within this will not.
const START_LIMIT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(25);
/// How glibc keeps the heap of ours that lasts for hours: one for all threads, what is large in pages of its own, and what
/// is freed given back. Left to itself it holds on to the most that was ever needed at once, in each thread: two hours in
/// which reports are drawn would look like a leak of ours. <https://man7.org/linux/man-pages/man3/mallopt.3.html>
const STEADY_HEAP: [(&str, &str); 3] =
    [("MALLOC_ARENA_MAX", "1"), ("MALLOC_MMAP_THRESHOLD_", "65536"), ("MALLOC_TRIM_THRESHOLD_", "262144")];

/// Starts what plays a suite. Tests have one that starts threads instead of processes.
pub(super) trait Spawner {
    /// Starts a session, and a gateway first if it needs one. Comes back when the session lives, or has ended.
    ///
    /// # Errors
    /// Where one of them could not be started.
    fn spawn(&mut self, folder: &AttachFolder) -> Result<(), SpawnError>;

    /// Takes leave of processes that have ended; whether others live.
    fn reap(&mut self) -> bool;
}

/// A session or gateway could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// No process.
    #[error("cannot start the {role} ({binary}): {source}")]
    Start {
        /// Which.
        role: Role,
        /// Of which binary.
        binary: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It ended at once.
    #[error("the {role} ended as soon as it was started ({status}); {tail}")]
    Ended {
        /// Which.
        role: Role,
        /// How.
        status: ExitStatus,
        /// Its output.
        tail: String,
    },
    /// It did not come up.
    #[error("the {role} was started, but did not come up within {} s; {tail}", START_LIMIT.as_secs())]
    Late {
        /// Which.
        role: Role,
        /// Its output.
        tail: String,
    },
    /// The attach folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A lock cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
}

/// Starts processes.
#[derive(Debug)]
pub(super) struct ProcessSpawner {
    binary: PathBuf,
    out: PathBuf,
    plays_on_mock: bool,
    children: Vec<Child>,
}

impl ProcessSpawner {
    /// `out` is where results go.
    pub(super) fn new(out: &Path, plays_on_mock: bool) -> io::Result<Self> {
        Ok(Self { binary: std::env::current_exe()?, out: out.to_owned(), plays_on_mock, children: Vec::new() })
    }

    fn start(&mut self, role: Role, folder: &AttachFolder, log: &Path) -> Result<&mut Child, SpawnError> {
        let start = || {
            let log = File::options().create(true).append(true).open(log)?;
            Command::new(&self.binary)
                .envs(STEADY_HEAP)
                .env(ROLE, role.name())
                .env(ATTACH, folder.path())
                .env(SUITE, folder.suite().name())
                // Nothing of the runner's is inherited: nextest waits for whoever still holds a trial's output.
                .stdin(Stdio::null())
                .stdout(log.try_clone()?)
                .stderr(log)
                // Ctrl-C reaches the runner, and the runner sees to the rest in good order.
                .process_group(0)
                .spawn()
        };
        let child = start().map_err(|source| SpawnError::Start { role, binary: self.binary.clone(), source })?;
        self.children.push(child);
        Ok(self.children.last_mut().expect("one was just pushed"))
    }

    fn start_gateway(&mut self, folder: &AttachFolder) -> Result<(), SpawnError> {
        if lock::is_held(&folder.gateway_lock())? {
            return Ok(());
        }
        folder.remove_gateway_address();
        let log = folder.gateway_log();
        let child = self.start(Role::Gateway, folder, &log)?;
        up(Role::Gateway, child, &log, || Ok(folder.gateway_address()?.is_some()))
    }

    fn start_session(&mut self, folder: &AttachFolder) -> Result<(), SpawnError> {
        let log = folder.session_log();
        let child = self.start(Role::Session, folder, &log)?;
        match up(Role::Session, child, &log, || Ok(folder.is_session_alive()?)) {
            // What a session that has come and gone has to say stands in its journal, or is missed there.
            Err(SpawnError::Ended { .. }) => Ok(()),
            other => other,
        }
    }
}

impl Spawner for ProcessSpawner {
    fn spawn(&mut self, folder: &AttachFolder) -> Result<(), SpawnError> {
        folder::remove_old(&self.out);
        if folder.run_folder()?.is_none() {
            folder.make_run_folder(&self.out)?;
        }
        if self.plays_on_mock {
            self.start_gateway(folder)?;
        }
        folder.write_lives(folder.lives()? + 1)?;
        self.start_session(folder)
    }

    fn reap(&mut self) -> bool {
        // One that cannot be asked is not ours any more.
        self.children.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
        !self.children.is_empty()
    }
}

/// Waits until a process has come up.
fn up(
    role: Role,
    child: &mut Child,
    log: &Path,
    mut is_up: impl FnMut() -> Result<bool, SpawnError>,
) -> Result<(), SpawnError> {
    let began = clock::now();
    loop {
        // Asked first: what has come up and ended since has come up.
        let status = child.try_wait().ok().flatten();
        if is_up()? {
            return Ok(());
        }
        if let Some(status) = status {
            return Err(SpawnError::Ended { role, status, tail: folder::tail(log) });
        }
        if clock::now().saturating_duration_since(began) > START_LIMIT {
            return Err(SpawnError::Late { role, tail: folder::tail(log) });
        }
        std::thread::sleep(POLL);
    }
}
