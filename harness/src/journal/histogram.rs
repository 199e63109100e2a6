//! A latency histogram that travels in JSON: `hdrhistogram`'s own V2 serialisation, in base64.

use base64::{Engine, engine::general_purpose::STANDARD};
use hdrhistogram::{
    Histogram,
    serialization::{Deserializer, Serializer, V2Serializer},
};
use serde::{Deserialize, Serialize, de, ser};

/// Three significant digits: a value is known to within a thousandth, so that a gateway just under a target stays under it.
const SIGNIFICANT_DIGITS: u8 = 3;
/// One hour in microseconds. What takes longer is recorded as this long.
const VALUE_US_MAX: u64 = 3_600_000_000;

/// Latencies in microseconds, to within a thousandth, up to an hour.
#[derive(Debug, Clone, PartialEq)]
pub struct LatencyHistogram(Histogram<u64>);

/// What stands in a journal is not a histogram.
#[derive(Debug, thiserror::Error)]
pub enum HistogramError {
    /// Not base64.
    #[error("a histogram is not base64: {0}")]
    Base64(#[from] base64::DecodeError),
    /// Not a serialised histogram.
    #[error("a histogram cannot be read: {0}")]
    Format(String),
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
        // Buckets are allocated as values ask for them: most histograms never see more than a second.
        Self::with_room(2)
    }

    /// An empty histogram with room for every value at once: for one that is kept for hours, so that a late slow sample
    /// does not look like a leak of ours. Pages that no value falls in are never touched, and so take no memory.
    #[must_use]
    pub fn roomy() -> Self {
        Self::with_room(VALUE_US_MAX)
    }

    fn with_room(value_us_max: u64) -> Self {
        let histogram = Histogram::new_with_bounds(1, value_us_max, SIGNIFICANT_DIGITS);
        let mut histogram = histogram.expect("the bounds are constants that hdrhistogram takes");
        histogram.auto(true);
        Self(histogram)
    }

    /// Takes in a sample.
    pub fn record(&mut self, value_us: u64) {
        // Not `saturating_record`, which clamps to what there is room for rather than make room.
        let recorded = self.0.record(value_us.clamp(1, VALUE_US_MAX));
        recorded.expect("a histogram that resizes has room for every value up to an hour");
    }

    /// Takes in all samples of another.
    pub fn merge(&mut self, other: &Self) {
        self.0.add(&other.0).expect("both histograms have the same bounds");
    }

    /// How many samples there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The nearest-rank quantile in microseconds (the least sample that at least this share of all samples does not
    /// exceed), rounded up within the histogram's thousandth but never above the greatest sample. Few samples are
    /// judged by their worst. 0 where there are no samples.
    #[must_use]
    pub fn quantile_us(&self, quantile: f64) -> u64 {
        // Of the quantile 0 alone, hdrhistogram gives the lower end of the bucket.
        self.0.value_at_quantile(quantile.max(f64::MIN_POSITIVE)).min(self.max_us())
    }

    /// The greatest sample in microseconds, rounded up within a thousandth; 0 where there are none.
    #[must_use]
    pub fn max_us(&self) -> u64 {
        if self.0.is_empty() { 0 } else { self.0.max() }
    }

    /// How many samples are above a limit.
    #[must_use]
    pub fn count_above(&self, limit_us: u64) -> u64 {
        if limit_us >= VALUE_US_MAX {
            return 0;
        }
        self.0.iter_recorded().filter(|v| v.value_iterated_to() > limit_us).map(|v| v.count_at_value()).sum()
    }

    fn encode(&self) -> Result<String, String> {
        let mut bytes = Vec::new();
        V2Serializer::new().serialize(&self.0, &mut bytes).map_err(|e| e.to_string())?;
        Ok(STANDARD.encode(bytes))
    }

    fn decode(text: &str) -> Result<Self, HistogramError> {
        let bytes = STANDARD.decode(text)?;
        let histogram: Histogram<u64> = Deserializer::new()
            .deserialize(&mut bytes.as_slice())
            .map_err(|e| HistogramError::Format(format!("{e:?}")))?;
        // A merge must never fail, so only histograms of our own shape are let in.
        let mut ours = Self::new();
        ours.0.add(&histogram).map_err(|e| HistogramError::Format(format!("{e:?}")))?;
        Ok(ours)
    }
}

impl Serialize for LatencyHistogram {
    fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.encode().map_err(ser::Error::custom)?)
    }
}

impl<'de> Deserialize<'de> for LatencyHistogram {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::decode(&text).map_err(de::Error::custom)
    }
}
