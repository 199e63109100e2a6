//! Metrics as JSON, found by pointers.

use serde_json::Value;

use super::{Exposition, unusable::Unusable};
use crate::gateway::dialect::MetricNames;

impl Exposition {
    /// Reads JSON, by pointers to the contract's names. A histogram is an object whose keys are upper bounds in seconds and
    /// whose values are cumulative counts; `None` where nothing of it is there.
    #[must_use]
    pub fn read_json(json: &Value, names: &MetricNames) -> Option<Self> {
        let mut read = Self::default();
        for pointer in names.names.iter().filter(|(name, _)| !names.absent.contains_key(*name)).map(|(_, at)| at) {
            let (Some(value), name) = (json.pointer(pointer), pointer.clone()) else { continue };
            if let Some(value) = value.as_f64().filter(|value| value.is_finite()) {
                read.values.insert(name, value);
                continue;
            }
            match value.as_object().and_then(buckets) {
                Some(buckets) => {
                    read.histograms.insert(name, buckets);
                }
                None => {
                    read.unusable.insert(name, Unusable::NoNumber);
                }
            }
        }
        (!read.values.is_empty() || !read.histograms.is_empty() || !read.unusable.is_empty()).then_some(read)
    }
}

fn buckets(object: &serde_json::Map<String, Value>) -> Option<Vec<(f64, f64)>> {
    let bound = |text: &str| text.trim_start_matches('+').parse::<f64>().ok().filter(|bound| !bound.is_nan());
    let buckets = object.iter().take(Exposition::SERIES_MAX);
    let mut buckets: Vec<(f64, f64)> =
        buckets.map(|(le, count)| Some((bound(le)?, count.as_f64()?))).collect::<Option<_>>()?;
    buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
    buckets.dedup_by(|next, kept| next.0 == kept.0);
    Some(buckets)
}
