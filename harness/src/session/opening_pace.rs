//! The pace at which streams are opened: ten thousand at once are an unrealistic load, and would delay every probe.

use std::{pin::pin, time::Duration};

use parking_lot::Mutex;
use tokio::{sync::Semaphore, time::Instant};

use crate::clock;

/// Time between two openings, where there are many.
const EVERY: Duration = Duration::from_micros(500);
/// Maximum number of openings at once.
const AT_ONCE: u32 = 256;
/// Maximum number of openings under way that are younger than [`YOUNG_FOR`]: a slow gateway sets the pace.
const YOUNG_MAX: usize = 512;
/// An opening that takes longer delays no other one: a gateway that answers none is asked all the same.
const YOUNG_FOR: Duration = Duration::from_secs(1);

/// Paces the openings of streams that are kept for hours. Streams of runs are not paced: their runs already are.
#[derive(Debug)]
pub(super) struct OpeningPace {
    /// When the next opening is due, if all came one after another.
    next: Mutex<Option<Instant>>,
    young: Semaphore,
}

impl Default for OpeningPace {
    fn default() -> Self {
        Self { next: Mutex::new(None), young: Semaphore::new(YOUNG_MAX) }
    }
}

impl OpeningPace {
    /// Opens a stream when it is its turn.
    pub(super) async fn open<T>(&self, opening: impl Future<Output = T>) -> T {
        let due = self.turn(clock::now());
        if due > clock::now() {
            tokio::time::sleep_until(due).await;
        }
        // It is never closed.
        let permit = self.young.acquire().await.ok();
        let mut opening = pin!(opening);
        let young = tokio::time::timeout(YOUNG_FOR, &mut opening).await;
        drop(permit);
        match young {
            Ok(opened) => opened,
            Err(_) => opening.await,
        }
    }

    /// The time of an opening that is requested now.
    fn turn(&self, now: Instant) -> Instant {
        let mut next = self.next.lock();
        let earliest = now.checked_sub(EVERY * AT_ONCE).unwrap_or(now);
        let due = next.map_or(earliest, |next| next.max(earliest));
        *next = Some(due + EVERY);
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_few_streams_open_at_once_and_many_one_after_another() {
        let (pace, began) = (OpeningPace::default(), clock::now());
        let delay = |n: u32| pace.turn(began).saturating_duration_since(began) == EVERY * n.saturating_sub(AT_ONCE);
        assert!((0..10_000).all(delay));
        tokio::time::advance(Duration::from_secs(60)).await;
        let now = clock::now();
        assert!((0..=AT_ONCE).all(|_| pace.turn(now) <= now), "and at once again later");
        assert_eq!(now + EVERY, pace.turn(now));
    }

    #[tokio::test(start_paused = true)]
    async fn openings_that_hang_keep_others_waiting_for_a_second_only() {
        let (pace, began) = (OpeningPace::default(), clock::now());
        let hanging = futures_util::future::join_all((0..YOUNG_MAX).map(|_| pace.open(std::future::pending::<()>())));
        let other = async {
            tokio::time::sleep(EVERY * YOUNG_MAX as u32).await;
            pace.open(async {}).await;
        };
        tokio::select! {
            biased;
            _ = hanging => panic!("they hang"),
            () = other => {}
        }
        let waited = clock::now().saturating_duration_since(began);
        assert!(waited >= YOUNG_FOR && waited < YOUNG_FOR * 2, "{waited:?}");
    }
}
