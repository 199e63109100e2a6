//! A run that is watched: what the streams have shown of it so far.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use super::seen_lines::SeenLines;

/// What the streams have shown of one run.
#[derive(Debug, Default)]
pub struct RunWatch {
    seen: Mutex<RunSeen>,
    pub(super) changed: Notify,
}

#[derive(Debug, Default)]
pub(super) struct RunSeen {
    pub(super) first_log: Option<Instant>,
    pub(super) ended: bool,
    pub(super) heard: SeenLines,
}

impl RunWatch {
    /// When the run's first log line came, on whichever stream came first.
    #[must_use]
    pub fn first_log(&self) -> Option<Instant> {
        self.seen().first_log
    }

    /// Waits until a stream has shown the run's end, or the time is over.
    pub async fn ended_within(&self, limit: Duration) -> bool {
        self.wait_for(limit, |seen| seen.ended).await
    }

    /// Waits until a stream has shown the run's first log line, or the time is over.
    pub async fn logged_within(&self, limit: Duration) -> bool {
        self.wait_for(limit, |seen| seen.first_log.is_some()).await
    }

    /// Looks at what the workspace streams have shown of the run, and whether any stream has shown its end.
    pub(super) fn with_heard<T>(&self, look: impl FnOnce(&SeenLines, bool) -> T) -> T {
        let seen = self.seen();
        look(&seen.heard, seen.ended)
    }

    async fn wait_for(&self, limit: Duration, done: impl Fn(&RunSeen) -> bool) -> bool {
        let wait = async {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if done(&self.seen()) {
                    return;
                }
                changed.await;
            }
        };
        tokio::time::timeout(limit, wait).await.is_ok()
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, RunSeen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
