//! The attach folder: how a session, its gateway and the trials that wait for it find one another.
//!
//! There is one for each suite of each test run, `<out>/.attach/<key>-<suite>/`. What stands in it is written whole or
//! not at all, since any process may be killed between two bytes.

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

/// Attach folders that nobody uses are kept for so long, for the logs in them.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(24);
/// Of a log, so much is told in an error.
const TAIL_LINES: usize = 12;
/// Longer ids, and odd ones, are hashed.
const KEY_CHARS_MAX: usize = 64;

/// The attach folder of one suite in one test run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AttachFolder {
    path: PathBuf,
    suite: Suite,
}

/// Where the embedded gateway listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct GatewayAddress {
    pub(super) url: String,
    pub(super) pid: u32,
}

/// A file of the attach folder, or the folder of a soak, could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {path}: {source}; is the folder writable, and is there room? S2_OUT names another")]
pub struct FolderError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl FolderError {
    fn at<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Self + use<'a> {
        move |source| Self { action, path: path.to_owned(), source }
    }
}

/// Tells this test run from others: nextest's own id for it, or this process and when it began (pids come again).
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

/// A name for any text.
pub(super) fn sha256_hex(text: &str) -> String {
    Sha256::digest(text).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

impl AttachFolder {
    /// Makes the folder, unless it is there.
    pub(super) fn make(out: &Path, key: &str, suite: Suite) -> Result<Self, FolderError> {
        let path = out.join(".attach").join(format!("{key}-{suite}"));
        fs::create_dir_all(&path).map_err(FolderError::at("make the folder", &path))?;
        Ok(Self { path, suite })
    }

    /// The folder that the runner made.
    pub(super) fn at(path: &Path, suite: Suite) -> Self {
        Self { path: path.to_owned(), suite }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) const fn suite(&self) -> Suite {
        self.suite
    }

    /// Held by whoever starts a session.
    pub(super) fn spawn_lock(&self) -> PathBuf {
        self.path.join("spawn.lock")
    }

    /// Held by the session for life.
    pub(super) fn session_lock(&self) -> PathBuf {
        self.path.join("session.lock")
    }

    /// Shared by those who wait for verdicts.
    pub(super) fn attached_lock(&self) -> PathBuf {
        self.path.join("attached.lock")
    }

    /// Held by the embedded gateway for life.
    pub(super) fn gateway_lock(&self) -> PathBuf {
        self.path.join("gateway.lock")
    }

    pub(super) fn session_log(&self) -> PathBuf {
        self.path.join("session.log")
    }

    pub(super) fn gateway_log(&self) -> PathBuf {
        self.path.join("gateway.log")
    }

    /// Its presence asks the session to stop.
    pub(super) fn stop_file(&self) -> PathBuf {
        self.path.join("stop")
    }

    /// Counts as waiting until the lock is dropped.
    pub(super) fn attach(&self) -> Result<Lock, LockError> {
        Lock::shared(&self.attached_lock())
    }

    pub(super) fn is_session_alive(&self) -> Result<bool, LockError> {
        lock::is_held(&self.session_lock())
    }

    /// The folder of the soak, where one has been made.
    pub(super) fn run_folder(&self) -> Result<Option<RunFolder>, FolderError> {
        let path = self.path.join("run-folder");
        Ok(self.read(&path)?.and_then(|text| RunFolder::from_path(Path::new(text.trim()))))
    }

    /// Makes the folder of the soak, and points `latest-<suite>` at it.
    pub(super) fn make_run_folder(&self, out: &Path) -> Result<RunFolder, FolderError> {
        let folder = loop {
            let folder = RunFolder::new(out, self.suite, &file_stamp(wall_now()));
            match fs::create_dir(folder.path()) {
                Ok(()) => break folder,
                // Another soak of this suite began within the same second; the next second has a name of its own.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => std::thread::sleep(Duration::from_millis(100)),
                Err(e) => return Err(FolderError::at("make the folder", &folder.path())(e)),
            }
        };
        self.write("run-folder", &folder.path().display().to_string())?;
        point_at(&folder)?;
        Ok(folder)
    }

    /// Where the embedded gateway listens, once it does.
    pub(super) fn gateway_address(&self) -> Result<Option<GatewayAddress>, FolderError> {
        let path = self.path.join("gateway.json");
        Ok(self.read(&path)?.and_then(|text| serde_json::from_str(&text).ok()))
    }

    pub(super) fn write_gateway_address(&self, address: &GatewayAddress) -> Result<(), FolderError> {
        let text = serde_json::to_string(address).expect("a URL and a number are JSON");
        self.write("gateway.json", &text)
    }

    /// Forgets the gateway that was.
    pub(super) fn remove_gateway_address(&self) {
        // Where there was none, there is nothing to forget.
        let _ = fs::remove_file(self.path.join("gateway.json"));
    }

    /// How many sessions have been started.
    pub(super) fn lives(&self) -> Result<u32, FolderError> {
        let path = self.path.join("lives");
        Ok(self.read(&path)?.and_then(|text| text.trim().parse().ok()).unwrap_or(0))
    }

    pub(super) fn write_lives(&self, lives: u32) -> Result<(), FolderError> {
        self.write("lives", &lives.to_string())
    }

    /// Why no session can go on where the last one stopped, if that one found out: a journal that cannot be written.
    pub(super) fn cannot_go_on(&self) -> Result<Option<String>, FolderError> {
        self.read(&self.path.join("cannot-go-on"))
    }

    pub(super) fn write_cannot_go_on(&self, why: &str) -> Result<(), FolderError> {
        self.write("cannot-go-on", why)
    }

    /// Why no session could be started, so that others who wait need not try again.
    pub(super) fn failure(&self) -> Result<Option<String>, FolderError> {
        self.read(&self.path.join("failure"))
    }

    pub(super) fn write_failure(&self, why: &str) -> Result<(), FolderError> {
        self.write("failure", why)
    }

    /// Its presence says that the summary of the CI job has this soak, or is about to.
    pub(super) fn summary_claim(&self) -> PathBuf {
        self.path.join("summary")
    }

    /// Held by whoever judges.
    pub(super) fn outcome_lock(&self) -> PathBuf {
        self.path.join("outcome.lock")
    }

    /// Returns the outcome of the suite, if a process has judged it already. An outcome that cannot be read is judged again.
    pub(super) fn outcome<T: DeserializeOwned>(&self) -> Result<Option<T>, FolderError> {
        let text = self.read(&self.path.join("outcome.json"))?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    pub(super) fn write_outcome(&self, outcome: &impl Serialize) -> Result<(), FolderError> {
        // Without it, the next process judges for itself.
        serde_json::to_string(outcome).map_or(Ok(()), |text| self.write("outcome.json", &text))
    }

    /// Asks the session to stop. A session that cannot be asked sees that nobody is attached any more.
    pub(super) fn ask_to_stop(&self) {
        let _ = fs::write(self.stop_file(), "");
    }

    pub(super) fn is_asked_to_stop(&self) -> bool {
        self.stop_file().exists()
    }

    fn read(&self, path: &Path) -> Result<Option<String>, FolderError> {
        match fs::read_to_string(path) {
            Ok(text) => Ok(Some(text)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(FolderError::at("read", path)(e)),
        }
    }

    fn write(&self, name: &str, text: &str) -> Result<(), FolderError> {
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

/// Replaces the link in one step: whoever follows it finds the old folder or the new one.
fn point_at(folder: &RunFolder) -> Result<(), FolderError> {
    let link = folder.latest_link();
    let beside = link.with_extension(format!("{}-{}", folder.stamp(), std::process::id()));
    let name = folder.path().file_name().map(PathBuf::from).unwrap_or_default();
    let replaced = std::os::unix::fs::symlink(name, &beside).and_then(|()| fs::rename(&beside, &link));
    replaced.map_err(FolderError::at("point the link", &link))
}

/// Removes attach folders that are old and used by nobody. What cannot be removed is left for the next time.
pub(super) fn remove_old(out: &Path) {
    let Ok(entries) = fs::read_dir(out.join(".attach")) else { return };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let modified = fs::metadata(&path).and_then(|data| data.modified()).ok();
        let modified = modified.and_then(|modified| Timestamp::try_from(modified).ok());
        let folder = AttachFolder::at(&path, Suite::Smoke);
        let is_free = |path: &Path| matches!(lock::is_held(path), Ok(false));
        if modified.is_some_and(|modified| wall_now().duration_since(modified) > KEPT_FOR)
            && is_free(&folder.session_lock())
            && is_free(&folder.attached_lock())
        {
            let _ = fs::remove_dir_all(&path);
        }
    }
}

impl AttachFolder {
    /// Returns the last output of the session: on stderr, else in its log.
    pub(super) fn last_words(&self) -> String {
        let said = tail(&self.session_log());
        match self.run_folder() {
            Ok(Some(run)) if is_empty(&self.session_log()) => tail(&run.log()),
            _ => said,
        }
    }
}

fn is_empty(log: &Path) -> bool {
    fs::metadata(log).is_ok_and(|data| data.len() == 0)
}

/// The end of a log, indented, for an error that a person reads with nothing else at hand.
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
