//! The line that growth is measured by. It has its own file so that a better estimator can replace it.
//!
//! No well-kept crate has it: `robust-rs` is a first release on top of a linear algebra stack, and `u-analytics` gives
//! a slope over even steps only, where floors have holes.

use serde::{Deserialize, Serialize};

use crate::judge::stats::as_value;

/// A day of minutes.
const POINTS_MAX: usize = 24 * 60;

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct TrendLine {
    pub(crate) from_minute: u64,
    pub(crate) to_minute: u64,
    pub(crate) start: f64,
    pub(crate) end: f64,
}

impl TrendLine {
    /// The rise; 0 where the line falls.
    pub(crate) fn rise(self) -> f64 {
        (self.end - self.start).max(0.0)
    }

    pub(crate) fn at(self, minute: u64) -> f64 {
        let minutes = as_value(self.to_minute.saturating_sub(self.from_minute).max(1));
        let share = as_value(minute.saturating_sub(self.from_minute)) / minutes;
        (self.end - self.start).mul_add(share, self.start)
    }

    /// The minute at which it has risen by a value; none where it never does.
    pub(crate) fn minute_of_rise(self, by: f64) -> Option<u64> {
        let minutes = as_value(self.to_minute - self.from_minute);
        let share = by / self.rise();
        (share <= 1.0).then(|| self.from_minute + (minutes * share).ceil() as u64)
    }
}

/// The Theil–Sen line through minutes and floors: the median of the slopes between all pairs, and the median of the
/// remainders. A quarter of the floors may lie anywhere before it bends (H. Theil, 1950; P. K. Sen, 1968).
///
/// Its cost grows with the square of the points: in more than a day of minutes the least of each few represents them.
/// None with fewer than two minutes.
pub(crate) fn line(floors: &[(u64, f64)]) -> Option<TrendLine> {
    let points: Vec<(f64, f64)> = floors
        .chunks(floors.len().div_ceil(POINTS_MAX).max(1))
        .filter_map(|few| few.iter().min_by(|a, b| a.1.total_cmp(&b.1)))
        .map(|(minute, floor)| (as_value(*minute), *floor))
        .collect();
    let pairs = points.iter().enumerate().flat_map(|(n, a)| points[n + 1..].iter().map(move |b| (a, b)));
    let slopes = pairs.filter(|(a, b)| a.0 < b.0).map(|(a, b)| (b.1 - a.1) / (b.0 - a.0));
    let slope = median(slopes.collect())?;
    let offset = median(points.iter().map(|(minute, floor)| floor - slope * minute).collect())?;
    let (from_minute, to_minute) = (floors.first()?.0, floors.last()?.0);
    let at = |minute: u64| slope.mul_add(as_value(minute), offset);
    Some(TrendLine { from_minute, to_minute, start: at(from_minute), end: at(to_minute) })
}

/// The median; the mean of the middle two where there are two.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = values[(values.len() - 1) / 2];
    Some(lower + (upper - lower) / 2.0)
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_pcg::Pcg64;

    use super::*;

    fn series(minutes: u64, of: impl FnMut(u64) -> f64) -> Vec<(u64, f64)> {
        let mut of = of;
        (0..minutes).map(|minute| (minute, of(minute))).collect()
    }

    #[test]
    fn a_week_of_minutes_has_the_line_of_its_floors() {
        let week = series(7 * 24 * 60, |minute| 100.0 + minute as f64 * 0.01 + (minute % 7) as f64);
        let line = line(&week).unwrap();
        assert!((line.rise() - 100.79).abs() < 0.1, "{line:?}");
        assert_eq!((0, 7 * 24 * 60 - 1), (line.from_minute, line.to_minute));
    }

    #[test]
    fn a_line_is_found_exactly() {
        let line = line(&series(50, |minute| 7.0 + minute as f64 * 0.5)).unwrap();
        assert_eq!((7.0, 31.5, 24.5), (line.start, line.end, line.rise()));
        assert_eq!(Some(20), line.minute_of_rise(10.0));
        assert_eq!(None, line.minute_of_rise(25.0));
    }

    #[test]
    fn a_quarter_of_wild_floors_does_not_bend_it() {
        let line = line(&series(60, |minute| if minute % 4 == 3 { 9_999.0 } else { minute as f64 })).unwrap();
        assert!((50.0..70.0).contains(&line.rise()), "{line:?}");
    }

    #[test]
    fn few_floors_make_no_line() {
        assert_eq!(None, line(&[]));
        assert_eq!(None, line(&[(3, 1.0)]));
        assert!(line(&[(3, 1.0), (4, 2.0)]).is_some());
    }

    /// The accuracy of the detector: over a hundred minutes of floors that vary by 5 %, as those under a garbage
    /// collector do, against a limit of 10 %.
    #[test]
    fn of_healthy_series_none_in_two_hundred_alarms_and_a_leak_of_15_percent_is_found_nine_times_in_ten() {
        let alarms = |leak_percent: f64| {
            let alarm = |seed: &u64| {
                let mut dice = Pcg64::seed_from_u64(*seed);
                let floors = series(100, |minute| {
                    let grown = 1.0 + leak_percent / 100.0 * minute as f64 / 99.0;
                    100.0 * grown * (1.0 + dice.random_range(0.0..0.05))
                });
                let line = line(&floors).unwrap();
                line.rise() / line.start > 0.10
            };
            (0..200).filter(alarm).count()
        };
        assert_eq!(0, alarms(0.0));
        assert!(alarms(15.0) >= 180);
    }
}
