//! A watched run: its events that the streams have shown so far.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

use crate::streams::{Delivered, Delivery, SeenLines};

/// Observations of one run on the streams.
#[derive(Debug, Default)]
pub struct RunWatch {
    seen: Mutex<RunSeen>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct RunSeen {
    first_log: Option<Instant>,
    ended: bool,
    heard: SeenLines,
}

impl RunWatch {
    /// When the run's first log line came, on any stream.
    pub fn first_log(&self) -> Option<Instant> {
        self.seen.lock().first_log
    }

    /// Waits until a stream has shown the run's end, or the time is over.
    pub async fn ended_within(&self, limit: Duration) -> bool {
        self.wait_for(limit, |seen| seen.ended).await
    }

    /// Waits until a stream has shown the run's first log line, or the time is over.
    pub async fn logged_within(&self, limit: Duration) -> bool {
        self.wait_for(limit, |seen| seen.first_log.is_some()).await
    }

    /// A stream showed an event of the run; `client`: since when a workspace stream has been there, and how the event
    /// came to it. Says whether that is the first workspace stream that shows the run's end.
    pub(super) fn enter(&self, got: &Delivery<'_>, arrived: Instant, client: Option<(u64, Delivered)>) -> bool {
        let mut seen = self.seen.lock();
        let is_first_end = match (got.kind, client) {
            ("log", Some((_, delivered))) => {
                seen.heard.line(got.message, delivered);
                false
            }
            ("end", Some((there_since_ms, _))) => seen.heard.end(there_since_ms),
            _ => false,
        };
        match got.kind {
            "log" if seen.first_log.is_none_or(|first| arrived < first) => seen.first_log = Some(arrived),
            "end" => seen.ended = true,
            _ => return is_first_end,
        }
        drop(seen);
        self.changed.notify_waiters();
        is_first_end
    }

    /// Reads the events of the run that workspace streams have shown, and whether any stream has shown its end.
    pub(super) fn with_heard<T>(&self, look: impl FnOnce(&SeenLines, bool) -> T) -> T {
        let seen = self.seen.lock();
        look(&seen.heard, seen.ended)
    }

    async fn wait_for(&self, limit: Duration, done: impl Fn(&RunSeen) -> bool) -> bool {
        let wait = async {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if done(&self.seen.lock()) {
                    return;
                }
                changed.await;
            }
        };
        tokio::time::timeout(limit, wait).await.is_ok()
    }
}
