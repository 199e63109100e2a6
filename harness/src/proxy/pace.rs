//! How much may be written when no more than so many bytes a second may pass.

use std::{num::NonZeroU64, time::Duration};

use tokio::time::Instant;

use super::line::CHUNK_BYTES;

/// So much time is written at once: timers are exact to a millisecond or two, which shorter slices would feel.
const SLICE: Duration = Duration::from_millis(20);

/// A rate, and when the next byte may pass. What was not used is lost but for one slice, which makes good for late
/// timers: in any time pass no more bytes than the rate allows, and two slices.
#[derive(Debug)]
pub(super) struct Pace {
    bytes_per_second: NonZeroU64,
    next: Option<Instant>,
}

impl Pace {
    pub(super) fn new(bytes_per_second: NonZeroU64) -> Self {
        Self { bytes_per_second, next: None }
    }

    /// When something may be written.
    pub(super) fn next(&self) -> Option<Instant> {
        self.next
    }

    /// How much may be written at once.
    pub(super) fn slice(&self) -> usize {
        let bytes = u128::from(self.bytes_per_second.get()) * SLICE.as_millis() / 1_000;
        usize::try_from(bytes).unwrap_or(usize::MAX).clamp(1, CHUNK_BYTES)
    }

    /// So much was written.
    pub(super) fn spend(&mut self, bytes: usize, now: Instant) {
        let took = self.time_for(bytes);
        let credit = now.checked_sub(self.time_for(self.slice())).unwrap_or(now);
        let from = self.next.map_or(now, |next| next.max(credit));
        // A rate at which a byte takes years does not end in a moment that cannot be counted.
        self.next = Some(from.checked_add(took).unwrap_or(from));
    }

    fn time_for(&self, bytes: usize) -> Duration {
        let nanos = bytes as u128 * 1_000_000_000 / u128::from(self.bytes_per_second.get());
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    fn pace(bytes_per_second: u64) -> Pace {
        Pace::new(NonZeroU64::new(bytes_per_second).unwrap())
    }

    /// How long it takes to write so much, by timers that are late by so much.
    fn takes(mut pace: Pace, mut bytes: usize, late: Duration) -> Duration {
        let start = clock::now();
        let mut now = start;
        while bytes > 0 {
            if let Some(next) = pace.next().filter(|next| *next > now) {
                now = next + late;
            }
            let n = pace.slice().min(bytes);
            pace.spend(n, now);
            bytes -= n;
        }
        now - start
    }

    #[test]
    fn a_rate_is_kept_to_two_slices_and_late_timers_are_made_good_for() {
        for late_ms in [0, 1, 5] {
            let took = takes(pace(100_000), 1_000_000, Duration::from_millis(late_ms)).as_secs_f64();
            assert!((9.96..=10.01).contains(&took), "{took}");
        }
    }

    #[test]
    fn what_was_not_used_is_not_caught_up() {
        let mut pace = pace(1_000);
        let start = clock::now();
        pace.spend(20, start);
        let later = start + Duration::from_secs(60);
        pace.spend(20, later);
        assert_eq!(pace.next(), Some(later));
        pace.spend(20, later);
        assert_eq!(pace.next(), Some(later + SLICE));
    }

    #[test]
    fn the_slowest_rate_writes_a_byte_at_a_time_and_the_fastest_a_chunk() {
        assert_eq!(pace(1).slice(), 1);
        assert_eq!(pace(u64::MAX).slice(), CHUNK_BYTES);
    }
}
