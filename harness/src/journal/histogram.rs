//! A latency histogram that travels in JSON: `hdrhistogram`'s own V2 serialisation, in base64.

use std::{borrow::Cow, fmt::Display};

use base64::{Engine, engine::general_purpose::STANDARD};
use hdrhistogram::{
    Histogram,
    serialization::{Serializer, V2Serializer},
};
use serde::{Deserialize, Serialize, de, ser};

use super::packed;

/// A value is known to within a thousandth, so that a gateway just under a target stays under it.
const SIGNIFICANT_DIGITS: u8 = 3;
/// One hour in microseconds. What takes longer is recorded as this long.
const VALUE_US_MAX: u64 = 3_600_000_000;

/// With more different values, buckets are counted.
const FEW_MAX: usize = 256;

/// Latencies in microseconds, to within a thousandth, up to an hour.
#[derive(Debug, Clone)]
pub struct LatencyHistogram(Shape);

#[derive(Debug, Clone)]
enum Shape {
    /// All buckets. It takes in samples.
    Open(Histogram<u64>),
    /// The recorded values, rising, with their counts. All buckets (100 kB) for a dozen samples, made and dropped with
    /// each interval, would leave holes in the heap that look like a leak of S2's.
    Few(Vec<(u64, u64)>),
}

impl Default for LatencyHistogram {
    fn default() -> Self {
        Self::new()
    }
}

impl LatencyHistogram {
    /// An empty histogram.
    #[must_use]
    pub fn new() -> Self {
        Self(Shape::Few(Vec::new()))
    }

    /// An empty histogram with room for all values: kept for hours, it does not grow with a late slow sample, which
    /// would look like a leak of S2's. Pages without a value are never touched, and so take no memory.
    #[must_use]
    pub fn with_capacity() -> Self {
        Self(Shape::Open(with_room(VALUE_US_MAX)))
    }

    /// Takes in a sample.
    pub fn record(&mut self, value_us: u64) {
        self.record_n(value_us, 1);
    }

    /// Takes in `n` equal samples.
    pub fn record_n(&mut self, value_us: u64, n: u64) {
        if n == 0 {
            return;
        }
        let value_us = value_us.clamp(1, VALUE_US_MAX);
        if let Shape::Few(recorded) = &mut self.0 {
            match recorded.binary_search_by_key(&value_us, |(value_us, _)| *value_us) {
                Ok(at) => return recorded[at].1 = recorded[at].1.saturating_add(n),
                Err(at) if recorded.len() < FEW_MAX => return recorded.insert(at, (value_us, n)),
                Err(_) => {}
            }
        }
        // Not `saturating_record`, which clamps instead of making room.
        add(self.open(), value_us, n);
    }

    /// Adds all samples of another; none where the sum would overflow.
    pub fn merge(&mut self, other: &Self) {
        let all = self.open();
        if all.len().checked_add(other.len()).is_none() {
            return;
        }
        match &other.0 {
            Shape::Open(other) => all.add(other).expect("both histograms have the same bounds"),
            // From the greatest, so that room is made once.
            Shape::Few(recorded) => recorded.iter().rev().for_each(|(value_us, n)| add(all, *value_us, *n)),
        }
    }

    /// How many samples there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        match &self.0 {
            Shape::Open(histogram) => histogram.len(),
            Shape::Few(recorded) => recorded.iter().fold(0, |sum: u64, (_, n)| sum.saturating_add(*n)),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The nearest-rank quantile in microseconds (the least sample that at least this share of samples does not
    /// exceed), rounded up within a thousandth, but not above the greatest sample. 0 where there are no samples.
    #[must_use]
    pub fn quantile_us(&self, quantile: f64) -> u64 {
        // For the quantile 0 alone, hdrhistogram gives the lower end of the bucket.
        let histogram = self.histogram();
        histogram.value_at_quantile(quantile.max(f64::MIN_POSITIVE)).min(histogram.max())
    }

    /// The greatest sample in microseconds, rounded up within a thousandth; 0 where there are none.
    #[must_use]
    pub fn max_us(&self) -> u64 {
        self.histogram().max()
    }

    /// The recorded values in microseconds, rising, with their counts.
    #[must_use]
    pub fn recorded(&self) -> Vec<(u64, u64)> {
        match &self.0 {
            Shape::Open(histogram) => {
                histogram.iter_recorded().map(|v| (v.value_iterated_to(), v.count_at_value())).collect()
            }
            Shape::Few(recorded) => recorded.clone(),
        }
    }

    /// How many samples are above a limit.
    #[must_use]
    pub fn count_above(&self, limit_us: u64) -> u64 {
        if limit_us >= VALUE_US_MAX {
            return 0;
        }
        self.histogram().iter_recorded().filter(|v| v.value_iterated_to() > limit_us).map(|v| v.count_at_value()).sum()
    }

    /// All buckets, to look at.
    fn histogram(&self) -> Cow<'_, Histogram<u64>> {
        match &self.0 {
            Shape::Open(histogram) => Cow::Borrowed(histogram),
            Shape::Few(recorded) => Cow::Owned(unfolded(recorded)),
        }
    }

    /// All buckets, to add to.
    fn open(&mut self) -> &mut Histogram<u64> {
        if let Shape::Few(recorded) = &self.0 {
            self.0 = Shape::Open(unfolded(recorded));
        }
        let Shape::Open(histogram) = &mut self.0 else { unreachable!("it has just been opened") };
        histogram
    }
}

/// Histograms with the same samples are equal in either shape.
impl PartialEq for LatencyHistogram {
    fn eq(&self, other: &Self) -> bool {
        self.histogram() == other.histogram()
    }
}

fn with_room(value_us_max: u64) -> Histogram<u64> {
    let histogram = Histogram::new_with_bounds(1, value_us_max, SIGNIFICANT_DIGITS);
    let mut histogram = histogram.expect("the bounds are constants that hdrhistogram takes");
    histogram.auto(true);
    histogram
}

fn unfolded(recorded: &[(u64, u64)]) -> Histogram<u64> {
    let mut histogram = with_room(2);
    recorded.iter().rev().for_each(|(value_us, n)| add(&mut histogram, *value_us, *n));
    histogram
}

fn add(histogram: &mut Histogram<u64>, value_us: u64, n: u64) {
    let recorded = histogram.record_n(value_us, n);
    recorded.expect("a histogram that resizes has room for every value up to an hour");
}

impl Serialize for LatencyHistogram {
    fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::new();
        V2Serializer::new().serialize(&*self.histogram(), &mut bytes).map_err(ser::Error::custom)?;
        serializer.serialize_str(&STANDARD.encode(bytes))
    }
}

impl<'de> Deserialize<'de> for LatencyHistogram {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let custom = |what: &str, why: &dyn Display| de::Error::custom(format!("a histogram {what}: {why}"));
        let bytes = STANDARD.decode(String::deserialize(deserializer)?);
        let bytes = bytes.map_err(|e| custom("is not base64", &e))?;
        let recorded = packed::read(&bytes, VALUE_US_MAX).map_err(|why| custom("cannot be read", &why))?;
        Ok(Self(Shape::Few(recorded)))
    }
}
