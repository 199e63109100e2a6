//! The range of the true value, from the noise of its samples.
//!
//! Each soak of one gateway has another value. With a confidence of 95 %, two-sided, the range contains the true one:
//!
//! - **Shares**: the score interval (E. B. Wilson, *Probable inference, the law of succession, and statistical
//!   inference*, 1927). Unlike the textbook's it does not shrink to nothing where all went well.
//! - **Quantiles**: the samples at two ranks, which bound the quantile whatever the distribution: the number of samples
//!   under it is binomial (H. A. David and H. N. Nagaraja, *Order Statistics*, 2003, 7.1). Of a gateway's histogram,
//!   the bounds of the buckets of the two ranks.
//! - **Counts that should be 0**: the counts of other soaks of the same length, by Byar's formula for the exact Poisson
//!   limits (N. E. Breslow and N. E. Day, *Statistical Methods in Cancer Research II*, 1987, 2.3): a gateway that
//!   duplicates twice in a soak does so not at all in one of seven.
//! - **Drifts**: the distances of floors from their line. Neighbouring floors are near to each other, so each end of
//!   the line is as uncertain as a single floor.
//! - **The slowest** of a few, and the clock's drift, have none: the greatest of some samples does not predict another.
//!
//! Shares and quantiles assume independent samples. Where they come in clusters, as the probes of one outage do, the
//! true range is wider.

use serde::{Deserialize, Serialize};
use statrs::distribution::{Binomial, DiscreteCDF};

use crate::judge::stats::as_value;

/// The probability that the true value lies under the range, and over it, each.
pub(crate) const TAIL: f64 = 0.025;
/// The quantile of a normal distribution that leaves [`TAIL`] above it.
const Z: f64 = 1.959_963_984_540_054;

/// Bounds of the true value, in the unit of the value. In JSON `[low, high]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "(f64, f64)", into = "(f64, f64)")]
pub(crate) struct Range {
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl From<(f64, f64)> for Range {
    fn from((low, high): (f64, f64)) -> Self {
        Self { low, high }
    }
}

impl From<Range> for (f64, f64) {
    fn from(Range { low, high }: Range) -> Self {
        (low, high)
    }
}

impl Range {
    /// The range, extended to contain a value.
    pub(crate) const fn holding(self, value: f64) -> Self {
        Self { low: self.low.min(value), high: self.high.max(value) }
    }

    pub(crate) const fn is_finite(self) -> bool {
        self.low.is_finite() && self.high.is_finite()
    }
}

/// The range of a share, percent. None of nothing, and none of a part that is more than the whole.
pub(crate) fn of_share(part: u64, whole: u64) -> Option<Range> {
    if whole == 0 || part > whole {
        return None;
    }
    let (n, share) = (as_value(whole), as_value(part) / as_value(whole));
    let spread = Z * Z / n;
    let middle = share + spread / 2.0;
    let reach = (spread * (share * (1.0 - share) + spread / 4.0)).sqrt();
    let at = |bound: f64| (bound / (1.0 + spread) * 100.0).clamp(0.0, 100.0);
    // Rounding must not exclude the value itself.
    Some(Range { low: at(middle - reach), high: at(middle + reach) }.holding(share * 100.0))
}

/// The range of a count of rare and independent events.
pub(crate) fn of_count(count: u64) -> Range {
    let cube = |n: f64, z: f64| n * (1.0 - 1.0 / (9.0 * n) + z / (3.0 * n.sqrt())).powi(3);
    let low = if count == 0 { 0.0 } else { cube(as_value(count), -Z).max(0.0) };
    Range { low, high: cube(as_value(count) + 1.0, Z) }.holding(as_value(count))
}

/// The ranks, from 1, whose samples bound a quantile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ranks {
    /// The truth is less than this sample with a probability of [`TAIL`] at most. 0 where that is true of no sample.
    pub(crate) low: u64,
    /// The truth is more than this sample with a probability of [`TAIL`] at most; the last where that is true of none.
    pub(crate) high: u64,
    /// Whether it is true of none: of the 99th percentile with fewer than 368 samples, of the 95th with fewer than 72.
    pub(crate) is_open: bool,
}

/// The ranks that bound a quantile; none of nothing.
pub(crate) fn ranks(quantile: f64, samples: u64) -> Option<Ranks> {
    let under = Binomial::new(quantile, samples).ok().filter(|_| samples > 0)?;
    // The truth is less than the sample of rank `r` where fewer than `r` samples lie under it, and more than it where
    // at least `r` do.
    let low = last(samples, |rank| rank == 0 || under.cdf(rank - 1) <= TAIL);
    let below_high = last(samples, |rank| rank == 0 || under.cdf(rank - 1) < 1.0 - TAIL);
    Some(Ranks { low, high: below_high.saturating_add(1).min(samples), is_open: below_high == samples })
}

/// The last rank that fulfils a condition, which 0 and all ranks before that one fulfil.
fn last(samples: u64, holds: impl Fn(u64) -> bool) -> u64 {
    let (mut least, mut most) = (0, samples);
    while least < most {
        let middle = most - (most - least) / 2;
        if holds(middle) {
            least = middle;
        } else {
            most = middle - 1;
        }
    }
    least
}

/// The probability that all samples of a soak lie under the uppermost few of another soak of the same gateway.
///
/// A range without an end does not lie under any other; its greatest sample may. This is the share of orders of both
/// soaks' samples in which the uppermost are all the other's (the exceedances of S. S. Wilks, 1942).
pub(crate) fn chance_under(samples: u64, uppermost: u64, other: u64) -> f64 {
    // With more in a row the probability is near 0.
    let uppermost = uppermost.min(other).min(1_000);
    let of_order = |n| as_value(other - n) / (as_value(samples) + as_value(other) - as_value(n));
    (0..uppermost).map(of_order).product()
}

/// The value at a rank from 1, of rising values, each with its number of samples.
pub(crate) fn at_rank(recorded: &[(u64, u64)], rank: u64) -> Option<u64> {
    let mut seen = 0_u64;
    recorded.iter().find_map(|(value, count)| {
        seen = seen.saturating_add(*count);
        (seen >= rank).then_some(*value)
    })
}

/// The possible error of a line's rise, by the distances of floors from the line: that of the difference of two floors.
pub(crate) fn of_rise(residuals: impl Iterator<Item = f64>) -> f64 {
    let (count, squares) = residuals.fold((0_u64, 0.0), |(count, sum), off| (count + 1, off.mul_add(off, sum)));
    if count == 0 { 0.0 } else { Z * (2.0 * squares / as_value(count)).sqrt() }
}
