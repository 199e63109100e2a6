//! The role of the embedded gateway: a process of its own, so that its memory and descriptors are its own.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use tokio::time::{MissedTickBehavior, interval};

use super::{
    super::{
        folder::{AttachFolder, GatewayAddress},
        lock::{self, Lock},
    },
    RoleError, StartingGateway,
    watch::{ABANDONED_AFTER, LOOK_EVERY, OnEnd, Signals},
};
use crate::clock;

/// The last record of a journal is short; in so many bytes there is all of it.
const END_BYTES_MAX: u64 = 512;
/// How the last record of a journal begins.
const END: &str = r#"{"record":"end""#;

pub(super) fn play(start: fn() -> StartingGateway, folder: &AttachFolder) -> Result<(), RoleError> {
    let Some(_life) = Lock::try_exclusive(&folder.gateway_lock())? else { return Ok(()) };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(RoleError::Runtime)?.block_on(serve(start, folder))
}

async fn serve(start: fn() -> StartingGateway, folder: &AttachFolder) -> Result<(), RoleError> {
    let signals = Signals::listen().map_err(RoleError::Signals)?;
    let gateway = start().await.map_err(RoleError::Gateway)?;
    folder.write_gateway_address(&GatewayAddress { url: gateway.url.clone(), pid: std::process::id() })?;
    let why = until_not_needed(folder, signals).await;
    eprintln!("closing: {why}");
    gateway.stop.await;
    Ok(())
}

async fn until_not_needed(folder: &AttachFolder, mut signals: Signals) -> String {
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut nobody = OnEnd::default();
    loop {
        tokio::select! {
            name = signals.next() => return name.to_owned(),
            _ = ticks.tick() => {
                let is_free = |path: &Path| matches!(lock::is_held(path), Ok(false));
                let nobody_plays = is_free(&folder.session_lock());
                if nobody_plays && has_ended(folder) {
                    return "the session has ended".to_owned();
                }
                let nobody_is_there = nobody_plays && is_free(&folder.attached_lock());
                if nobody.lasts(nobody_is_there, clock::now(), ABANDONED_AFTER) {
                    return format!("no session and no test process for {} s", ABANDONED_AFTER.as_secs());
                }
            }
        }
    }
}

fn has_ended(folder: &AttachFolder) -> bool {
    let journal = folder.run_folder().ok().flatten().map(|run| run.journal());
    journal.is_some_and(|journal| last_line(&journal).is_some_and(|line| line.starts_with(END)))
}

/// The last line of a file, if it is short.
fn last_line(path: &Path) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(END_BYTES_MAX))).ok()?;
    let mut bytes = Vec::new();
    file.take(END_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    text.trim_end().lines().last().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{End, EndReason, Record};

    #[test]
    fn the_end_of_a_journal_is_told_by_its_last_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.ndjson");
        let end =
            End { at_ms: u64::MAX, ended_at: "2026-11-23T10:00:00.123456789Z".into(), reason: EndReason::Abandoned };
        let end = serde_json::to_string(&Record::End(end)).unwrap();
        let long = "x".repeat(10_000);
        std::fs::write(&path, format!("{long}\n{end}\n")).unwrap();
        assert!(last_line(&path).unwrap().starts_with(END));
        std::fs::write(&path, format!("{end}\n{long}\n")).unwrap();
        assert!(!last_line(&path).unwrap().starts_with(END));
    }
}
