//! The gateway's metrics: Prometheus text, reduced to plain values and histograms.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
};

use prometheus_parse::{Scrape, Value as Sample};
use serde_json::Value;

use super::dialect::MetricNames;

/// A scrape: names to values. Series that differ only in their labels are added up.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Exposition {
    /// Counters, gauges and untyped values.
    pub values: BTreeMap<String, f64>,
    /// Histograms, as cumulative counts by upper bound in the metric's own unit.
    pub histograms: BTreeMap<String, Vec<(f64, f64)>>,
    /// Names that are there, and of which nothing can be taken: why.
    pub unusable: BTreeMap<String, Unusable>,
    /// Whether there was more than is looked at.
    pub is_cut: bool,
}

/// So many names that cannot be used are told.
const UNUSABLE_MAX: usize = 256;

/// Why nothing can be taken of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unusable {
    /// The same series comes twice.
    Twice,
    /// A value is not a number, or not a finite one.
    NoNumber,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Twice => "has a series twice",
            Self::NoNumber => "has a value that is no finite number",
        })
    }
}

impl Exposition {
    /// More series than this in one scrape are not looked at, the buckets of histograms among them.
    pub const SERIES_MAX: usize = 20_000;

    /// Reads the text; lines that are no metrics are passed over, `None` where none of them is one.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let mut read =
            Self { is_cut: text.lines().filter_map(series).nth(Self::SERIES_MAX).is_some(), ..Self::default() };
        let mut room = Self::SERIES_MAX;
        // Comments come with series; more than a few for each are of no use to anybody.
        let lines = text.lines().take(Self::SERIES_MAX * 3).take_while(move |line| {
            let is_series = series(line).is_some();
            let fits = room > 0 || !is_series;
            room = room.saturating_sub(usize::from(is_series));
            fits
        });
        read.look_for_repeated(lines.clone());
        let scrape = Scrape::parse(lines.map(|line| Ok(line.to_owned()))).ok()?;
        for sample in scrape.samples {
            match sample.value {
                Sample::Counter(v) | Sample::Gauge(v) | Sample::Untyped(v) if v.is_finite() => {
                    *read.values.entry(sample.metric).or_default() += v;
                }
                Sample::Counter(_) | Sample::Gauge(_) | Sample::Untyped(_) => {
                    read.cannot_use(sample.metric, Unusable::NoNumber);
                }
                Sample::Histogram(buckets) if buckets.iter().all(|b| b.count.is_finite() && !b.less_than.is_nan()) => {
                    let all = read.histograms.entry(sample.metric).or_default();
                    all.extend(buckets.iter().map(|bucket| (bucket.less_than, bucket.count)));
                }
                Sample::Histogram(_) => read.cannot_use(sample.metric, Unusable::NoNumber),
                Sample::Summary(_) => {}
            }
        }
        // A sum over some of its series would be a number of nothing, and what adds up to more than a number can be is none.
        let (values, histograms, unusable) = (&mut read.values, &mut read.histograms, &read.unusable);
        values.retain(|name, value| value.is_finite() && !unusable.contains_key(name));
        histograms.retain(|name, _| !unusable.contains_key(name));
        for buckets in histograms.values_mut() {
            buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
            buckets.dedup_by(|next, sum| {
                let is_same = next.0 == sum.0;
                sum.1 += if is_same { next.1 } else { 0.0 };
                is_same
            });
            buckets.retain(|(_, count)| count.is_finite());
        }
        (!read.values.is_empty() || !read.histograms.is_empty() || !read.unusable.is_empty()).then_some(read)
    }

    /// Looks for series that come twice: which of the two is right, nobody knows.
    fn look_for_repeated<'a>(&mut self, lines: impl Iterator<Item = &'a str>) {
        let mut seen = HashSet::new();
        for series in lines.filter_map(series) {
            if !seen.insert(series) {
                let name = series.split('{').next().unwrap_or(series).trim_end();
                // Of a histogram it is told under the name of the whole.
                self.cannot_use(name.strip_suffix("_bucket").unwrap_or(name).to_owned(), Unusable::Twice);
            }
        }
    }

    fn cannot_use(&mut self, name: String, why: Unusable) {
        if self.unusable.len() < UNUSABLE_MAX {
            self.unusable.entry(name).or_insert(why);
        }
    }

    /// Reads JSON, by pointers to the contract's names. A histogram is an object whose keys are upper bounds in seconds and
    /// whose values are cumulative counts; `None` where nothing of it is there.
    #[must_use]
    pub fn read_json(json: &Value, names: &MetricNames) -> Option<Self> {
        let mut read = Self::default();
        for pointer in names.names.iter().filter(|(name, _)| !names.absent.contains_key(*name)).map(|(_, at)| at) {
            let (Some(value), name) = (json.pointer(pointer), pointer.clone()) else { continue };
            if let Some(value) = value.as_f64().filter(|value| value.is_finite()) {
                read.values.insert(name, value);
            } else if let Some(buckets) = value.as_object() {
                let bound =
                    |text: &str| text.trim_start_matches('+').parse::<f64>().ok().filter(|bound| !bound.is_nan());
                let buckets: Option<Vec<(f64, f64)>> = buckets
                    .iter()
                    .take(Self::SERIES_MAX)
                    .map(|(le, count)| Some((bound(le)?, count.as_f64()?)))
                    .collect();
                match buckets {
                    Some(mut buckets) => {
                        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
                        buckets.dedup_by(|next, kept| next.0 == kept.0);
                        read.histograms.insert(name, buckets);
                    }
                    None => read.cannot_use(name, Unusable::NoNumber),
                }
            } else {
                read.cannot_use(name, Unusable::NoNumber);
            }
        }
        (!read.values.is_empty() || !read.histograms.is_empty() || !read.unusable.is_empty()).then_some(read)
    }

    /// The same under the contract's names, where the gateway has others.
    #[must_use]
    pub fn under(mut self, names: &MetricNames) -> Self {
        let renamed = names.names.iter().filter(|(ours, theirs)| ours != theirs);
        for (ours, theirs) in renamed {
            let (values, histograms, unusable) = (&mut self.values, &mut self.histograms, &mut self.unusable);
            let _ = values.remove(theirs).map(|value| values.insert(ours.clone(), value));
            let _ = histograms.remove(theirs).map(|buckets| histograms.insert(ours.clone(), buckets));
            let _ = unusable.remove(theirs).map(|why| unusable.insert(ours.clone(), why));
        }
        self
    }

    /// A plain value by name.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<f64> {
        self.values.get(name).copied()
    }
}

/// Name and labels of a line, as they stand there; none where it is no sample.
fn series(line: &str) -> Option<&str> {
    let line = line.trim_start();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let name_ends = line.find(|c: char| c == '{' || c.is_whitespace())?;
    let ends = if line[name_ends..].starts_with('{') { line.rfind('}')? + 1 } else { name_ends };
    Some(&line[..ends])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unusable(text: &str) -> Vec<(String, Unusable)> {
        Exposition::read(text).unwrap().unusable.into_iter().collect()
    }

    #[test]
    fn series_of_different_labels_are_added_up_and_the_same_series_twice_is_none() {
        let read = Exposition::read("a{x=\"1\"} 1\na{x=\"2\"} 2\nb 1\nb 1\nc{x=\"1=2\"} 5\nc{x=\"1=3\"} 6\n").unwrap();
        assert_eq!((Some(3.0), None, Some(11.0)), (read.value("a"), read.value("b"), read.value("c")));
        assert_eq!(BTreeMap::from([("b".to_owned(), Unusable::Twice)]), read.unusable);
        assert_eq!(
            vec![("d".to_owned(), Unusable::Twice)],
            unusable("d{x=\"1\"} 1\nd{x=\"2\"} 1\nd{x=\"1\"} 3 1700000000000\n")
        );
    }

    #[test]
    fn a_value_that_is_no_finite_number_makes_the_whole_name_unusable() {
        let text = "a NaN\nb{x=\"1\"} +Inf\nb{x=\"2\"} 1\nc -Inf\nd 1\n";
        let names = ["a", "b", "c"].map(|name| (name.to_owned(), Unusable::NoNumber));
        assert_eq!(names.to_vec(), unusable(text));
        assert_eq!(Some(1.0), Exposition::read(text).unwrap().value("d"));
        assert_eq!(vec![("a".to_owned(), Unusable::NoNumber)], unusable("a NaN\n"), "and is no lack of metrics");
    }

    #[test]
    fn a_histogram_is_used_whole_or_not_at_all() {
        let buckets = |first: &str, last: &str| {
            format!("# TYPE h histogram\nh_bucket{{le=\"0.1\"}} {first}\nh_bucket{{le=\"+Inf\"}} 7\n{last}h_count 7\n")
        };
        let read = Exposition::read(&buckets("3", "")).unwrap();
        assert_eq!(vec![(0.1, 3.0), (f64::INFINITY, 7.0)], read.histograms["h"]);
        assert_eq!(vec![("h".to_owned(), Unusable::NoNumber)], unusable(&buckets("NaN", "")));
        assert_eq!(vec![("h".to_owned(), Unusable::Twice)], unusable(&buckets("3", "h_bucket{le=\"+Inf\"} 9\n")));
    }

    #[test]
    fn of_many_series_the_first_are_taken_and_the_others_said_to_be_there() {
        let text = |series: usize| (0..series).map(|n| format!("# HELP a b\na{{n=\"{n}\"}} 1\n")).collect::<String>();
        let read = |series| Exposition::read(&text(series)).map(|read| (read.value("a"), read.is_cut));
        assert_eq!(Some((Some(20_000.0), false)), read(Exposition::SERIES_MAX));
        assert_eq!(Some((Some(20_000.0), true)), read(Exposition::SERIES_MAX + 5));
    }

    #[test]
    fn a_type_that_nobody_knows_is_none_and_what_is_no_metric_is_passed_over() {
        let read = Exposition::read("# TYPE a elephant\na 4\n<html>\n{} 5\n= 6\n\u{1b}[2J\nb{x=\"}\"} 7\n").unwrap();
        assert_eq!((Some(4.0), 1), (read.value("a"), read.values.len()));
        assert_eq!(None, Exposition::read("<html>\n<body>no</body>\n"));
    }
}
