//! Absences of S2: the session stood still, or no session played. These times are no latency of the gateway.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::clock;

const TICK: Duration = Duration::from_millis(50);
/// A later tick shows that no task ran. A shorter delay is normal on a busy machine, and stays in the latencies.
const LATE: Duration = Duration::from_millis(200);
/// Minimum duration of a stall that is reported.
const REPORTED_MIN: Duration = Duration::from_secs(1);
/// Stalls that are remembered; the oldest is forgotten first. Whatever began before it is over by its timeout.
const STALLS_MAX: usize = 64;

/// The absences of S2. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Stalls(Arc<Mutex<StallState>>);

#[derive(Debug, Default)]
struct StallState {
    past: VecDeque<(Instant, Instant)>,
    last_tick: Option<Instant>,
}

impl Stalls {
    /// Notes an absence between two moments.
    pub fn add(&self, from: Instant, to: Instant) {
        let mut state = self.0.lock();
        if state.past.len() == STALLS_MAX {
            state.past.pop_front();
        }
        state.past.push_back((from, to));
    }

    /// The total of the absences between two moments. A stall counts once it is over, even before a tick noticed it.
    pub fn within(&self, from: Instant, to: Instant) -> Duration {
        let state = self.0.lock();
        let current = state.last_tick.and_then(|last| stall(last, to));
        let stalls = state.past.iter().copied().chain(current);
        stalls.map(|(begun, over)| over.min(to).saturating_duration_since(begun.max(from))).sum()
    }

    /// Ticks until it is dropped, and calls `report` after each stall that is long enough.
    pub(super) async fn watch(self, report: impl Fn(Duration) + Send) {
        loop {
            let now = clock::now();
            if let Some(stalled) = self.tick(now).filter(|stalled| *stalled >= REPORTED_MIN) {
                report(stalled);
            }
            tokio::time::sleep_until(now + TICK).await;
        }
    }

    /// One tick. Gives the duration of the stall before it, if there was one.
    fn tick(&self, now: Instant) -> Option<Duration> {
        let (from, to) = self.0.lock().last_tick.replace(now).and_then(|last| stall(last, now))?;
        self.add(from, to);
        Some(to - from)
    }
}

/// The stall that lies between a tick and now, if one does.
fn stall(last_tick: Instant, now: Instant) -> Option<(Instant, Instant)> {
    let due = last_tick + TICK;
    (now.saturating_duration_since(due) > LATE).then_some((due, now))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(begun: Instant, ms: u64) -> Instant {
        begun + Duration::from_millis(ms)
    }

    #[test]
    fn only_what_lies_within_counts_of_a_stall() {
        let (stalls, begun) = (Stalls::default(), clock::now());
        stalls.add(at(begun, 1_000), at(begun, 3_000));
        stalls.add(at(begun, 10_000), at(begun, 10_500));
        for (from, to, expected_ms) in
            [(0, 900, 0), (0, 2_000, 1_000), (1_500, 2_500, 1_000), (2_000, 20_000, 1_500), (3_000, 10_000, 0)]
        {
            assert_eq!(Duration::from_millis(expected_ms), stalls.within(at(begun, from), at(begun, to)));
        }
    }

    #[test]
    fn a_stall_counts_whether_or_not_it_was_noticed_yet() {
        let (stalls, begun) = (Stalls::default(), clock::now());
        assert_eq!(Duration::ZERO, stalls.within(begun, at(begun, 60_000)), "before the first tick nothing is known");
        assert_eq!(None, stalls.tick(begun));
        assert_eq!(None, stalls.tick(at(begun, 60)));
        let missed = Duration::from_millis(10_000 - 60 - 50);
        assert_eq!(missed, stalls.within(begun, at(begun, 10_000)));
        assert_eq!(Some(missed), stalls.tick(at(begun, 10_000)));
        assert_eq!(missed, stalls.within(begun, at(begun, 10_010)));
    }

    #[test]
    fn what_is_a_little_late_is_no_stall() {
        let (stalls, begun) = (Stalls::default(), clock::now());
        stalls.tick(begun);
        assert_eq!(None, stalls.tick(begun + TICK + LATE));
        assert_eq!(Duration::ZERO, stalls.within(begun, begun + TICK + LATE));
    }

    #[test]
    fn the_oldest_stalls_are_forgotten_first() {
        let (stalls, begun) = (Stalls::default(), clock::now());
        for n in 0..=STALLS_MAX as u64 {
            stalls.add(at(begun, n * 10), at(begun, n * 10 + 1));
        }
        assert_eq!(Duration::from_millis(STALLS_MAX as u64), stalls.within(begun, at(begun, 100_000)));
    }
}
