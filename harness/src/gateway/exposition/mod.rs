//! The gateway's metrics, from Prometheus text, OpenMetrics or JSON: plain values and histograms.

#[cfg(test)]
mod client_tests;
mod families;
#[cfg(test)]
mod fuzz_tests;
mod json;
mod line;
mod number;
#[cfg(test)]
mod reference_tests;
#[cfg(test)]
mod tests;
mod unusable;

use std::collections::{BTreeMap, BTreeSet};

use families::Families;
use line::{Malformed, SampleLine};
pub use unusable::{UnreadLine, UnreadLines, Unusable};

use super::{
    Answer,
    dialect::MetricNames,
    heap::{Heap, HeapReader},
};

/// A scrape: values by name. Series that differ only in their labels are added up.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Exposition {
    /// Counters, gauges and untyped values.
    pub(crate) values: BTreeMap<String, f64>,
    /// Histograms, as cumulative counts by upper bound in the metric's own unit.
    pub(crate) histograms: BTreeMap<String, Vec<(f64, f64)>>,
    /// Metrics that cannot be used, with the reasons.
    pub(crate) unusable: BTreeMap<String, Unusable>,
    /// Gauges that are declared and have no series.
    pub(crate) empty_gauges: BTreeSet<String>,
    pub(crate) unread: UnreadLines,
    /// Whether a part of the text was not read.
    pub(crate) is_cut: bool,
    /// The heap of the gateway's runtime, where its metrics show it.
    pub(crate) heap: Option<Heap>,
}

/// Gauges that count. A gateway may remove the series of a label while it counts nothing.
const COUNTING_GAUGES: [&str; 3] = ["run_queue_depth", "runs_concurrent_gauge", "sse_active_connections"];

/// Maximum number of lines of a sample with line feeds in a label value.
const LINES_OF_A_SAMPLE_MAX: usize = 4;
/// Lines for each series, with its comments. A text with more lines for the maximum of series is cut.
const COMMENTS_OF_A_SERIES_MAX: usize = 4;

impl Exposition {
    /// Maximum number of series in one scrape, with the buckets of histograms. Further ones are not read.
    pub(crate) const SERIES_MAX: usize = 20_000;

    /// Reads the metrics in an answer, in a dialect's form, under the contract's names; `None` where there are none.
    pub(crate) fn of(answer: &Answer, names: &MetricNames) -> Option<Self> {
        let read = if names.is_json { Self::read_json(&answer.json()?, names) } else { Self::read(&answer.text()) };
        read.map(|read| read.under(names))
    }

    /// Reads a text of either format; `None` where no line of it is a sample.
    pub(crate) fn read(text: &str) -> Option<Self> {
        // Some write a byte order mark before all else.
        let text = text.trim_start_matches('\u{feff}');
        let (mut families, mut unread) = (Families::default(), UnreadLines::default());
        let (mut series, mut is_cut) = (0, false);
        let mut heap = HeapReader::default();
        for (number, line, read) in (TextLines { text, at: 0, count: 0 }) {
            match read {
                Ok(SampleLine::Nothing) => {}
                Ok(SampleLine::Type(name, kind)) => families.type_of(name, kind),
                Ok(SampleLine::Sample(sample)) if series < Self::SERIES_MAX => {
                    series += 1;
                    heap.absorb(&sample.name, sample.value.unwrap_or(f64::NAN), |label| {
                        sample.labels.iter().find(|(name, _)| name == label).map(|(_, value)| value.as_ref())
                    });
                    families.sample(sample);
                }
                Ok(SampleLine::Sample(_)) => is_cut = true,
                Err(Malformed { name, why, .. }) => {
                    let malformed = UnreadLine::new(number, line, why);
                    if let Some(name) = name {
                        families.unread(&name, malformed.clone());
                    }
                    unread.add(malformed);
                }
            }
            is_cut |= number > Self::SERIES_MAX * COMMENTS_OF_A_SERIES_MAX;
            if is_cut {
                break;
            }
        }
        (series > 0).then(|| Self { unread, is_cut, heap: heap.heap(), ..families.finish() })
    }

    /// The same metrics under the contract's names.
    fn under(mut self, names: &MetricNames) -> Self {
        let renamed = names.names.iter().filter(|(ours, theirs)| ours != theirs);
        for (ours, theirs) in renamed {
            // A metric of the contract's name is another one here.
            self.empty_gauges.remove(ours);
            let (values, histograms, unusable) = (&mut self.values, &mut self.histograms, &mut self.unusable);
            let _ = values.remove(theirs).map(|value| values.insert(ours.clone(), value));
            let per_second = per_second(theirs);
            let _ = histograms.remove(theirs).map(|mut buckets| {
                buckets.iter_mut().for_each(|(bound, _)| *bound /= per_second);
                histograms.insert(ours.clone(), buckets)
            });
            let _ = unusable.remove(theirs).map(|why| unusable.insert(ours.clone(), why));
            if self.empty_gauges.remove(theirs) {
                self.empty_gauges.insert(ours.clone());
            }
        }
        // If the text was cut, their series may be in the rest.
        for name in COUNTING_GAUGES.iter().filter(|name| !self.is_cut && self.empty_gauges.contains(**name)) {
            if !self.unusable.contains_key(*name) {
                self.values.entry((*name).to_owned()).or_insert(0.0);
            }
        }
        if self.heap.is_none() {
            // By the contract's names, to which a dialect may map its own.
            let mut heap = HeapReader::default();
            self.values.iter().for_each(|(name, value)| heap.absorb(name, *value, |_| None));
            self.heap = heap.heap();
        }
        self
    }

    pub(crate) fn value(&self, name: &str) -> Option<f64> {
        self.values.get(name).copied()
    }
}

/// The number of a metric's units in a second, by its name: the contract's histograms are in seconds.
fn per_second(name: &str) -> f64 {
    let units =
        [("milliseconds", 1e3), ("millis", 1e3), ("ms", 1e3), ("microseconds", 1e6), ("us", 1e6), ("nanoseconds", 1e9)];
    let unit = units.iter().find(|(unit, _)| name.strip_suffix(unit).is_some_and(|rest| rest.ends_with('_')));
    unit.map_or(1.0, |(_, per_second)| *per_second)
}

/// The lines of a text, as they are taken.
struct TextLines<'a> {
    text: &'a str,
    /// The beginning of the next one.
    at: usize,
    /// Number of lines that were taken.
    count: usize,
}

impl<'a> Iterator for TextLines<'a> {
    /// The number of a line, from 1, its text, and its content.
    type Item = (usize, &'a str, Result<SampleLine<'a>, Malformed<'a>>);

    /// The next line, with further lines of a label value that ends there.
    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
        let number = self.count + 1;
        let mut ends = rest.match_indices('\n').map(|(at, _)| at).chain([rest.len()]);
        let first = ends.next()?;
        let (mut end, mut lines) = (first, 1);
        let mut read = line::read(&rest[..first]);
        if matches!(&read, Err(malformed) if malformed.is_open) {
            let longer = ends.take(LINES_OF_A_SAMPLE_MAX - 1).zip(2..).find_map(|(end, lines)| {
                let longer = line::read(&rest[..end]);
                matches!(longer, Ok(SampleLine::Sample(_))).then_some((end, lines, longer))
            });
            (end, lines, read) = longer.unwrap_or((end, lines, read));
        }
        (self.at, self.count) = (self.at + end + 1, self.count + lines);
        Some((number, &rest[..first], read))
    }
}
