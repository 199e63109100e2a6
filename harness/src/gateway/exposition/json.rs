//! Metrics as JSON, found by pointers.

use serde_json::Value;

use super::{Exposition, unusable::Unusable};
use crate::gateway::dialect::MetricNames;

impl Exposition {
    /// Reads JSON by pointers, if any leads to a value. A histogram maps upper bounds in seconds to cumulative counts.
    pub(crate) fn read_json(json: &Value, names: &MetricNames) -> Option<Self> {
        let mut read = Self::default();
        for (_, pointer) in names.names.iter().filter(|(name, _)| !names.absent.contains_key(*name)) {
            let (Some(value), name) = (json.pointer(pointer), pointer.clone()) else { continue };
            if let Some(value) = value.as_f64().filter(|value| value.is_finite()) {
                read.values.insert(name, value);
                continue;
            }
            match value.as_object().and_then(buckets) {
                Some(buckets) => drop(read.histograms.insert(name, buckets)),
                None => drop(read.unusable.insert(name, Unusable::NoNumber)),
            }
        }
        (!read.values.is_empty() || !read.histograms.is_empty() || !read.unusable.is_empty()).then_some(read)
    }
}

fn buckets(object: &serde_json::Map<String, Value>) -> Option<Vec<(f64, f64)>> {
    let bound = |text: &str| text.trim_start_matches('+').parse::<f64>().ok().filter(|bound| !bound.is_nan());
    let buckets = object.iter().take(Exposition::SERIES_MAX);
    let buckets = buckets.map(|(le, count)| Some((bound(le)?, count.as_f64()?)));
    let mut buckets = buckets.collect::<Option<Vec<_>>>()?;
    buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
    buckets.dedup_by(|next, kept| next.0 == kept.0);
    Some(buckets)
}
