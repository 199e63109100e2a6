//! Growth that is no straight line: how far a gauge is over its beginning, and since when.
//!
//! A straight line through a life does not show a step, nor growth that begins late; and where growth began half way,
//! it is over the limit long before any floor is. Floors are given smoothed, so that one odd minute decides nothing.

use crate::judge::stats::{Segment, as_value, greatest_of, least_of, trend::TrendLine};

/// The least number of floors on either side of a bend.
const BEND_FLOORS_MIN: usize = 5;
/// The greatest share of a straight line's residual sum of squares that a bend may leave. Noise alone takes away far
/// less than half, and a level of a sixth of the life, or growth in its last sixth, takes more.
const SQUARES_SHARE_MAX: f64 = 0.5;
/// A straight line with a root mean square error under this share of its rise is good enough for a reader.
const MISS_SHARE_MIN: f64 = 0.03;
/// Floors that represent the beginning of a life, and its end: a shorter rise may fall back yet. The rule of counts that are too low
/// uses the same: streams come and go from the first minute on.
pub(crate) const FIRST_FLOORS: usize = 3;
pub(crate) const LAST_FLOORS: usize = 10;

/// The first of the floors that came after the last one at or under a value; none where the very last one is.
pub(crate) fn first_permanent_excess(floors: &Segment, value: f64) -> Option<u64> {
    let last_under = floors.iter().rposition(|floor| floor.1 <= value);
    floors.get(last_under.map_or(0, |at| at + 1)).map(|floor| floor.0)
}

/// The rise from the greatest of the first floors to the least of the last; none without a rise.
///
/// A Theil–Sen line is level where seven floors in ten are: it does not show a step, nor growth that begins late. This
/// is the least rise of the gauge, whatever lies in between.
pub(crate) fn end_above_start(floors: &Segment) -> Option<TrendLine> {
    let last = floors.len().checked_sub(LAST_FLOORS).filter(|last| *last >= FIRST_FLOORS)?;
    let (start, end) = (greatest_of(&floors[..FIRST_FLOORS]), least_of(&floors[last..]));
    (end > start).then_some(TrendLine { from_minute: floors.first()?.0, to_minute: floors.last()?.0, start, end })
}

/// The minute up to which a gauge was level, where it grew or stepped up from then on; none where it grew all along.
///
/// Segmented regression with one change point, by least squares: the minute at which a level, and a straight line from
/// there or another level, leave the least residual.
pub(crate) fn change_point_of(floors: &Segment) -> Option<u64> {
    let (first, last) = (floors.first()?, floors.last()?);
    let minute = |at: u64| as_value(at - first.0);
    // From each floor on to the last.
    let mut sums = vec![Sums::default(); floors.len() + 1];
    for (n, (at, floor)) in floors.iter().enumerate().rev() {
        sums[n] = sums[n + 1].and(minute(*at), floor - first.1);
    }
    let all = sums[0];
    let straight = all.fit(all.x, all.xx, all.xy)?;
    let missed = (straight.left / all.n).max(0.0).sqrt();
    if straight.multiple <= 0.0 || missed < straight.multiple * minute(last.0) * MISS_SHARE_MIN {
        return None;
    }
    let bends = (BEND_FLOORS_MIN..floors.len().saturating_sub(BEND_FLOORS_MIN)).flat_map(|n| {
        let (bend, after) = (minute(floors[n].0), sums[n + 1]);
        let grown = all.fit(
            after.x - after.n * bend,
            after.xx - 2.0 * bend * after.x + bend * bend * after.n,
            after.xy - bend * after.y,
        );
        let stepped = all.fit(after.n, after.n, after.y);
        grown.into_iter().chain(stepped).map(move |fit| (n, fit))
    });
    let rising = bends.filter(|(_, fit)| fit.multiple > 0.0);
    let (n, best) = rising.min_by(|(_, a), (_, b)| a.left.total_cmp(&b.left))?;
    (best.left <= straight.left * SQUARES_SHARE_MAX).then(|| floors[n].0)
}

/// Sums over minutes x and floors y, for all fits.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    n: f64,
    x: f64,
    xx: f64,
    y: f64,
    yy: f64,
    xy: f64,
}

/// The best multiple of a function of the minute, and the residual sum of squares.
#[derive(Debug, Clone, Copy)]
struct Fit {
    multiple: f64,
    left: f64,
}

impl Sums {
    fn and(self, x: f64, y: f64) -> Self {
        Self {
            n: self.n + 1.0,
            x: self.x + x,
            xx: self.xx + x * x,
            y: self.y + y,
            yy: self.yy + y * y,
            xy: self.xy + x * y,
        }
    }

    /// An offset and a multiple of a function f of the minute, by ordinary least squares, from the sums of f, of its
    /// square and of its product with the floors. None where f is constant.
    fn fit(self, f: f64, ff: f64, fy: f64) -> Option<Fit> {
        let (ff, fy, yy) = (ff - f * f / self.n, fy - f * self.y / self.n, self.yy - self.y * self.y / self.n);
        (ff > 0.0).then(|| Fit { multiple: fy / ff, left: yy - fy * fy / ff })
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_pcg::Pcg64;

    use super::*;

    /// 100 minutes of 200, that wobble by so much.
    fn wobbling(wobble: f64, seed: u64, grown: impl Fn(f64) -> f64) -> Segment {
        let mut dice = Pcg64::seed_from_u64(seed);
        let mut floor = |minute: u32| 200.0 + grown(f64::from(minute)) + dice.random_range(0.0..=wobble);
        (10..110).map(|minute| (u64::from(minute), floor(minute))).collect()
    }

    #[test]
    fn growth_that_begins_half_way_is_dated_under_noise() {
        for from in [30.0, 60.0, 85.0] {
            for seed in 0..50 {
                let floors = wobbling(8.0, seed, |minute| (minute - from).max(0.0));
                let until = change_point_of(&floors).unwrap_or_else(|| panic!("{from}, seed {seed}: not seen"));
                assert!((until as f64 - from).abs() <= 8.0, "{from}, seed {seed}: {until}");
            }
        }
    }

    #[test]
    fn a_step_is_dated_to_the_minute() {
        for seed in 0..50 {
            let floors = wobbling(4.0, seed, |minute| if minute > 60.0 { 40.0 } else { 0.0 });
            assert_eq!(Some(60), change_point_of(&floors), "seed {seed}");
        }
    }

    #[test]
    fn what_rose_and_stayed_is_told_at_the_least_and_what_came_back_is_not() {
        for seed in 0..50 {
            for from in [14.0, 50.0, 86.0, 99.0] {
                let line =
                    end_above_start(&wobbling(4.0, seed, |minute| if minute > from { 40.0 } else { 0.0 })).unwrap();
                assert!((36.0..=40.0).contains(&line.rise()), "from {from}, seed {seed}: {line:?}");
            }
            let over =
                |grown: &dyn Fn(f64) -> f64| end_above_start(&wobbling(8.0, seed, grown)).map_or(0.0, TrendLine::rise);
            assert!(over(&|minute| (minute - 80.0).max(0.0) * 5.0) > 80.0, "seed {seed}: 20 to 29 minutes of 5");
            assert!(over(&|_| 0.0) < 8.0, "seed {seed}: a wobble is no rise");
            assert!(over(&|minute| if minute > 100.0 { 40.0 } else { 0.0 }) < 8.0, "seed {seed}: for nine minutes");
            assert!(
                over(&|minute| if (30.0..105.0).contains(&minute) { 40.0 } else { 0.0 }) < 8.0,
                "seed {seed}: back"
            );
        }
        assert_eq!((None, None), (end_above_start(&Vec::new()), end_above_start(&vec![(1, 1.0), (2, 9.0)])));
        assert_eq!(None, end_above_start(&(0..12).map(|minute| (minute, minute as f64)).collect()), "the same floors");
    }

    #[test]
    fn what_grew_all_along_or_not_at_all_was_level_for_no_time() {
        for seed in 0..50 {
            assert_eq!(None, change_point_of(&wobbling(8.0, seed, |minute| minute * 0.4)), "seed {seed}");
            assert_eq!(None, change_point_of(&wobbling(0.0, seed, |minute| minute)), "seed {seed}");
            assert_eq!(None, change_point_of(&wobbling(0.0, seed, |minute| -minute)), "seed {seed}");
        }
        assert_eq!(None, change_point_of(&wobbling(0.0, 0, |_| 0.0)));
        assert_eq!(None, change_point_of(&Vec::new()));
        assert_eq!(None, change_point_of(&vec![(1, 1.0), (2, 9.0)]));
    }

    #[test]
    fn what_comes_back_is_not_over_for_good() {
        let floors = vec![(1, 1.0), (2, 9.0), (3, 2.0), (4, 7.0), (6, 8.0)];
        assert_eq!(Some(4), first_permanent_excess(&floors, 2.0));
        assert_eq!((Some(1), None), (first_permanent_excess(&floors, 0.5), first_permanent_excess(&floors, 8.0)));
    }
}
