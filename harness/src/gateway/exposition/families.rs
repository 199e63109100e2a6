//! Samples, put together by metric: plain values added up over their series, histograms by their buckets.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
};

use super::{
    Exposition,
    line::{Kind, MetricSample},
    number,
    unusable::{UnreadLine, Unusable},
};

/// Maximum number of unusable metrics that are reported.
const UNUSABLE_MAX: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Families<'a> {
    /// With the same key every time: a text that is read twice gives the same sums to the last digit.
    hasher: BuildHasherDefault<DefaultHasher>,
    kinds: HashMap<Cow<'a, str>, Kind>,
    /// Samples by name, and by a hash of their labels.
    plain: BTreeMap<Cow<'a, str>, BTreeMap<u64, SeriesPoint>>,
    /// Samples with a bound, by the name of the histogram, and by a hash of their other labels.
    buckets: BTreeMap<Cow<'a, str>, BTreeMap<u64, Vec<Bucket>>>,
    native: BTreeSet<Cow<'a, str>>,
    unusable: BTreeMap<String, Unusable>,
}

/// The value of a series.
#[derive(Debug, Clone, Copy)]
struct SeriesPoint {
    value: f64,
    timestamp: Option<f64>,
}

/// An upper bound, and the count below it.
type Bucket = (f64, SeriesPoint);

impl SeriesPoint {
    /// Takes in another sample of the same series, and keeps the later. Returns false if their order is not known.
    fn replace(&mut self, other: Self) -> bool {
        let (Some(ours), Some(theirs)) = (self.timestamp, other.timestamp) else { return false };
        if theirs > ours {
            *self = other;
        }
        ours != theirs
    }
}

impl<'a> Families<'a> {
    /// Sets the type of a metric. The first one counts.
    pub(super) fn type_of(&mut self, name: Cow<'a, str>, kind: Kind) {
        self.kinds.entry(name).or_insert(kind);
    }

    /// Records a line that cannot be read, of a histogram under the name of the whole.
    pub(super) fn unread(&mut self, name: &str, line: UnreadLine) {
        self.cannot_use(name.strip_suffix("_bucket").unwrap_or(name), Unusable::Unread(line));
    }

    pub(super) fn sample(&mut self, sample: MetricSample<'a>) {
        let MetricSample { name, mut labels, value, timestamp } = sample;
        let Some(value) = value else {
            self.native.insert(name);
            return;
        };
        let point = SeriesPoint { value, timestamp };
        let bound = labels.iter().position(|(label, _)| label == "le");
        // A metric may have such a name and be something else.
        let is_bucket = self.kinds.get(&name).is_none_or(|kind| *kind == Kind::Histogram);
        if let (Some(at), Some(family), true) = (bound, without_suffix(&name, "_bucket"), is_bucket) {
            let bound = number::parse(&labels.remove(at).1).unwrap_or(f64::NAN);
            let key = self.hasher.hash_one(&labels);
            self.buckets.entry(family).or_default().entry(key).or_default().push((bound, point));
            return;
        }
        let key = self.hasher.hash_one(&labels);
        let mut is_twice = false;
        let series = self.plain.entry(name.clone()).or_default().entry(key);
        series.and_modify(|known| is_twice = !known.replace(point)).or_insert(point);
        if is_twice {
            self.cannot_use(&name, Unusable::Twice);
        }
    }

    /// The usable part of all metrics.
    pub(super) fn finish(mut self) -> Exposition {
        let gauges = self.names_of(Kind::Gauge).into_iter().filter(|name| !self.plain.contains_key(name));
        let empty_gauges = gauges.map(Cow::into_owned).collect();
        let mut read = Exposition { empty_gauges, ..Exposition::default() };
        for (name, series) in std::mem::take(&mut self.buckets) {
            match self.histogram(&name, series) {
                Ok(buckets) => drop(read.histograms.insert(name.into_owned(), buckets)),
                Err(why) => self.cannot_use(&name, why),
            }
        }
        for name in std::mem::take(&mut self.native) {
            // A histogram may come in both forms.
            if !read.histograms.contains_key(&*name) {
                self.cannot_use(&name, Unusable::NativeHistogram);
            }
        }
        for (name, series) in std::mem::take(&mut self.plain) {
            let sum: f64 = series.values().map(|point| point.value).sum();
            if sum.is_finite() {
                read.values.insert(name.into_owned(), sum);
            } else {
                self.cannot_use(&name, Unusable::NoNumber);
            }
        }
        for name in self.names_of(Kind::Summary) {
            read.values.remove(&*name);
            self.unusable.remove(&*name);
            self.cannot_use(&name, Unusable::Summary);
        }
        self.name_counters_both_ways(&mut read);
        // A sum over some of its series would be wrong.
        let unusable = &self.unusable;
        read.values.retain(|name, _| !unusable.contains_key(name));
        read.histograms.retain(|name, _| !unusable.contains_key(name));
        read.empty_gauges.retain(|name| !unusable.contains_key(name));
        read.unusable = self.unusable;
        read
    }

    fn names_of(&self, kind: Kind) -> Vec<Cow<'a, str>> {
        self.kinds.iter().filter(|(_, of)| **of == kind).map(|(name, _)| name.clone()).collect()
    }

    /// Only OpenMetrics adds `_total` to the name of a counter. So a counter is found by either name.
    fn name_counters_both_ways(&self, read: &mut Exposition) {
        for name in self.names_of(Kind::Counter) {
            let base = name.strip_suffix("_total").unwrap_or(&name);
            let total = format!("{base}_total");
            match (read.values.get(base).copied(), read.values.get(&total).copied()) {
                (Some(value), None) if !self.unusable.contains_key(&total) => read.values.insert(total, value),
                (None, Some(value)) if !self.unusable.contains_key(base) => read.values.insert(base.to_owned(), value),
                _ => None,
            };
        }
    }

    /// The buckets of all series of a histogram, added up: cumulative counts by upper bound.
    fn histogram(&self, name: &str, series: BTreeMap<u64, Vec<Bucket>>) -> Result<Vec<(f64, f64)>, Unusable> {
        if self.kinds.get(name) == Some(&Kind::GaugeHistogram) {
            return Err(Unusable::GaugeHistogram);
        }
        let counts = self.plain.get(format!("{name}_count").as_str());
        let mut sum: Option<Vec<(f64, f64)>> = None;
        for (key, buckets) in series {
            let mut buckets = in_order(buckets)?;
            if buckets.last().is_none_or(|(bound, _)| *bound != f64::INFINITY) {
                // The last bucket counts all values. Where it is missing, the count of the histogram replaces it.
                let count = counts.and_then(|counts| counts.get(&key)).ok_or(Unusable::NoLastBucket)?;
                buckets.push((f64::INFINITY, count.value));
            }
            sum = Some(match sum {
                None => buckets,
                Some(sum) => added(&sum, &buckets),
            });
        }
        let sum = sum.unwrap_or_default();
        if sum.iter().any(|(_, count)| !count.is_finite()) {
            return Err(Unusable::NoNumber);
        }
        // The last bucket alone says nothing about the values.
        if sum.len() > 1 { Ok(sum) } else { Err(Unusable::DifferentBounds) }
    }

    fn cannot_use(&mut self, name: &str, why: Unusable) {
        if self.unusable.len() < UNUSABLE_MAX {
            self.unusable.entry(name.to_owned()).or_insert(why);
        }
    }
}

/// The buckets of one series by rising bound, each once.
fn in_order(mut buckets: Vec<Bucket>) -> Result<Vec<(f64, f64)>, Unusable> {
    if buckets.iter().any(|(bound, _)| bound.is_nan()) {
        return Err(Unusable::NoNumber);
    }
    buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut known: Vec<Bucket> = Vec::with_capacity(buckets.len());
    for (bound, point) in buckets {
        match known.last_mut() {
            Some((last, kept)) if *last == bound => {
                if !kept.replace(point) {
                    return Err(Unusable::Twice);
                }
            }
            _ => known.push((bound, point)),
        }
    }
    Ok(known.into_iter().map(|(bound, point)| (bound, point.value)).collect())
}

/// The sum of two series, each by rising bound, at their common bounds. Counts between the bounds of one are not known.
fn added(a: &[(f64, f64)], b: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut others = b.iter().peekable();
    let common = a.iter().filter_map(|(bound, count)| {
        while others.next_if(|(other, _)| other < bound).is_some() {}
        let (_, other) = others.next_if(|(other, _)| other == bound)?;
        Some((*bound, count + other))
    });
    common.collect()
}

fn without_suffix<'a>(name: &Cow<'a, str>, suffix: &str) -> Option<Cow<'a, str>> {
    match name {
        Cow::Borrowed(name) => name.strip_suffix(suffix).map(Cow::Borrowed),
        Cow::Owned(name) => name.strip_suffix(suffix).map(|name| Cow::Owned(name.to_owned())),
    }
}
