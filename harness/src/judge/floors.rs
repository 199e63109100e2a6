//! The floor of a gauge in each scenario minute, apart for each life of the process that it is of.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
};

const MINUTE_MS: u64 = 60_000;
/// Lives told apart within one minute. A process that restarts more often has other troubles than drift.
const LIVES_PER_MINUTE_MAX: usize = 4;

/// The least value in one minute of one life.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Floor {
    /// Which life, where it was known.
    life: Option<u64>,
    /// When this life was first seen in this minute, scenario milliseconds.
    from_ms: u64,
    value: f64,
}

/// Floors by minute.
#[derive(Debug, Clone, Default)]
pub(super) struct Floors {
    minutes: BTreeMap<u64, Vec<Floor>>,
}

/// The floors of one life: minutes from the start of the soak, rising, and the least value in each.
pub(super) type Segment = Vec<(u64, f64)>;

/// A short name of a life, since a journal may hold many long ones.
pub(super) fn life(name: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

impl Floors {
    /// Takes in the least value of an interval. A value that is not a number is no measurement.
    pub(super) fn absorb(&mut self, from_ms: u64, life: Option<u64>, value: f64) {
        if !value.is_finite() {
            return;
        }
        let floors = self.minutes.entry(from_ms / MINUTE_MS).or_default();
        if let Some(floor) = floors.iter_mut().find(|floor| floor.life == life) {
            floor.value = floor.value.min(value);
            floor.from_ms = floor.from_ms.min(from_ms);
        } else if floors.len() < LIVES_PER_MINUTE_MAX {
            floors.push(Floor { life, from_ms, value });
        }
    }

    /// One segment a life, in order of time. Where the life is not known it is the one before.
    pub(super) fn segments(&self) -> Vec<Segment> {
        let mut segments: Vec<Segment> = Vec::new();
        let mut current: Option<u64> = None;
        for (minute, floors) in &self.minutes {
            let mut floors = floors.clone();
            floors.sort_by_key(|floor| (floor.from_ms, floor.life));
            for floor in floors {
                let is_other = floor.life.is_some() && current.is_some() && floor.life != current;
                current = floor.life.or(current);
                if is_other || segments.is_empty() {
                    segments.push(Segment::new());
                }
                let segment = segments.last_mut().expect("a segment was pushed where there was none");
                match segment.last_mut() {
                    Some((last, value)) if last == minute => *value = value.min(floor.value),
                    _ => segment.push((*minute, floor.value)),
                }
            }
        }
        segments
    }
}

/// Samples kept of one minute: intervals are ten seconds long, or shorter around windows.
const SAMPLES_PER_MINUTE_MAX: usize = 12;

/// The middle of a gauge in each scenario minute: a sample that met a slow answer does not move it.
#[derive(Debug, Clone, Default)]
pub(super) struct Middles {
    minutes: BTreeMap<u64, Vec<f64>>,
}

impl Middles {
    /// Takes in the last value of an interval.
    pub(super) fn absorb(&mut self, from_ms: u64, value: f64) {
        let samples = self.minutes.entry(from_ms / MINUTE_MS).or_default();
        if value.is_finite() && samples.len() < SAMPLES_PER_MINUTE_MAX {
            let at = samples.partition_point(|other| *other < value);
            samples.insert(at, value);
        }
    }

    /// The lower median of each minute that has samples, in order of time.
    pub(super) fn by_minute(&self) -> Segment {
        let sampled = self.minutes.iter().filter(|(_, samples)| !samples.is_empty());
        sampled.map(|(minute, samples)| (*minute, samples[(samples.len() - 1) / 2])).collect()
    }
}
