//! The gain of a gateway's histogram from one scrape to the next.

use crate::journal::Buckets;

/// A histogram as it stood at the last scrape: cumulative counts by upper bound.
#[derive(Debug, Default)]
pub(super) struct HistogramDelta {
    last: Option<Vec<(f64, f64)>>,
}

impl HistogramDelta {
    /// Takes in a scrape; says what was gained since the last. `None` at the first, which holds what was before the
    /// soak. A histogram that fell was reset by a restart that did not show: all it holds was gained since.
    pub(super) fn take_in(&mut self, cumulative: &[(f64, f64)]) -> Option<Buckets> {
        let last = self.last.replace(cumulative.to_vec())?;
        let same_bounds = last.len() == cumulative.len() && last.iter().zip(cumulative).all(|(a, b)| a.0 == b.0);
        let fell = !same_bounds || last.iter().zip(cumulative).any(|(before, now)| now.1 < before.1);
        let base = |n: usize| if fell { 0.0 } else { last[n].1 };
        let mut gained = Buckets::default();
        let mut below = 0.0;
        for (n, (bound, count)) in cumulative.iter().enumerate() {
            let up_to_here = count - base(n);
            // The last alone has no bound. A bound that makes no sense is kept, so that the whole is seen to make none.
            if *bound < f64::INFINITY {
                gained.bounds_seconds.push(*bound);
            }
            // Buckets that are not cumulative are a gateway's mistake: what would be negative is none.
            gained.counts.push(whole(up_to_here - below));
            below = up_to_here;
        }
        if gained.counts.len() == gained.bounds_seconds.len() {
            gained.counts.push(0);
        }
        Some(gained)
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what fits")]
fn whole(count: f64) -> u64 {
    count.clamp(0.0, 1e15) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(gained: Option<Buckets>) -> Option<u64> {
        gained.map(|gained| gained.total())
    }

    fn counted(count: f64) -> [(f64, f64); 2] {
        [(0.1, count), (f64::INFINITY, count)]
    }

    #[test]
    fn a_histogram_that_fell_was_reset() {
        let mut tally = HistogramDelta::default();
        assert_eq!(None, total(tally.take_in(&counted(9.0))));
        assert_eq!(Some(3), total(tally.take_in(&counted(12.0))));
        assert_eq!(Some(4), total(tally.take_in(&counted(4.0))));
    }
}
