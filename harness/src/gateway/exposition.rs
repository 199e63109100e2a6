//! The gateway's metrics: Prometheus text, reduced to plain values and histograms.

use std::collections::BTreeMap;

use prometheus_parse::{Scrape, Value};

/// A scrape: names to values. Series that differ only in their labels are added up.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Exposition {
    /// Counters, gauges and untyped values.
    pub values: BTreeMap<String, f64>,
    /// Histograms, as cumulative counts by upper bound in the metric's own unit.
    pub histograms: BTreeMap<String, Vec<(f64, f64)>>,
}

/// More series than this in one scrape are not looked at.
const SERIES_MAX: usize = 20_000;

impl Exposition {
    /// Reads the text; lines that are no metrics are passed over, `None` where none of them is one.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let lines = text.lines().take(SERIES_MAX * 3).map(|line| Ok(line.to_owned()));
        let scrape = Scrape::parse(lines).ok()?;
        let mut read = Self::default();
        for sample in scrape.samples.into_iter().take(SERIES_MAX) {
            match sample.value {
                Value::Counter(v) | Value::Gauge(v) | Value::Untyped(v) if v.is_finite() => {
                    *read.values.entry(sample.metric).or_default() += v;
                }
                Value::Histogram(buckets) => {
                    let buckets = buckets.iter().filter(|b| b.count.is_finite() && !b.less_than.is_nan());
                    let all = read.histograms.entry(sample.metric).or_default();
                    all.extend(buckets.map(|bucket| (bucket.less_than, bucket.count)));
                }
                _ => {}
            }
        }
        // What adds up to more than a number can be says nothing.
        read.values.retain(|_, value| value.is_finite());
        for buckets in read.histograms.values_mut() {
            buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
            buckets.dedup_by(|next, sum| {
                let is_same = next.0 == sum.0;
                sum.1 += if is_same { next.1 } else { 0.0 };
                is_same
            });
            buckets.retain(|(_, count)| count.is_finite());
        }
        (!read.values.is_empty() || !read.histograms.is_empty()).then_some(read)
    }

    /// A plain value by name.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<f64> {
        self.values.get(name).copied()
    }
}
