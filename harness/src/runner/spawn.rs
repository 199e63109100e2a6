//! Starts a session, and the embedded gateway if it plays on that: the runner's binary in another role.

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

/// Maximum time until a process of S2 has come up.
const START_LIMIT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(25);
/// Settings of glibc's heap for processes that live for hours: one heap for all threads, large blocks in pages of their
/// own, and freed memory returned. By default each thread keeps the most that it ever needed, and two hours of drawing
/// reports look like a leak of the harness. <https://man7.org/linux/man-pages/man3/mallopt.3.html>
const STEADY_HEAP: [(&str, &str); 3] =
    [("MALLOC_ARENA_MAX", "1"), ("MALLOC_MMAP_THRESHOLD_", "65536"), ("MALLOC_TRIM_THRESHOLD_", "262144")];

/// Starts sessions. Tests have one that starts threads instead of processes.
pub(super) trait Spawner {
    /// Starts a session, and a gateway first if it needs one. Returns when the session lives, or has ended.
    fn spawn(&mut self, folder: &AttachFolder) -> Result<(), SpawnError>;

    /// Reaps processes that have ended; whether others live.
    fn reap(&mut self) -> bool;
}

/// A session or gateway could not be started.
#[derive(Debug, thiserror::Error)]
pub(super) enum SpawnError {
    #[error("cannot start the {role} ({binary}): {source}")]
    Start { role: Role, binary: PathBuf, source: io::Error },
    #[error("the {role} ended as soon as it was started ({status}); {tail}")]
    Ended { role: Role, status: ExitStatus, tail: String },
    #[error("the {role} was started, but did not come up within {} s; {tail}", START_LIMIT.as_secs())]
    Late { role: Role, tail: String },
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Lock(#[from] LockError),
}

#[derive(Debug)]
pub(super) struct ProcessSpawner {
    binary: PathBuf,
    out: PathBuf,
    plays_on_mock: bool,
    children: Vec<Child>,
}

impl ProcessSpawner {
    /// `out` is the root of the results.
    pub(super) fn new(out: &Path, plays_on_mock: bool) -> io::Result<Self> {
        Ok(Self { binary: std::env::current_exe()?, out: out.to_owned(), plays_on_mock, children: Vec::new() })
    }

    fn start(&mut self, role: Role, folder: &AttachFolder, log: &Path) -> Result<&mut Child, SpawnError> {
        let start = || {
            let log = File::options().create(true).append(true).open(log)?;
            Command::new(&self.binary)
                .envs(STEADY_HEAP)
                .env(ROLE, <&str>::from(role))
                .env(ATTACH, folder.path())
                .env(SUITE, folder.suite().name())
                // No output of the runner is inherited: nextest waits until no process holds a trial's output.
                .stdin(Stdio::null())
                .stdout(log.try_clone()?)
                .stderr(log)
                // Ctrl-C reaches only the runner, which stops the others in good order.
                .process_group(0)
                .spawn()
        };
        let child = start().map_err(|source| SpawnError::Start { role, binary: self.binary.clone(), source })?;
        self.children.push(child);
        Ok(self.children.last_mut().expect("one was just pushed"))
    }

    fn start_gateway(&mut self, folder: &AttachFolder) -> Result<(), SpawnError> {
        if lock::is_held(&folder.file(AttachFolder::GATEWAY_LOCK))? {
            return Ok(());
        }
        folder.remove_gateway_address();
        let log = folder.file(AttachFolder::GATEWAY_LOG);
        let child = self.start(Role::Gateway, folder, &log)?;
        up(Role::Gateway, child, &log, || Ok(folder.gateway_address()?.is_some()))
    }

    fn start_session(&mut self, folder: &AttachFolder) -> Result<(), SpawnError> {
        let log = folder.file(AttachFolder::SESSION_LOG);
        let child = self.start(Role::Session, folder, &log)?;
        match up(Role::Session, child, &log, || Ok(folder.is_session_alive()?)) {
            // The journal of a session that has come and gone has its findings, or lacks its end.
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
        // A child that cannot be asked is gone.
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
        // Asked first: a process that has come up and ended since counts as up.
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
