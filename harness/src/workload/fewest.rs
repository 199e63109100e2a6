//! The fewest connections or streams that S2 held while the gateway counted its own.
//!
//! A surplus of the gateway's count grows only if the gateway leaks. But the two counts are taken at different moments,
//! and a sum over several processes has counts of earlier scrapes. Compared with the fewest of S2 since then, the
//! surplus is not too low because S2 opened some meanwhile; the least of a minute is near the truth.

use std::collections::VecDeque;

use tokio::time::Instant;

/// Scrapes that are remembered.
const SCRAPES_MAX: usize = 64;

/// The fewest by scrape, latest last: when the scrape was taken in, and the fewest since the one before.
#[derive(Debug, Default)]
pub(super) struct Fewest(VecDeque<(Instant, usize)>);

impl Fewest {
    /// A scrape is taken in now; `least` is the fewest since the one before.
    pub(super) fn push(&mut self, now: Instant, least: usize) {
        if self.0.len() == SCRAPES_MAX {
            self.0.pop_front();
        }
        self.0.push_back((now, least));
    }

    /// The fewest over the last `scrapes`, and at least since `asked`: scrapes overlap if the gateway is slow.
    pub(super) fn over(&self, scrapes: usize, asked: Instant) -> Option<usize> {
        let latest = self.0.iter().rev().enumerate();
        let counted = latest.take_while(|(n, (taken_in, _))| *n < scrapes.max(1) || *taken_in >= asked);
        counted.map(|(_, (_, least))| *least).min()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock;

    #[test]
    fn the_fewest_are_those_since_the_oldest_count_in_the_sum() {
        let began = clock::now();
        let at = |second: u64| began + Duration::from_secs(second);
        let mut ours = Fewest::default();
        assert_eq!(None, ours.over(8, began));
        for (second, least) in [(10, 3), (20, 19), (30, 17), (40, 20)] {
            ours.push(at(second), least);
        }
        assert_eq!(Some(20), ours.over(1, at(35)));
        assert_eq!(Some(17), ours.over(2, at(35)), "of two processes, one was asked a scrape ago");
        assert_eq!(Some(17), ours.over(1, at(25)), "another scrape was taken in meanwhile");
        assert_eq!(Some(3), ours.over(8, at(35)));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut ours = Fewest::default();
        let now = clock::now();
        (0..1_000).for_each(|least| ours.push(now, least));
        assert_eq!((SCRAPES_MAX, Some(1_000 - SCRAPES_MAX)), (ours.0.len(), ours.over(1_000, now)));
    }
}
