//! Samples, put together by metric: plain values added up over their series, histograms by their buckets.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap, btree_map::Entry},
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
};

use super::{
    Exposition,
    line::{Kind, MetricSample},
    number,
    unusable::{UnreadLine, Unusable},
};

/// Metrics that are known to be unusable. Of further ones, nothing is said.
const UNUSABLE_MAX: usize = 256;

/// The metrics read so far.
#[derive(Debug, Default)]
pub(super) struct Families<'a> {
    /// With the same key every time: what is read twice is the same, to the last digit of a sum.
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

#[derive(Debug, Clone, Copy)]
struct Bucket {
    bound: f64,
    point: SeriesPoint,
}

impl SeriesPoint {
    /// Takes in another sample of the same series. Of several moments, the latest counts; says whether that is possible.
    fn replace(&mut self, other: Self) -> bool {
        match (self.timestamp, other.timestamp) {
            (Some(ours), Some(theirs)) if ours != theirs => {
                *self = if theirs > ours { other } else { *self };
                true
            }
            _ => false,
        }
    }
}

impl<'a> Families<'a> {
    /// The first type that is given counts.
    pub(super) fn type_of(&mut self, name: Cow<'a, str>, kind: Kind) {
        self.kinds.entry(name).or_insert(kind);
    }

    /// Of a histogram it is said under the name of the whole.
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
            self.buckets.entry(family).or_default().entry(key).or_default().push(Bucket { bound, point });
            return;
        }
        let key = self.hasher.hash_one(&labels);
        let is_twice = match self.plain.entry(name.clone()).or_default().entry(key) {
            Entry::Occupied(mut known) => !known.get_mut().replace(point),
            Entry::Vacant(free) => {
                free.insert(point);
                false
            }
        };
        if is_twice {
            self.cannot_use(&name, Unusable::Twice);
        }
    }

    /// Returns the usable part of all metrics that were read.
    pub(super) fn finish(mut self) -> Exposition {
        let mut read = Exposition::default();
        for (name, series) in std::mem::take(&mut self.buckets) {
            match self.histogram(&name, series) {
                Ok(buckets) => {
                    read.histograms.insert(name.into_owned(), buckets);
                }
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
        let summaries: Vec<Cow<'_, str>> =
            self.kinds.iter().filter(|(_, kind)| **kind == Kind::Summary).map(|(name, _)| name.clone()).collect();
        for name in summaries {
            read.values.remove(&*name);
            self.unusable.remove(&*name);
            self.cannot_use(&name, Unusable::Summary);
        }
        self.name_counters_both_ways(&mut read);
        // A sum over some of its series would be wrong.
        let unusable = &self.unusable;
        read.values.retain(|name, _| !unusable.contains_key(name));
        read.histograms.retain(|name, _| !unusable.contains_key(name));
        let gauges = self.kinds.iter().filter(|(_, kind)| **kind == Kind::Gauge).map(|(name, _)| name.as_ref());
        let is_empty = |name: &&str| !read.values.contains_key(*name) && !unusable.contains_key(*name);
        read.empty_gauges = gauges.filter(is_empty).map(str::to_owned).collect();
        read.unusable = self.unusable;
        read
    }

    /// OpenMetrics writes a counter with `_total` at the end of its name, and the text format writes it as it was named. A
    /// gateway that speaks both is found by either name.
    fn name_counters_both_ways(&self, read: &mut Exposition) {
        let counters = self.kinds.iter().filter(|(_, kind)| **kind == Kind::Counter);
        for (name, _) in counters {
            let base = name.strip_suffix("_total").unwrap_or(name);
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
                // All values are counted in the last bucket; where that is left out, the count of all says the same.
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
        // With the last alone, nothing is known of where the values lie.
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
    if buckets.iter().any(|bucket| bucket.bound.is_nan()) {
        return Err(Unusable::NoNumber);
    }
    buckets.sort_by(|a, b| a.bound.total_cmp(&b.bound));
    let mut known: Vec<Bucket> = Vec::with_capacity(buckets.len());
    for bucket in buckets {
        match known.last_mut() {
            Some(last) if last.bound == bucket.bound => {
                if !last.point.replace(bucket.point) {
                    return Err(Unusable::Twice);
                }
            }
            _ => known.push(bucket),
        }
    }
    Ok(known.into_iter().map(|bucket| (bucket.bound, bucket.point.value)).collect())
}

/// Two series, each by rising bound, at the bounds that both have: what lies between the bounds of one is not known.
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
