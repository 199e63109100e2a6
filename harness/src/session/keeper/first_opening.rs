//! The first opening of a run's own stream. The start of the run waits for it: a gateway may replay no events.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock;

/// Maximum time that the start of a run waits for the head of its stream's answer.
const HEAD_LIMIT: Duration = Duration::from_secs(2);
/// After this number of heads in a row that did not come before the start, no start waits any more.
const LATE_HEADS_MAX: u32 = 3;

/// One first opening.
#[derive(Debug, Default)]
pub struct FirstOpening {
    /// The head has come, or the stream was refused.
    decided: CancellationToken,
    /// The run is being started, or has been.
    started: CancellationToken,
    /// The gateway has answered that it is.
    is_under_way: CancellationToken,
    /// When the head came, and whether that was before the start.
    opened: OnceLock<(Instant, bool)>,
    /// How often the stream has opened.
    openings: AtomicU32,
}

/// Observed behaviour of a gateway with streams of runs that have not been started.
#[derive(Debug, Default)]
pub struct Earliness {
    late_heads: AtomicU32,
    /// A stream was refused before the start of its run, and opened after it.
    is_refused_before_start: AtomicBool,
}

impl Earliness {
    /// Whether there is any use in opening a stream before its run is started.
    pub fn is_of_use(&self) -> bool {
        !self.is_refused_before_start.load(Ordering::Relaxed)
    }

    /// A stream that was refused before the start of its run opened after it.
    pub fn opened_only_after_start(&self) {
        self.is_refused_before_start.store(true, Ordering::Relaxed);
    }
}

impl FirstOpening {
    /// Waits for the head of the stream's answer before the run is started. Gives the time that this took.
    pub async fn before_start(&self, earliness: &Earliness) -> Duration {
        let began = clock::now();
        if earliness.is_of_use() && earliness.late_heads.load(Ordering::Relaxed) < LATE_HEADS_MAX {
            match tokio::time::timeout(HEAD_LIMIT, self.decided.cancelled()).await {
                Ok(()) => earliness.late_heads.store(0, Ordering::Relaxed),
                Err(_) => _ = earliness.late_heads.fetch_add(1, Ordering::Relaxed),
            }
        }
        self.started.cancel();
        clock::now().saturating_duration_since(began)
    }

    /// The run is under way: its start was answered, or its creation where that starts it.
    pub fn run_is_under_way(&self) {
        self.started.cancel();
        self.is_under_way.cancel();
    }

    /// When the stream was open, and whether that was before the start of its run; none where it never was.
    pub fn opened(&self) -> Option<(Instant, bool)> {
        self.opened.get().copied()
    }

    /// The number of openings of the stream, the first one included.
    pub fn openings(&self) -> u32 {
        self.openings.load(Ordering::Relaxed)
    }

    pub(super) fn has_opened(&self) {
        self.openings.fetch_add(1, Ordering::Relaxed);
        let _ = self.opened.set((clock::now(), !self.started.is_cancelled()));
        self.decided.cancel();
    }

    /// The stream does not exist any more when it is opened again. This counts like an opening without events.
    pub(super) fn is_gone(&self) {
        self.openings.fetch_add(1, Ordering::Relaxed);
    }

    /// The stream was refused. Says whether that was before the start of its run, which may be the reason.
    pub(super) fn was_refused(&self) -> bool {
        self.decided.cancel();
        !self.started.is_cancelled() && self.opened.get().is_none()
    }

    pub(super) async fn until_run_is_under_way(&self) {
        self.is_under_way.cancelled().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_start_waits_for_an_open_stream_and_no_longer_than_two_seconds() {
        let earliness = Earliness::default();
        let first = FirstOpening::default();
        let (waited, ()) = tokio::join!(first.before_start(&earliness), async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            first.has_opened();
        });
        assert_eq!((300, Some(true)), (waited.as_millis(), first.opened().map(|(_, is_early)| is_early)));

        let late = FirstOpening::default();
        assert_eq!(HEAD_LIMIT, late.before_start(&earliness).await);
        late.has_opened();
        assert_eq!(Some(false), late.opened().map(|(_, is_early)| is_early));
    }

    #[tokio::test(start_paused = true)]
    async fn a_gateway_whose_heads_never_come_before_the_start_is_not_waited_for_any_more() {
        let earliness = Earliness::default();
        for _ in 0..LATE_HEADS_MAX {
            assert_eq!(HEAD_LIMIT, FirstOpening::default().before_start(&earliness).await);
        }
        assert_eq!(Duration::ZERO, FirstOpening::default().before_start(&earliness).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_before_the_start_may_be_for_that_reason_and_a_later_one_is_not() {
        let (earliness, first) = (Earliness::default(), FirstOpening::default());
        assert!(first.was_refused());
        assert_eq!(Duration::ZERO, first.before_start(&earliness).await);
        assert!(!first.was_refused());
        earliness.opened_only_after_start();
        assert!(!earliness.is_of_use());
        assert_eq!(Duration::ZERO, FirstOpening::default().before_start(&earliness).await);
    }
}
