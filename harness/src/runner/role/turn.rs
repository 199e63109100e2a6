//! One gateway, one session: a lock for each gateway URL, over the whole machine.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    super::lock::{self, Lock, LockError},
    watch::LOOK_EVERY,
};
use crate::{
    catalog::Suite,
    clock,
    report::RunFolder,
    runner::{
        attach::TURN_LIMIT,
        folder::{AttachFolder, sha256_hex},
        follow,
    },
    session::Stop,
};

/// The session that plays on a gateway, for sessions that find the gateway taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Holder {
    /// The key of the test run.
    run: String,
    pid: u32,
    folder: PathBuf,
    attach: PathBuf,
}

impl Holder {
    /// Whether it died, and a process that waits for it is about to start another.
    fn is_about_to_come_back(&self) -> bool {
        let attach = AttachFolder::at(&self.attach, Suite::Smoke);
        let is_awaited = matches!(lock::is_held(&attach.file(AttachFolder::ATTACHED_LOCK)), Ok(true));
        let has_ended = RunFolder::from_path(&self.folder).is_none_or(|run| follow::has_end(&run.journal()));
        is_awaited && !has_ended
    }
}

/// The outcome of waiting for the gateway.
pub(super) enum GatewayLock {
    /// The gateway is ours while the lock is held.
    Ours {
        #[expect(dead_code, reason = "held, never read")]
        lock: Lock,
    },
    /// Another session has it; the text names that session and a remedy.
    Taken(String),
    /// A stop was asked for meanwhile.
    Stopped,
}

/// Takes the gateway for this session. It waits only for another suite of the same test run.
pub(super) async fn take(
    url: &str,
    folder: &AttachFolder,
    run: &RunFolder,
    stop: &Stop,
) -> Result<GatewayLock, LockError> {
    let path = std::env::temp_dir().join(format!("s2-gateway-{}.lock", sha256_hex(url)));
    let us =
        Holder { run: run_of(folder), pid: std::process::id(), folder: run.path(), attach: folder.path().to_owned() };
    let began = clock::now();
    let mut has_said = false;
    loop {
        let before = || serde_json::from_str::<Holder>(&lock::holder(&path)).ok();
        let is_theirs = || {
            let other = before().filter(|holder| holder.run == us.run && holder.folder != us.folder);
            other.is_some_and(|holder| holder.is_about_to_come_back())
        };
        if let Some(mut lock) = Lock::try_exclusive(&path)?.filter(|_| !is_theirs()) {
            // Without this text the error of another session says less.
            let _ = lock.write(&serde_json::to_string(&us).unwrap_or_default());
            return Ok(GatewayLock::Ours { lock });
        }
        // For a moment after a lock is taken, its text is missing or an earlier holder's.
        let holder = before();
        let waited = clock::now().saturating_duration_since(began);
        match holder {
            Some(holder) if holder.run == us.run && waited < TURN_LIMIT => {
                if !has_said {
                    eprintln!("waiting for {}, which plays on {url}", holder.folder.display());
                    has_said = true;
                }
            }
            _ if waited < Duration::from_secs(2) => {}
            Some(holder) => return Ok(GatewayLock::Taken(taken(url, &holder))),
            None => {
                return Ok(GatewayLock::Taken(format!("another session plays on {url}: {} is locked", path.display())));
            }
        }
        tokio::select! {
            () = stop.requested() => return Ok(GatewayLock::Stopped),
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

fn taken(url: &str, holder: &Holder) -> String {
    format!(
        "another session plays on {url}: process {}, results in {}. Two at once would disturb each other: \
         wait for it, or set S2_GATEWAY_URL to another gateway",
        holder.pid,
        holder.folder.display()
    )
}

/// The key of the test run: the attach folder's name without its suite.
fn run_of(folder: &AttachFolder) -> String {
    let name = folder.path().file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.strip_suffix(&format!("-{}", folder.suite())).unwrap_or(name).to_owned()
}
