//! How far a gauge grew over one life of a process, under noise and under the teeth of a garbage collector.
//!
//! A series that never falls back is told by a line through all its floors, or by how far the last stand over the first,
//! where that is more. One that does has teeth, and the floors of the teeth tell: a line through them where there are
//! several; where there is one, what must have grown whatever came before and after. What a healthy tooth would do all by
//! itself is no growth.

use serde::{Deserialize, Serialize};

use crate::judge::stats::{
    Segment, change_point,
    sawtooth::{Sawtooth, SawtoothPoint},
    trend::{TrendLine, line},
};

/// The width of the slowest tooth that is held to be healthy, minutes.
const TOOTH_MINUTES: f64 = 120.0;
/// Two points tell of a life where at least this share of it lies between them.
const PAIR_SHARE_MIN: f64 = 1.0 / 2.0;
/// Floors of several teeth tell of it already where this share does.
const FLOORS_SHARE_MIN: f64 = 1.0 / 3.0;
/// A climb of so many times the deepest fall is no tooth of which that was the end.
const CLIMB_PER_FALL_MAX: f64 = 2.0;

/// The allowances of a healthy gauge, in its own unit.
#[derive(Debug, Clone, Copy)]
pub(in crate::judge) struct Healthy {
    /// How far it may grow.
    pub(in crate::judge) growth: f64,
    /// The height of its tallest tooth; 0 for a gauge that has no slow teeth.
    pub(in crate::judge) tooth: f64,
    /// The deepest fall that was seen in any life of the process.
    pub(in crate::judge) fall_seen: f64,
}

/// Growth over one life.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Growth {
    /// From where to where, over the whole life after its warm-up.
    pub(crate) line: TrendLine,
    pub(crate) by: By,
}

/// The method that growth was measured by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum By {
    /// A line through all floors.
    Floors,
    /// The last floors over the first.
    Ends,
    /// A line through the floors of so many teeth.
    Teeth(usize),
    /// The least that agrees with so few teeth.
    Least(usize),
    /// One rise, no higher than a healthy tooth: no growth is proven.
    OneTooth,
}

impl Growth {
    /// How far it grew; never negative.
    pub(in crate::judge) fn rise(self) -> f64 {
        if self.by == By::OneTooth { 0.0 } else { self.line.rise() }
    }
}

/// How far a gauge grew over the floors of a life that began at a minute. None with fewer than two floors.
pub(in crate::judge) fn growth(floors: &Segment, teeth: &Sawtooth, began: u64, healthy: Healthy) -> Option<Growth> {
    let band = band(floors);
    let fitted = line(floors)?;
    let all = within(band, TrendLine { start: no_less_than_half(fitted.start, teeth.least()), ..fitted });
    let tooth = tooth_so_far(all, began, healthy);
    let unless_tooth = |line: TrendLine, height: f64, by: By| {
        let is_tooth = line.rise() > healthy.growth && height <= tooth;
        Growth { line, by: if is_tooth { By::OneTooth } else { by } }
    };
    let plain = unless_tooth(all, all.rise().min(teeth.band()), By::Floors);
    let end_above_start = change_point::end_above_start(teeth.smooth());
    if teeth.falls.is_empty() {
        return Some(match end_above_start.filter(|line| line.rise() > all.rise()) {
            Some(line) => unless_tooth(line, line.rise().min(teeth.band()), By::Ends),
            None => plain,
        });
    }
    let settled: Vec<SawtoothPoint> =
        teeth.falls.iter().filter(|fall| !fall.is_floor_cut).map(|fall| fall.floor).collect();
    let by_floors = over_the_life(from_floor_to_floor(teeth, &settled), all);
    let start = teeth.least();
    let growth = if let Some(line) = through_floors(&settled, all, start).filter(|line| line.rise() >= by_floors) {
        Growth { line: within(band, line), by: By::Teeth(settled.len()) }
    } else {
        let rise = by_floors.max(over_the_life(from_peak_to_peak(teeth, healthy), all));
        let line = within(band, TrendLine { start, end: start + rise, ..all });
        let by = By::Least(teeth.falls.len());
        if settled.len() < 2 { unless_tooth(line, teeth.band(), by) } else { Growth { line, by } }
    };
    // What has no slow teeth that could hide it stands where it stands.
    let growth = match end_above_start.filter(|line| healthy.tooth <= 0.0 && line.rise() > growth.rise()) {
        Some(line) => Growth { line, by: By::Ends },
        None => growth,
    };
    // A step down in a long climb does not hide the climb.
    let is_step = settled.len() < 2 && teeth.highest_climb() > CLIMB_PER_FALL_MAX * teeth.deepest_fall();
    Some(if is_step && plain.rise() > growth.rise() { plain } else { growth })
}

/// From the least floor to the greatest.
fn band(floors: &Segment) -> f64 {
    let values = || floors.iter().map(|floor| floor.1);
    values().fold(f64::NEG_INFINITY, f64::max) - values().fold(f64::INFINITY, f64::min)
}

/// A line rises no further than the band that it goes through: one through half a wave would.
fn within(band: f64, line: TrendLine) -> TrendLine {
    TrendLine { end: line.end.min(line.start + band), ..line }
}

/// How high a healthy tooth may have risen by the end of a life without falling back.
///
/// It may be the slowest there is: then it has risen, since the life began, by no more than its share. Or it is one of
/// those that were seen to fall in another life.
fn tooth_so_far(line: TrendLine, began: u64, healthy: Healthy) -> f64 {
    let share = minutes(began, line.to_minute + 1) / TOOTH_MINUTES;
    (healthy.tooth * share.min(1.0)).max(healthy.fall_seen.min(healthy.tooth))
}

/// From the beginning, which lies on a tooth, to the last floor: so far at least have floors risen.
fn from_floor_to_floor(teeth: &Sawtooth, settled: &[SawtoothPoint]) -> Option<(SawtoothPoint, SawtoothPoint)> {
    settled.last().map(|floor| (teeth.beginning(), *floor))
}

/// From the first peak to the highest point after the last fall, or to the last peak: so far at least have peaks risen,
/// where teeth are of one height.
/// A peak that the beginning cuts was as high as a healthy tooth, for all that is known.
fn from_peak_to_peak(teeth: &Sawtooth, healthy: Healthy) -> Option<(SawtoothPoint, SawtoothPoint)> {
    let (first, last) = (teeth.falls.first()?, teeth.falls.last()?);
    let mut from = first.peak;
    if first.is_peak_cut {
        from.1 = from.1.max(first.floor.1 + healthy.tooth);
    }
    let after = teeth.last_high()?;
    Some((from, if last.peak.1 > after.1 { last.peak } else { after }))
}

/// The rise between two points, carried on over the life; 0 where they fall, or are too near to each other.
fn over_the_life(pair: Option<(SawtoothPoint, SawtoothPoint)>, life: TrendLine) -> f64 {
    let Some((from, to)) = pair else { return 0.0 };
    let share = minutes(from.0, to.0) / minutes(life.from_minute, life.to_minute);
    if share < PAIR_SHARE_MIN { 0.0 } else { ((to.1 - from.1) / share).max(0.0) }
}

/// Where a line starts: not under half of the least that was seen, since what grows steeply late would seem to have come
/// from less than nothing.
fn no_less_than_half(start: f64, least: f64) -> f64 {
    start.max(least - least.abs() / 2.0)
}

/// The line through the floors of several teeth, carried on over the life.
fn through_floors(floors: &[SawtoothPoint], life: TrendLine, least: f64) -> Option<TrendLine> {
    let fitted = line(floors)?;
    let between = minutes(fitted.from_minute, fitted.to_minute);
    if between < FLOORS_SHARE_MIN * minutes(life.from_minute, life.to_minute) {
        return None;
    }
    let slope = (fitted.end - fitted.start) / between;
    let start = fitted.start - slope * minutes(life.from_minute, fitted.from_minute);
    let start = no_less_than_half(start, least);
    let end = fitted.end + slope * minutes(fitted.to_minute, life.to_minute);
    Some(TrendLine { start, end, ..life })
}

fn minutes(from: u64, to: u64) -> f64 {
    to.saturating_sub(from) as f64
}
