//! Latencies over one step, in fixed buckets, for quantiles and heat maps.

use crate::journal::{Buckets, LatencyHistogram, Source, Timing};

/// Buckets to each doubling: a value is exact to 5 %.
const PER_OCTAVE: i32 = 8;
/// Doublings, from a quarter of a millisecond to a little over a minute.
const OCTAVES: i32 = 18;
const LEAST_MS: f64 = 0.25;
const EDGES: usize = (OCTAVES * PER_OCTAVE) as usize;

/// A source of latencies: a timing of the harness, or a histogram of the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LatencySource {
    Timing(Timing),
    Source(Source),
}

impl LatencySource {
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        Timing::ALL.iter().map(|timing| Self::Timing(*timing)).chain(Source::ALL.iter().map(|s| Self::Source(*s)))
    }
}

#[derive(Debug, Clone)]
pub(crate) struct LatencyStep {
    counts: [u16; EDGES],
    count: u32,
    max_us: u64,
}

impl Default for LatencyStep {
    fn default() -> Self {
        Self { counts: [0; EDGES], count: 0, max_us: 0 }
    }
}

/// The lower edge of a bucket, milliseconds.
pub(crate) fn edge_ms(bucket: usize) -> f64 {
    let octaves = i32::try_from(bucket).map_or(f64::from(OCTAVES), |bucket| f64::from(bucket) / f64::from(PER_OCTAVE));
    LEAST_MS * octaves.exp2()
}

fn bucket_of(ms: f64) -> usize {
    let octaves = (ms / LEAST_MS).log2().max(0.0);
    ((octaves * f64::from(PER_OCTAVE)) as usize).min(EDGES - 1)
}

pub(crate) fn ms(us: u64) -> f64 {
    us as f64 / 1_000.0
}

impl LatencyStep {
    pub(crate) fn absorb(&mut self, histogram: &LatencyHistogram) {
        histogram.recorded().into_iter().for_each(|(us, n)| self.add(us, n));
    }

    /// Takes in the buckets of a gateway's own histogram, each sample at the upper end of its bucket.
    pub(crate) fn absorb_buckets(&mut self, buckets: &Buckets) {
        let bounds = buckets.bounds_seconds.iter().copied().filter(|bound| bound.is_finite());
        let last = bounds.clone().next_back().unwrap_or(0.0);
        let ends = bounds.chain(std::iter::repeat(last));
        for (end_seconds, n) in ends.zip(&buckets.counts).filter(|(_, n)| **n > 0) {
            self.add((end_seconds.max(0.0) * 1e6) as u64, *n);
        }
    }

    fn add(&mut self, us: u64, n: u64) {
        let n = u32::try_from(n).unwrap_or(u32::MAX);
        let bucket = &mut self.counts[bucket_of(ms(us))];
        *bucket = bucket.saturating_add(u16::try_from(n).unwrap_or(u16::MAX));
        self.count = self.count.saturating_add(n);
        self.max_us = self.max_us.max(us);
    }

    pub(crate) const fn count(&self) -> u32 {
        self.count
    }

    pub(crate) fn max_ms(&self) -> Option<f64> {
        (self.count > 0).then(|| ms(self.max_us))
    }

    /// Buckets that have samples, with their number.
    pub(crate) fn buckets(&self) -> impl Iterator<Item = (usize, u16)> {
        self.counts.iter().copied().enumerate().filter(|(_, n)| *n > 0)
    }

    /// The nearest-rank quantile, milliseconds, in the middle of its bucket and never above the greatest sample.
    pub(crate) fn quantile_ms(&self, quantile: f64) -> Option<f64> {
        let counted: u64 = self.counts.iter().map(|n| u64::from(*n)).sum();
        let rank = ((counted as f64 * quantile).ceil() as u64).max(1);
        let mut below = 0;
        let bucket = self.buckets().find(|(_, n)| {
            below += u64::from(*n);
            below >= rank
        });
        let middle = bucket.map(|(bucket, _)| (edge_ms(bucket) * edge_ms(bucket + 1)).sqrt());
        middle.zip(self.max_ms()).map(|(middle, max)| middle.min(max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_known_to_within_five_percent_and_never_above_the_greatest() {
        let mut cell = LatencyStep::default();
        let mut histogram = LatencyHistogram::new();
        (1..=1_000).for_each(|n| histogram.record(n * 1_000));
        cell.absorb(&histogram);
        for (quantile, exact) in [(0.5, 500.0), (0.95, 950.0), (0.99, 990.0)] {
            let read = cell.quantile_ms(quantile).unwrap();
            assert!((read / exact - 1.0).abs() < 0.05, "{quantile}: {read}");
        }
        let max = cell.max_ms().unwrap();
        assert!(cell.count() == 1_000 && (1_000.0..1_001.0).contains(&max), "{max}");
        assert!(cell.quantile_ms(1.0).unwrap() <= max);
        assert_eq!(None, LatencyStep::default().quantile_ms(0.5));
    }

    #[test]
    fn what_is_too_short_or_too_long_for_the_buckets_is_in_the_first_or_the_last() {
        let mut cell = LatencyStep::default();
        [0, u64::MAX].into_iter().for_each(|us| cell.add(us, 1));
        assert_eq!(vec![(0, 1), (EDGES - 1, 1)], cell.buckets().collect::<Vec<_>>());
    }

    #[test]
    fn a_gateways_buckets_count_at_their_upper_ends_and_odd_ones_do_no_harm() {
        let mut cell = LatencyStep::default();
        cell.absorb_buckets(&Buckets { bounds_seconds: vec![0.1, 0.5], counts: vec![3, 1, 1] });
        assert_eq!((5, Some(500.0)), (cell.count(), cell.max_ms()));
        cell.absorb_buckets(&Buckets { bounds_seconds: vec![f64::NAN, -1.0], counts: vec![1, 2, u64::MAX] });
        cell.absorb_buckets(&Buckets { bounds_seconds: vec![], counts: vec![1] });
        assert!(cell.quantile_ms(0.99).is_some());
    }
}
