//! The gateway's own histograms, merged: samples between two bounds, and the bounds that they prove for a quantile.

use std::collections::BTreeMap;

use crate::journal::Buckets;

/// Maximum number of pairs of bounds. Gateways have a dozen buckets, another dozen if a restart changed them.
const CELLS_MAX: usize = 256;

/// Samples known to lie above one bound and not above another, in seconds.
#[derive(Debug, Clone, Default)]
pub(crate) struct BucketBounds {
    /// By lower and upper bound, as bits: of numbers that are not negative, bits sort as the numbers do.
    counts: BTreeMap<(u64, u64), u64>,
    /// Intervals with invalid buckets: bounds that do not rise, counts that do not match.
    pub(crate) malformed: u64,
}

/// Bounds of a quantile, in seconds: it is above `lower` and not above `upper`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bounds {
    pub(crate) lower: f64,
    pub(crate) upper: f64,
}

impl BucketBounds {
    pub(crate) fn absorb(&mut self, buckets: &Buckets) {
        if buckets.total() == 0 {
            return;
        }
        let bounds = &buckets.bounds_seconds;
        let is_rising = bounds.iter().all(|b| b.is_finite() && *b >= 0.0) && bounds.windows(2).all(|w| w[0] < w[1]);
        if !is_rising || buckets.counts.len() != bounds.len() + 1 {
            self.malformed += 1;
            return;
        }
        let lowers = std::iter::once(0.0).chain(bounds.iter().copied());
        let uppers = bounds.iter().copied().chain(std::iter::once(f64::INFINITY));
        for ((lower, upper), count) in lowers.zip(uppers).zip(&buckets.counts).filter(|(_, count)| **count > 0) {
            // `+ 0.0` turns a negative zero, whose bits sort last, into a positive one.
            let cell = ((lower + 0.0).to_bits(), (upper + 0.0).to_bits());
            // Beyond the maximum a sample is only counted, without bounds: weaker, and never wrong.
            let is_known = self.counts.len() < CELLS_MAX || self.counts.contains_key(&cell);
            self.add(if is_known { cell } else { (0, f64::INFINITY.to_bits()) }, *count);
        }
    }

    fn add(&mut self, cell: (u64, u64), count: u64) {
        let sum = self.counts.entry(cell).or_default();
        *sum = sum.saturating_add(count);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.malformed += other.malformed;
        other.counts.iter().for_each(|(cell, count)| self.add(*cell, *count));
    }

    pub(crate) fn total(&self) -> u64 {
        self.counts.values().fold(0, |sum, n| sum.saturating_add(*n))
    }

    /// The number of samples that are certainly above a limit in seconds.
    pub(crate) fn certainly_above(&self, limit: f64) -> u64 {
        self.iter().filter(|(bounds, _)| bounds.lower >= limit).fold(0, |sum, (_, n)| sum.saturating_add(n))
    }

    /// The bounds of the nearest-rank quantile. A quantile cannot fall when samples rise, so with every sample at its
    /// lower bound it is not above the true one, and with every sample at its upper bound not below it.
    pub(crate) fn quantile(&self, quantile: f64) -> Option<Bounds> {
        let total = self.total();
        self.at_rank(((quantile * total as f64).ceil() as u64).max(1).min(total))
    }

    /// The bounds of the sample of a rank from 1; none where there are fewer samples.
    pub(crate) fn at_rank(&self, rank: u64) -> Option<Bounds> {
        let mut cells: Vec<(Bounds, u64)> = self.iter().collect();
        let bounds_at_rank = |cells: &[(Bounds, u64)]| {
            let mut seen = 0_u64;
            cells.iter().find_map(|(bounds, count)| {
                seen = seen.saturating_add(*count);
                (seen >= rank).then_some(*bounds)
            })
        };
        cells.sort_by(|(a, _), (b, _)| a.lower.total_cmp(&b.lower));
        let lower = bounds_at_rank(&cells)?.lower;
        cells.sort_by(|(a, _), (b, _)| a.upper.total_cmp(&b.upper));
        Some(Bounds { lower, upper: bounds_at_rank(&cells)?.upper })
    }

    fn iter(&self) -> impl Iterator<Item = (Bounds, u64)> {
        self.counts.iter().map(|((lower, upper), count)| {
            (Bounds { lower: f64::from_bits(*lower), upper: f64::from_bits(*upper) }, *count)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(of: &[(&[f64], &[u64])]) -> BucketBounds {
        let mut cells = BucketBounds::default();
        for (bounds_seconds, counts) in of {
            cells.absorb(&Buckets { bounds_seconds: bounds_seconds.to_vec(), counts: counts.to_vec() });
        }
        cells
    }

    #[test]
    fn a_quantile_lies_in_the_bucket_of_its_nearest_rank() {
        let cells = cells(&[(&[0.1, 0.2, 0.5], &[90, 5, 4, 1])]);
        assert_eq!(Some(Bounds { lower: 0.1, upper: 0.2 }), cells.quantile(0.95));
        assert_eq!(Some(Bounds { lower: 0.2, upper: 0.5 }), cells.quantile(0.951));
        assert_eq!(Some(Bounds { lower: 0.5, upper: f64::INFINITY }), cells.quantile(1.0));
    }

    #[test]
    fn buckets_that_a_restart_changed_are_merged_without_a_guess() {
        let merged = cells(&[(&[0.1, 0.3], &[10, 0, 0]), (&[0.2, 0.5], &[0, 10, 0])]);
        assert_eq!(20, merged.total());
        assert_eq!(Some(Bounds { lower: 0.0, upper: 0.1 }), merged.quantile(0.5));
        assert_eq!(Some(Bounds { lower: 0.2, upper: 0.5 }), merged.quantile(0.95));
    }

    #[test]
    fn nothing_says_nothing_and_nonsense_is_counted() {
        assert_eq!(None, cells(&[(&[], &[])]).quantile(0.95));
        assert_eq!(0, cells(&[(&[], &[]), (&[0.1], &[0, 0])]).malformed, "no gain is no nonsense");
        let nonsense = cells(&[(&[0.2, 0.1], &[1, 1, 1]), (&[f64::NAN], &[1, 1]), (&[0.1], &[1])]);
        assert_eq!((3, 0), (nonsense.malformed, nonsense.total()));
    }

    #[test]
    fn ever_new_buckets_take_no_more_memory_and_prove_less() {
        let mut cells = BucketBounds::default();
        for n in 1..2_000 {
            cells.absorb(&Buckets { bounds_seconds: vec![f64::from(n)], counts: vec![1, 0] });
        }
        assert!(cells.counts.len() <= CELLS_MAX + 1);
        assert_eq!(1_999, cells.total());
        assert_eq!(Some(f64::INFINITY), cells.quantile(0.95).map(|bounds| bounds.upper));
    }
}
