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

impl Floor {
    fn lower(&mut self, from_ms: u64, value: f64) {
        self.value = self.value.min(value);
        self.from_ms = self.from_ms.min(from_ms);
    }
}

/// Floors by minute.
#[derive(Debug, Clone, Default)]
pub(crate) struct MinuteMinima {
    /// The life that each minute showed first.
    minutes: Vec<Option<Floor>>,
    /// The others, in the few minutes that saw more than one.
    others: BTreeMap<usize, Vec<Floor>>,
}

/// Minutes from the start of the soak, rising, and the value in each.
pub(crate) type MinuteValues = Vec<(u64, f64)>;

/// A short name of a life, since a journal may hold many long ones.
pub(crate) fn life(name: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

/// Which minute a moment is in.
fn minute_of(at_ms: u64) -> usize {
    usize::try_from(at_ms / MINUTE_MS).unwrap_or(usize::MAX)
}

/// The place of a minute, made where there is none yet. Whoever tells of minutes bounds how late they may be.
pub(crate) fn place<T: Clone + Default>(minutes: &mut Vec<T>, minute: usize) -> &mut T {
    if minutes.len() <= minute {
        minutes.resize(minute + 1, T::default());
    }
    &mut minutes[minute]
}

impl MinuteMinima {
    /// None yet, with the room that so long a soak will need: what fills up in hours would look like a leak of ours.
    pub(crate) fn with_capacity(duration_ms: u64) -> Self {
        Self { minutes: vec![None; minute_of(duration_ms) + 1], others: BTreeMap::new() }
    }

    /// Takes in the least value of an interval. A value that is not a number is no measurement.
    pub(crate) fn absorb(&mut self, from_ms: u64, life: Option<u64>, value: f64) {
        if !value.is_finite() {
            return;
        }
        let minute = minute_of(from_ms);
        let of_another = |floor: &Floor| floor.life != life;
        let first = place(&mut self.minutes, minute);
        let others = match first {
            Some(first) if of_another(first) => self.others.entry(minute).or_default(),
            first => {
                let floor = first.get_or_insert(Floor { life, from_ms, value });
                return floor.lower(from_ms, value);
            }
        };
        if let Some(floor) = others.iter_mut().find(|floor| floor.life == life) {
            floor.lower(from_ms, value);
        } else if others.len() + 1 < LIVES_PER_MINUTE_MAX {
            others.push(Floor { life, from_ms, value });
        }
    }

    /// One segment a life, in order of when each was first seen. Where the life is not known it is the one before. A life
    /// may come back after another: then several processes answer in turn.
    pub(crate) fn by_life(&self) -> Vec<(Option<u64>, MinuteValues)> {
        let mut segments: Vec<(Option<u64>, MinuteValues)> = Vec::new();
        let mut current: Option<u64> = None;
        for (minute, first) in self.minutes.iter().enumerate() {
            let mut floors: Vec<Floor> =
                first.iter().chain(self.others.get(&minute).into_iter().flatten()).copied().collect();
            let minute = minute as u64;
            floors.sort_by_key(|floor| (floor.from_ms, floor.life));
            for floor in floors {
                if current.is_none() {
                    // What was seen before the first life was known is that one's.
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

    /// The same without their names.
    pub(crate) fn segments(&self) -> Vec<MinuteValues> {
        self.by_life().into_iter().map(|(_, segment)| segment).collect()
    }

    /// The floors of one life; none where it was never seen.
    pub(crate) fn of_life(&self, life: Option<u64>) -> Option<MinuteValues> {
        self.by_life().into_iter().find(|(known, _)| *known == life).map(|(_, segment)| segment)
    }
}

/// Samples kept of one minute: intervals are ten seconds long, or shorter around windows.
const SAMPLES_PER_MINUTE_MAX: usize = 12;

/// The middle of a gauge in each scenario minute: a sample that met a slow answer does not move it.
#[derive(Debug, Clone, Default)]
pub(crate) struct MinuteMedians {
    minutes: Vec<Samples>,
}

/// The samples of a minute, rising.
#[derive(Debug, Clone, Copy, Default)]
struct Samples {
    count: usize,
    values: [f64; SAMPLES_PER_MINUTE_MAX],
}

impl MinuteMedians {
    /// None yet, with the room that so long a soak will need.
    pub(crate) fn with_capacity(duration_ms: u64) -> Self {
        Self { minutes: vec![Samples::default(); minute_of(duration_ms) + 1] }
    }

    /// Takes in the last value of an interval.
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

    /// How far apart the samples of each minute are that has more than one, in order of time.
    pub(crate) fn apart_by_minute(&self) -> MinuteValues {
        let several = self.minutes.iter().enumerate().filter(|(_, samples)| samples.count > 1);
        several.map(|(minute, Samples { count, values })| (minute as u64, values[count - 1] - values[0])).collect()
    }

    /// The lower median of each minute that has samples, in order of time.
    pub(crate) fn by_minute(&self) -> MinuteValues {
        let sampled = self.minutes.iter().enumerate().filter(|(_, samples)| samples.count > 0);
        sampled.map(|(minute, samples)| (minute as u64, samples.values[(samples.count - 1) / 2])).collect()
    }
}
