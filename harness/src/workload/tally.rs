//! The gain of a gateway's histogram from one scrape to the next.

use crate::journal::Buckets;

/// Returns the gain of a histogram from one scrape to the next; cumulative counts by upper bound. A histogram that fell
/// was reset by a restart that did not show: its whole content was gained since.
pub(super) fn gained(before: &[(f64, f64)], now: &[(f64, f64)]) -> Buckets {
    let same_bounds = before.len() == now.len() && before.iter().zip(now).all(|(a, b)| a.0 == b.0);
    let fell = !same_bounds || before.iter().zip(now).any(|(before, now)| now.1 < before.1);
    let base = |n: usize| if fell { 0.0 } else { before[n].1 };
    let mut gained = Buckets::default();
    let mut below = 0.0;
    for (n, (bound, count)) in now.iter().enumerate() {
        let up_to_here = count - base(n);
        // Only the last has no bound. A bound that makes no sense is kept, so that the histogram is seen to make none.
        if *bound < f64::INFINITY {
            gained.bounds_seconds.push(*bound);
        }
        // Buckets that are not cumulative are a gateway's mistake: a negative count becomes 0.
        gained.counts.push((up_to_here - below).clamp(0.0, 1e15) as u64);
        below = up_to_here;
    }
    if gained.counts.len() == gained.bounds_seconds.len() {
        gained.counts.push(0);
    }
    gained
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(count: f64) -> [(f64, f64); 2] {
        [(0.1, count), (f64::INFINITY, count)]
    }

    #[test]
    fn a_histogram_that_fell_was_reset() {
        assert_eq!(3, gained(&counted(9.0), &counted(12.0)).total());
        assert_eq!(4, gained(&counted(12.0), &counted(4.0)).total());
    }
}
