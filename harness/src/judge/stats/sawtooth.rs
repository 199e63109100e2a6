//! The teeth of a slow sawtooth: where a series of floors falls by more than its noise.

use crate::judge::stats::{Segment, greatest_of, least_of};

/// A turn nearer than this to an end of the series is cut by it: a tooth may have been higher before, or fall further.
const SETTLED_MINUTES: u64 = 5;
/// A fall has arrived where it is within this share of the least swing from its end.
const ARRIVED: f64 = 0.25;
/// The first minutes, the least of which represents the beginning.
const BEGINNING_MINUTES: usize = 3;

/// A minute and its floor.
pub(crate) type SawtoothPoint = (u64, f64);

/// One fall, from the peak before it to the floor after it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Fall {
    pub(crate) peak: SawtoothPoint,
    pub(crate) floor: SawtoothPoint,
    /// Whether the series begins so near to the peak that the tooth may have been higher.
    pub(crate) is_peak_cut: bool,
    /// Whether the series ends so near to the floor that the tooth may fall further.
    pub(crate) is_floor_cut: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sawtooth {
    smooth: Segment,
    pub(crate) falls: Vec<Fall>,
}

impl Sawtooth {
    /// Falls by at least `swing`, each between turning points that are further apart than that. None of nothing.
    pub(crate) fn of(floors: &Segment, swing: f64) -> Option<Self> {
        let smooth = smooth(floors);
        let (first, last) = (*smooth.first()?, *smooth.last()?);
        let mut falls = Vec::new();
        let (mut high, mut low, mut is_falling) = (first, first, false);
        let fall = |peak: SawtoothPoint, floor: SawtoothPoint| {
            let has_arrived = |point: &&SawtoothPoint| point.0 >= peak.0 && point.1 <= floor.1 + swing * ARRIVED;
            let arrived = smooth.iter().find(has_arrived).map_or(floor.0, |point| point.0);
            Fall {
                peak,
                floor,
                is_peak_cut: peak.0 < first.0 + SETTLED_MINUTES,
                is_floor_cut: arrived + SETTLED_MINUTES > last.0,
            }
        };
        for point in &smooth {
            if is_falling {
                low = if point.1 < low.1 { *point } else { low };
                if point.1 >= low.1 + swing {
                    falls.push(Fall { is_floor_cut: false, ..fall(high, low) });
                    (high, is_falling) = (*point, false);
                }
            } else {
                high = higher(high, *point);
                if point.1 <= high.1 - swing {
                    (low, is_falling) = (*point, true);
                }
            }
        }
        if is_falling {
            falls.push(fall(high, low));
        }
        Some(Self { smooth, falls })
    }

    /// The floors without odd minutes.
    pub(crate) const fn smooth(&self) -> &Segment {
        &self.smooth
    }

    /// The least of the beginning. It lies on a tooth, so the floor of that tooth is there or lower.
    pub(crate) fn beginning(&self) -> SawtoothPoint {
        (self.smooth[0].0, least_of(&self.smooth[..BEGINNING_MINUTES.min(self.smooth.len())]))
    }

    pub(crate) fn least(&self) -> f64 {
        least_of(&self.smooth)
    }

    /// The greatest less the least.
    pub(crate) fn band(&self) -> f64 {
        greatest_of(&self.smooth) - self.least()
    }

    /// The greatest after the last fall; the last floor where nothing comes after it.
    pub(crate) fn last_high(&self) -> Option<SawtoothPoint> {
        let floor = self.falls.last()?.floor;
        Some(self.smooth.iter().copied().filter(|point| point.0 >= floor.0).fold(floor, higher))
    }

    /// The deepest fall; 0 where there is none.
    pub(crate) fn deepest_fall(&self) -> f64 {
        self.falls.iter().map(|fall| fall.peak.1 - fall.floor.1).fold(0.0, f64::max)
    }

    /// The highest climb without a fall in it.
    pub(crate) fn highest_climb(&self) -> f64 {
        let from = std::iter::once(self.beginning()).chain(self.falls.iter().map(|fall| fall.floor));
        let to = self.falls.iter().map(|fall| fall.peak).chain(self.last_high());
        from.zip(to).map(|(from, to)| to.1 - from.1).fold(0.0, f64::max)
    }
}

/// The later of two that are level: a plateau is high to its end.
fn higher(a: SawtoothPoint, b: SawtoothPoint) -> SawtoothPoint {
    if b.1 >= a.1 { b } else { a }
}

/// Each floor as the lower median of itself and its neighbours: one odd minute is no tooth.
fn smooth(floors: &Segment) -> Segment {
    let around = |n: usize| {
        let neighbours = &floors[n.saturating_sub(1)..(n + 2).min(floors.len())];
        let mut values: Vec<f64> = neighbours.iter().map(|floor| floor.1).collect();
        values.sort_unstable_by(f64::total_cmp);
        values[(values.len() - 1) / 2]
    };
    (0..floors.len()).map(|n| (floors[n].0, around(n))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(minutes: u64, of: impl Fn(f64) -> f64) -> Segment {
        (0..minutes).map(|minute| (minute, of(minute as f64))).collect()
    }

    fn falls(floors: &Segment) -> Vec<(u64, u64)> {
        let teeth = Sawtooth::of(floors, 5.0).unwrap();
        teeth.falls.iter().map(|fall| (fall.peak.0, fall.floor.0)).collect()
    }

    #[test]
    fn each_fall_of_a_sawtooth_is_found() {
        let sawtooth = series(110, |minute| 200.0 + (minute + 10.0) % 40.0);
        assert_eq!(vec![(29, 30), (69, 70)], falls(&sawtooth));
        let teeth = Sawtooth::of(&sawtooth, 5.0).unwrap();
        assert_eq!((37.0, 37.0), (teeth.highest_climb(), teeth.deepest_fall()));
    }

    #[test]
    fn a_wobble_a_slope_and_one_odd_minute_are_no_teeth() {
        assert!(falls(&series(110, |minute| 200.0 + minute % 5.0)).is_empty());
        assert!(falls(&series(110, |minute| 200.0 + minute)).is_empty());
        assert!(falls(&series(110, |minute| if minute == 50.0 { 100.0 } else { 200.0 })).is_empty());
        assert_eq!(None, Sawtooth::of(&Vec::new(), 5.0));
    }

    #[test]
    fn what_the_ends_of_the_series_cut_is_marked() {
        let cut = |floors: &Segment| {
            let teeth = Sawtooth::of(floors, 5.0).unwrap();
            teeth.falls.iter().map(|fall| (fall.is_peak_cut, fall.is_floor_cut)).collect::<Vec<_>>()
        };
        assert_eq!(vec![(true, false)], cut(&series(60, |minute| 220.0 - minute.min(20.0))));
        assert_eq!(vec![(false, true)], cut(&series(60, |minute| 220.0 - (minute - 50.0).max(0.0))));
        assert_eq!(vec![(false, false)], cut(&series(60, |minute| if minute < 30.0 { 220.0 } else { 200.0 })));
    }
}
