//! The floor (least value) and median of a gauge in each scenario minute; floors apart for each life of a process.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
};

pub(crate) const MINUTE_MS: u64 = 60_000;
/// Maximum number of lives in one minute. A process that restarts more often has other troubles than drift.
const LIVES_PER_MINUTE_MAX: usize = 4;

/// The least value in one minute of one life.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Floor {
    life: Option<u64>,
    /// When this life was first seen in this minute, scenario milliseconds.
    from_ms: u64,
    value: f64,
}

impl Floor {
    fn lower(&mut self, from_ms: u64, value: f64) {
        self.value = self.value.min(value);
        self.from_ms = self.from_ms.min(from_ms);
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct MinuteMinima {
    /// The life that each minute showed first.
    minutes: Vec<Option<Floor>>,
    /// The others, in the few minutes that saw more than one.
    others: BTreeMap<usize, Vec<Floor>>,
}

/// Minutes from the start of the soak, rising, and the value in each.
pub(crate) type MinuteValues = Vec<(u64, f64)>;

/// A short name of a life, to save memory.
pub(crate) fn life(name: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

fn minute_of(at_ms: u64) -> usize {
    usize::try_from(at_ms / MINUTE_MS).unwrap_or(usize::MAX)
}

/// The place of a minute; places up to it are added. The caller bounds the minutes.
pub(crate) fn place<T: Clone + Default>(minutes: &mut Vec<T>, minute: usize) -> &mut T {
    if minutes.len() <= minute {
        minutes.resize(minute + 1, T::default());
    }
    &mut minutes[minute]
}

impl MinuteMinima {
    /// None yet, with the memory for the whole soak: memory that fills up in hours would look like a leak of S2.
    pub(crate) fn with_capacity(duration_ms: u64) -> Self {
        Self { minutes: vec![None; minute_of(duration_ms) + 1], others: BTreeMap::new() }
    }

    /// Takes in the least value of an interval. A value that is not a number is no measurement.
    pub(crate) fn absorb(&mut self, from_ms: u64, life: Option<u64>, value: f64) {
        if !value.is_finite() {
            return;
        }
        let minute = minute_of(from_ms);
        let first = place(&mut self.minutes, minute).get_or_insert(Floor { life, from_ms, value });
        if first.life == life {
            return first.lower(from_ms, value);
        }
        let others = self.others.entry(minute).or_default();
        if let Some(floor) = others.iter_mut().find(|floor| floor.life == life) {
            floor.lower(from_ms, value);
        } else if others.len() + 1 < LIVES_PER_MINUTE_MAX {
            others.push(Floor { life, from_ms, value });
        }
    }

    /// One segment a life, in the order in which they were first seen. An unknown life is the one before. A life may come back after
    /// another: then several processes answer in turn.
    pub(crate) fn by_life(&self) -> Vec<(Option<u64>, MinuteValues)> {
        let mut segments: Vec<(Option<u64>, MinuteValues)> = Vec::new();
        let mut current: Option<u64> = None;
        for (minute, first) in self.minutes.iter().enumerate() {
            let others = self.others.get(&minute).into_iter().flatten();
            let mut floors: Vec<Floor> = first.iter().chain(others).copied().collect();
            let minute = minute as u64;
            floors.sort_by_key(|floor| (floor.from_ms, floor.life));
            for floor in floors {
                if current.is_none() {
                    // Floors before the first known life belong to it.
                    segments.iter_mut().for_each(|(life, _)| *life = floor.life);
                }
                current = floor.life.or(current);
                let known = segments.iter().rposition(|(life, _)| *life == current);
                let at = known.unwrap_or_else(|| {
                    segments.push((current, Vec::new()));
                    segments.len() - 1
                });
                let segment = &mut segments[at].1;
                match segment.last_mut() {
                    Some((last, value)) if *last == minute => *value = value.min(floor.value),
                    _ => segment.push((minute, floor.value)),
                }
            }
        }
        segments
    }

    pub(crate) fn of_life(&self, life: Option<u64>) -> Option<MinuteValues> {
        self.by_life().into_iter().find(|(known, _)| *known == life).map(|(_, segment)| segment)
    }
}

/// Maximum number of samples in a minute: intervals are ten seconds long, or shorter around windows.
const SAMPLES_PER_MINUTE_MAX: usize = 12;

/// The median of a gauge in each scenario minute: a sample that met a slow answer does not move it.
#[derive(Debug, Clone, Default)]
pub(crate) struct MinuteMedians {
    minutes: Vec<Samples>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Samples {
    count: usize,
    values: [f64; SAMPLES_PER_MINUTE_MAX],
}

impl MinuteMedians {
    pub(crate) fn with_capacity(duration_ms: u64) -> Self {
        Self { minutes: vec![Samples::default(); minute_of(duration_ms) + 1] }
    }

    pub(crate) fn absorb(&mut self, from_ms: u64, value: f64) {
        let samples = place(&mut self.minutes, minute_of(from_ms));
        let Samples { count, values } = samples;
        if value.is_finite() && *count < SAMPLES_PER_MINUTE_MAX {
            let at = values[..*count].partition_point(|other| *other < value);
            values.copy_within(at..*count, at + 1);
            values[at] = value;
            *count += 1;
        }
    }

    /// The greatest less the least sample of each minute that has several.
    pub(crate) fn apart_by_minute(&self) -> MinuteValues {
        let several = self.minutes.iter().enumerate().filter(|(_, samples)| samples.count > 1);
        several.map(|(minute, Samples { count, values })| (minute as u64, values[count - 1] - values[0])).collect()
    }

    /// The lower median of each minute that has samples.
    pub(crate) fn by_minute(&self) -> MinuteValues {
        let sampled = self.minutes.iter().enumerate().filter(|(_, samples)| samples.count > 0);
        sampled.map(|(minute, samples)| (minute as u64, samples.values[(samples.count - 1) / 2])).collect()
    }
}
