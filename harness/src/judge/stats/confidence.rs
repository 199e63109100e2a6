//! Where the true value lies: the noise of a value, from the samples that it rests on.
//!
//! A value is what was seen in one soak; another soak of the same gateway sees another. A range holds what the gateway
//! truly does with a confidence of 95 %, two-sided:
//!
//! - **Shares**: the score interval (E. B. Wilson, *Probable inference, the law of succession, and statistical inference*,
//!   1927). Unlike the textbook's it does not shrink to nothing where all went well.
//! - **Quantiles**: the samples at two ranks, which bound the quantile whatever the distribution: so many of `n` samples
//!   lie under it as coins that fall with its share (H. A. David and H. N. Nagaraja, *Order Statistics*, 2003, 7.1). Where the gateway tells
//!   buckets and not samples, the bounds of those that the two ranks fall into.
//! - **Counts that should be 0**: so many more or fewer would come in a soak of the same length, by Byar's formula for the
//!   exact Poisson limits (N. E. Breslow and N. E. Day, *Statistical Methods in Cancer Research II*, 1987, 2.3). The
//!   value alone would be no range: a gateway that duplicates twice in a soak does so not at all in one of seven.
//! - **Drifts**: how far floors lie off their line. Neighbouring floors are near to each other, so that many are worth no
//!   more than a few, and each end of the line is held to be as uncertain as a single floor.
//! - **The slowest** of a few, and the clock's drift, have none: the greatest of some samples says nothing of the greatest
//!   of others.
//!
//! Shares and quantiles hold samples to be independent of each other. Where they come in clusters, as the probes of one
//! outage do, the truth lies in a wider range.

use serde::{Deserialize, Serialize};
use statrs::distribution::{Binomial, DiscreteCDF};

/// Under the range, and over it, the true value lies with this probability each.
pub(in crate::judge) const TAIL: f64 = 0.025;
/// The quantile of a normal distribution that leaves [`TAIL`] above it.
const Z: f64 = 1.959_963_984_540_054;

/// Bounds of the true value, in the unit of the value. In JSON `[low, high]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "(f64, f64)", into = "(f64, f64)")]
pub struct Range {
    /// The truth is not less.
    pub low: f64,
    /// The truth is not more.
    pub high: f64,
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
    /// The range, or as much more as it takes to hold a value.
    pub(in crate::judge) const fn holding(self, value: f64) -> Self {
        Self { low: self.low.min(value), high: self.high.max(value) }
    }

    /// Whether both ends are numbers.
    pub(in crate::judge) const fn is_finite(self) -> bool {
        self.low.is_finite() && self.high.is_finite()
    }
}

/// Of a share, percent. None of nothing, and none of a part that is more than the whole.
pub(in crate::judge) fn of_share(part: u64, whole: u64) -> Option<Range> {
    if whole == 0 || part > whole {
        return None;
    }
    let (n, share) = (whole as f64, part as f64 / whole as f64);
    let spread = Z * Z / n;
    let middle = share + spread / 2.0;
    let reach = (spread * (share * (1.0 - share) + spread / 4.0)).sqrt();
    let at = |bound: f64| (bound / (1.0 + spread) * 100.0).clamp(0.0, 100.0);
    // Rounding must not take the value itself out of it.
    Some(Range { low: at(middle - reach), high: at(middle + reach) }.holding(share * 100.0))
}

/// Of a count of things that come rarely and independently.
pub(in crate::judge) fn of_count(count: u64) -> Range {
    let cube = |n: f64, z: f64| n * (1.0 - 1.0 / (9.0 * n) + z / (3.0 * n.sqrt())).powi(3);
    let low = if count == 0 { 0.0 } else { cube(count as f64, -Z).max(0.0) };
    Range { low, high: cube(count as f64 + 1.0, Z) }.holding(count as f64)
}

/// The ranks, from 1, whose samples bound a quantile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::judge) struct Ranks {
    /// The truth is less than this sample with a probability of [`TAIL`] at most. 0 where that can be said of no sample.
    pub(in crate::judge) low: u64,
    /// The truth is more than this sample with a probability of [`TAIL`] at most; or the last, where that can be said of
    /// none.
    pub(in crate::judge) high: u64,
    /// Whether it can be said of none: of the 99th percentile with fewer than 368 samples, of the 95th with fewer than 72.
    pub(in crate::judge) is_open: bool,
}

/// Which ranks of so many samples bound a quantile; none of nothing.
pub(in crate::judge) fn ranks(quantile: f64, samples: u64) -> Option<Ranks> {
    let under = Binomial::new(quantile, samples).ok().filter(|_| samples > 0)?;
    // The truth is less than the sample of rank `r` where fewer than `r` samples lie under it, and more than it where at
    // least `r` do.
    let low = last(samples, |rank| rank == 0 || under.cdf(rank - 1) <= TAIL);
    let below_high = last(samples, |rank| rank == 0 || under.cdf(rank - 1) < 1.0 - TAIL);
    Some(Ranks { low, high: below_high.saturating_add(1).min(samples), is_open: below_high == samples })
}

/// The last rank of which something holds that holds of every rank before it, and of 0.
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

/// How likely it is that this many samples, all of a soak, lie under the uppermost few of another of the same gateway.
///
/// A range without an end does not lie under any other; its greatest sample may. Of all orders that two soaks' samples may
/// come in, those count in which the uppermost are all the other's (the exceedances of S. S. Wilks, 1942).
pub(in crate::judge) fn chance_under(samples: u64, uppermost: u64, other: u64) -> f64 {
    // No chance of more than this many in a row is worth knowing.
    let uppermost = uppermost.min(other).min(1_000);
    (0..uppermost).map(|n| (other - n) as f64 / (samples as f64 + other as f64 - n as f64)).product()
}

/// The value at a rank from 1, of values that rise, each with how many samples there are of it.
pub(in crate::judge) fn at_rank(recorded: &[(u64, u64)], rank: u64) -> Option<u64> {
    let mut seen = 0_u64;
    recorded.iter().find_map(|(value, count)| {
        seen = seen.saturating_add(*count);
        (seen >= rank).then_some(*value)
    })
}

/// How far a line's rise may be off, by how far floors lie off the line: as far as the difference of two single ones.
pub(in crate::judge) fn of_rise(residuals: impl Iterator<Item = f64>) -> f64 {
    let (count, squares) = residuals.fold((0_u64, 0.0), |(count, sum), off| (count + 1, off.mul_add(off, sum)));
    if count == 0 { 0.0 } else { Z * (2.0 * squares / count as f64).sqrt() }
}
