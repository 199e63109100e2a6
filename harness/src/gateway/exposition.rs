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
                    let sums = read.histograms.entry(sample.metric).or_default();
                    for bucket in buckets.iter().filter(|b| b.count.is_finite() && !b.less_than.is_nan()) {
                        match sums.iter_mut().find(|(bound, _)| *bound == bucket.less_than) {
                            Some((_, count)) => *count += bucket.count,
                            None => sums.push((bucket.less_than, bucket.count)),
                        }
                    }
                }
                _ => {}
            }
        }
        for buckets in read.histograms.values_mut() {
            buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        (!read.values.is_empty() || !read.histograms.is_empty()).then_some(read)
    }

    /// A plain value by name.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<f64> {
        self.values.get(name).copied()
    }
}
