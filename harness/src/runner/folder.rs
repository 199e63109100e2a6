//! The attach folder, in which a session, its gateway and the waiting trials find one another.
//!
//! Each suite of each test run has one, `<out>/.attach/<key>-<suite>/`. Its files are replaced whole, since any process
//! may be killed between two bytes.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};

use super::lock::{self, Lock, LockError};
use crate::{
    catalog::Suite,
    clock::{file_stamp, wall_now},
    report::RunFolder,
    settings::Environment,
};

/// Unused attach folders are kept this long for their logs.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(24);
/// Lines of a log in an error.
const TAIL_LINES: usize = 12;
/// Longer ids, and odd ones, are hashed.
const KEY_CHARS_MAX: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AttachFolder {
    path: PathBuf,
    suite: Suite,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct GatewayAddress {
    pub(super) url: String,
    pub(super) pid: u32,
}

/// A file of the attach folder, or the folder of a soak, could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {path}: {source}; is the folder writable, and is there room? S2_OUT names another")]
pub(super) struct FolderError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl FolderError {
    fn at<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Self + use<'a> {
        move |source| Self { action, path: path.to_owned(), source }
    }
}

/// Identifies the test run: by nextest's id, or by this process and the time (pids are used again).
pub(super) fn run_key(environment: &Environment) -> String {
    match environment.nextest_run_id() {
        Some(id) => fit_for_a_name(id),
        None => format!("{}-{}", std::process::id(), wall_now().as_millisecond()),
    }
}

fn fit_for_a_name(id: &str) -> String {
    let is_fit = id.len() <= KEY_CHARS_MAX && id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if is_fit { id.to_owned() } else { sha256_hex(id) }
}

pub(super) fn sha256_hex(text: &str) -> String {
    Sha256::digest(text).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

impl AttachFolder {
    /// Held by the process that starts a session.
    pub(super) const SPAWN_LOCK: &str = "spawn.lock";
    /// Held by the session while it lives.
    pub(super) const SESSION_LOCK: &str = "session.lock";
    /// Shared by the processes that wait for verdicts.
    pub(super) const ATTACHED_LOCK: &str = "attached.lock";
    /// Held by the embedded gateway while it lives.
    pub(super) const GATEWAY_LOCK: &str = "gateway.lock";
    /// Held by the process that judges.
    pub(super) const OUTCOME_LOCK: &str = "outcome.lock";
    pub(super) const SESSION_LOG: &str = "session.log";
    pub(super) const GATEWAY_LOG: &str = "gateway.log";
    /// Its presence asks the session to stop.
    const STOP: &str = "stop";
    /// The reason why no session can take over, if the last one found any: a journal that cannot be written.
    pub(super) const CANNOT_GO_ON: &str = "cannot-go-on";
    /// The reason why no session could be started, so that other waiting processes do not try again.
    pub(super) const FAILURE: &str = "failure";
    /// The outcome of the suite, once a process has judged it.
    pub(super) const OUTCOME: &str = "outcome.json";
    /// Its presence claims the summary of the CI job for this soak.
    pub(super) const SUMMARY_CLAIM: &str = "summary";

    /// Makes the folder, unless it exists.
    pub(super) fn make(out: &Path, key: &str, suite: Suite) -> Result<Self, FolderError> {
        let path = out.join(".attach").join(format!("{key}-{suite}"));
        fs::create_dir_all(&path).map_err(FolderError::at("make the folder", &path))?;
        Ok(Self { path, suite })
    }

    /// The folder that a runner made.
    pub(super) fn at(path: &Path, suite: Suite) -> Self {
        Self { path: path.to_owned(), suite }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) const fn suite(&self) -> Suite {
        self.suite
    }

    /// The path of one of the files above.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Marks this process as waiting until the lock is dropped.
    pub(super) fn attach(&self) -> Result<Lock, LockError> {
        Lock::shared(&self.file(Self::ATTACHED_LOCK))
    }

    pub(super) fn is_session_alive(&self) -> Result<bool, LockError> {
        lock::is_held(&self.file(Self::SESSION_LOCK))
    }

    /// The folder of the soak, once it is made.
    pub(super) fn run_folder(&self) -> Result<Option<RunFolder>, FolderError> {
        Ok(self.read("run-folder")?.and_then(|text| RunFolder::from_path(Path::new(text.trim()))))
    }

    /// Makes the folder of the soak, and points `latest-<suite>` at it.
    pub(super) fn make_run_folder(&self, out: &Path) -> Result<RunFolder, FolderError> {
        let folder = loop {
            let folder = RunFolder::new(out, self.suite, &file_stamp(wall_now()));
            match fs::create_dir(folder.path()) {
                Ok(()) => break folder,
                // Another soak of this suite began in the same second: wait for the next.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => std::thread::sleep(Duration::from_millis(100)),
                Err(e) => return Err(FolderError::at("make the folder", &folder.path())(e)),
            }
        };
        self.write("run-folder", &folder.path().display().to_string())?;
        point_at(&folder)?;
        Ok(folder)
    }

    /// The address of the embedded gateway, once it listens.
    pub(super) fn gateway_address(&self) -> Result<Option<GatewayAddress>, FolderError> {
        self.read_json("gateway.json")
    }

    pub(super) fn write_gateway_address(&self, address: &GatewayAddress) -> Result<(), FolderError> {
        self.write_json("gateway.json", address)
    }

    /// Removes the address of an earlier gateway, if there is one.
    pub(super) fn remove_gateway_address(&self) {
        let _ = fs::remove_file(self.path.join("gateway.json"));
    }

    /// The number of sessions that were started.
    pub(super) fn lives(&self) -> Result<u32, FolderError> {
        Ok(self.read("lives")?.and_then(|text| text.trim().parse().ok()).unwrap_or(0))
    }

    pub(super) fn write_lives(&self, lives: u32) -> Result<(), FolderError> {
        self.write("lives", &lives.to_string())
    }

    /// Asks the session to stop. If that fails, the session stops once no process is attached.
    pub(super) fn ask_to_stop(&self) {
        let _ = fs::write(self.file(Self::STOP), "");
    }

    pub(super) fn is_asked_to_stop(&self) -> bool {
        self.file(Self::STOP).exists()
    }

    /// Returns the last output of the session: on stderr, else in its log.
    pub(super) fn last_words(&self) -> String {
        let log = self.file(Self::SESSION_LOG);
        match self.run_folder() {
            Ok(Some(run)) if fs::metadata(&log).is_ok_and(|data| data.len() == 0) => tail(&run.log()),
            _ => tail(&log),
        }
    }

    pub(super) fn read(&self, name: &str) -> Result<Option<String>, FolderError> {
        let path = self.path.join(name);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(FolderError::at("read", &path)(e)),
        }
    }

    /// A file that does not parse counts as absent.
    pub(super) fn read_json<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, FolderError> {
        Ok(self.read(name)?.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// A value that is no JSON is left out: its readers do without.
    pub(super) fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), FolderError> {
        serde_json::to_string(value).map_or(Ok(()), |text| self.write(name, &text))
    }

    pub(super) fn write(&self, name: &str, text: &str) -> Result<(), FolderError> {
        let path = self.path.join(name);
        let write = || {
            let mut file = tempfile::NamedTempFile::new_in(&self.path)?;
            io::Write::write_all(&mut file, text.as_bytes())?;
            file.persist(&path)?;
            Ok(())
        };
        write().map_err(FolderError::at("write", &path))
    }
}

/// Replaces the link in one step: it always leads to the old folder or the new one.
fn point_at(folder: &RunFolder) -> Result<(), FolderError> {
    let link = folder.latest_link();
    let beside = link.with_extension(format!("{}-{}", folder.stamp(), std::process::id()));
    let name = folder.path().file_name().map(PathBuf::from).unwrap_or_default();
    let replaced = std::os::unix::fs::symlink(name, &beside).and_then(|()| fs::rename(&beside, &link));
    replaced.map_err(FolderError::at("point the link", &link))
}

/// Removes old attach folders that no process uses, as far as that is possible.
pub(super) fn remove_old(out: &Path) {
    let Ok(entries) = fs::read_dir(out.join(".attach")) else { return };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let modified = fs::metadata(&path).and_then(|data| data.modified()).ok();
        let modified = modified.and_then(|modified| Timestamp::try_from(modified).ok());
        let folder = AttachFolder::at(&path, Suite::Smoke);
        if modified.is_some_and(|modified| wall_now().duration_since(modified) > KEPT_FOR)
            && lock::is_free(&folder.file(AttachFolder::SESSION_LOCK))
            && lock::is_free(&folder.file(AttachFolder::ATTACHED_LOCK))
        {
            let _ = fs::remove_dir_all(&path);
        }
    }
}

/// The end of a log, indented, for an error.
pub(super) fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    if lines.is_empty() {
        return format!("{} is empty", log.display());
    }
    let last = lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n    ");
    format!("{} ends with:\n    {last}", log.display())
}
