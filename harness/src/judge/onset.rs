//! Growth that is no straight line: since when a gauge grows that was level before, and how far it stepped up.
//!
//! A straight line through a life tells how far a gauge grew. It does not tell since when, where growth began half way:
//! it is over the limit long before any floor is. And of a step it tells nothing.

use super::{
    floors::Segment,
    trend::{Line, median},
};

/// Floors on either side of a bend, at the least.
const FLOORS_MIN: usize = 5;
/// What has risen by half for fewer floors may fall back yet.
const RISEN_FLOORS_MIN: usize = 10;
/// A bend is believed where it leaves at most this share of what a straight line leaves, in squares.
const SQUARES_SHARE_MAX: f64 = 0.5;
/// And where a straight line misses by more than this share of the rise, in the root of the mean square.
const MISS_SHARE_MIN: f64 = 0.03;

/// The first minute after which no floor came back under a value; none where the last one is under it.
pub(super) fn over_for_good(floors: &Segment, value: f64) -> Option<u64> {
    let last_under = floors.iter().rposition(|floor| floor.1 <= value);
    floors.get(last_under.map_or(0, |at| at + 1)).map(|floor| floor.0)
}

/// The minute up to which a gauge was level, where it grew or stepped up from then on; none where it grew all along, as
/// far as its noise lets anyone see.
///
/// Of all minutes the one where level floors, and a straight line on from there or another level, leave the least squares.
pub(super) fn level_until(floors: &Segment) -> Option<u64> {
    let points = points(floors);
    let straight = straight_and_wrong(&points)?;
    let bends = (FLOORS_MIN..points.len().saturating_sub(FLOORS_MIN)).flat_map(|at| {
        let bend = points[at].0;
        let grows = Fit::of(&points, |x| (x - bend).max(0.0));
        grows.into_iter().chain(Fit::of_step(&points, bend)).map(move |fit| (at, fit))
    });
    let (at, best) = least(bends)?;
    (best.squares <= straight.squares * SQUARES_SHARE_MAX).then(|| floors[at].0)
}

/// How far a gauge rose that was level for a third of its life at the least, and then stepped up or began to grow, and
/// stayed up. None where a straight line tells as much.
///
/// A Theil–Sen line is level then: most pairs of floors lie where it was level. What rises first and is level afterwards
/// fills its caches, and is left to that line.
pub(super) fn bent(floors: &Segment) -> Option<Line> {
    let points = points(floors);
    let straight = straight_and_wrong(&points)?;
    let last = points.last()?.0;
    let bends = (points.len() / 3..=points.len().checked_sub(RISEN_FLOORS_MIN)?).flat_map(|at| {
        let bend = points[at.saturating_sub(1)].0;
        let grows = Fit::of(&points, |x| (x - bend).max(0.0)).map(|fit| (fit, fit.slope * (last - bend)));
        let steps = Fit::of_step(&points, bend).map(|fit| (fit, fit.slope));
        grows.into_iter().chain(steps).map(move |(fit, rise)| (at, fit, rise))
    });
    let rising = bends.filter(|(_, fit, _)| fit.slope > 0.0);
    let (at, best, rise) = rising.min_by(|(_, a, _), (_, b, _)| a.squares.total_cmp(&b.squares))?;
    let level = median(floors[..at].iter().map(|floor| floor.1).collect())?;
    let risen = floors[at..].iter().filter(|floor| floor.1 > level + rise / 2.0).count();
    let line = Line { from_minute: floors.first()?.0, to_minute: floors.last()?.0, start: level, end: level + rise };
    (risen >= RISEN_FLOORS_MIN && best.squares <= straight.squares * SQUARES_SHARE_MAX).then_some(line)
}

/// A straight line, where it rises and yet misses what it should tell.
fn straight_and_wrong(points: &[(f64, f64)]) -> Option<Fit> {
    let (first, last) = (points.first()?.0, points.last()?.0);
    let straight = Fit::of(points, |x| x - first)?;
    let missed = (straight.squares / count(points.len())).sqrt();
    (straight.slope > 0.0 && missed >= straight.slope * (last - first) * MISS_SHARE_MIN).then_some(straight)
}

/// Of those that rise, the one that leaves the least.
fn least(fits: impl Iterator<Item = (usize, Fit)>) -> Option<(usize, Fit)> {
    fits.filter(|(_, fit)| fit.slope > 0.0).min_by(|(_, a), (_, b)| a.squares.total_cmp(&b.squares))
}

/// What is left of floors by an offset and a multiple of some function of the minute, at its least.
#[derive(Debug, Clone, Copy)]
struct Fit {
    slope: f64,
    squares: f64,
}

impl Fit {
    /// One level up to a minute, and another after it.
    fn of_step(points: &[(f64, f64)], after: f64) -> Option<Self> {
        Self::of(points, |x| if x > after { 1.0 } else { 0.0 })
    }

    /// Ordinary least squares. None where the function is the same at all minutes.
    fn of(points: &[(f64, f64)], function: impl Fn(f64) -> f64) -> Option<Self> {
        let n = count(points.len());
        let mean = |of: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
        let (mean_x, mean_y) = (mean(&|point| function(point.0)), mean(&|point| point.1));
        let spread = mean(&|point| (function(point.0) - mean_x).powi(2));
        if spread <= 0.0 {
            return None;
        }
        let slope = mean(&|point| (function(point.0) - mean_x) * (point.1 - mean_y)) / spread;
        let left = |point: &(f64, f64)| (point.1 - mean_y - slope * (function(point.0) - mean_x)).powi(2);
        Some(Self { slope, squares: points.iter().map(left).sum() })
    }
}

#[expect(clippy::cast_precision_loss, reason = "minutes of a soak")]
fn points(floors: &Segment) -> Vec<(f64, f64)> {
    floors.iter().map(|(minute, floor)| (*minute as f64, *floor)).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a count of minutes")]
const fn count(points: usize) -> f64 {
    points as f64
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
                let until = level_until(&floors).unwrap_or_else(|| panic!("{from}, seed {seed}: not seen"));
                assert!((until as f64 - from).abs() <= 8.0, "{from}, seed {seed}: {until}");
            }
        }
    }

    #[test]
    fn a_step_is_dated_to_the_minute() {
        for seed in 0..50 {
            let floors = wobbling(4.0, seed, |minute| if minute > 60.0 { 40.0 } else { 0.0 });
            assert_eq!(Some(60), level_until(&floors), "seed {seed}");
        }
    }

    #[test]
    fn what_was_level_for_long_rose_by_what_it_stepped_or_grew() {
        for seed in 0..50 {
            for from in [50.0, 70.0, 86.0] {
                let step = |minute: f64| if minute > from { 40.0 } else { 0.0 };
                let growth = |minute: f64| (minute - from).max(0.0) * 40.0 / (109.0 - from);
                for floors in [wobbling(4.0, seed, step), wobbling(4.0, seed, growth)] {
                    let line = bent(&floors).unwrap_or_else(|| panic!("from {from}, seed {seed}: not seen"));
                    assert!((35.0..45.0).contains(&line.rise()), "from {from}, seed {seed}: {line:?}");
                }
            }
            let none = |grown: &dyn Fn(f64) -> f64| assert_eq!(None, bent(&wobbling(8.0, seed, grown)), "seed {seed}");
            none(&|minute| minute * 0.4);
            none(&|_| 0.0);
            none(&|minute| if minute > 20.0 { 40.0 } else { 0.0 });
            none(&|minute| if minute > 104.0 { 40.0 } else { 0.0 });
        }
        assert_eq!((None, None), (bent(&Vec::new()), bent(&vec![(1, 1.0), (2, 9.0)])));
    }

    #[test]
    fn what_grew_all_along_or_not_at_all_was_level_for_no_time() {
        for seed in 0..50 {
            assert_eq!(None, level_until(&wobbling(8.0, seed, |minute| minute * 0.4)), "seed {seed}");
            assert_eq!(None, level_until(&wobbling(0.0, seed, |minute| minute)), "seed {seed}");
            assert_eq!(None, level_until(&wobbling(0.0, seed, |minute| -minute)), "seed {seed}");
        }
        assert_eq!(None, level_until(&wobbling(0.0, 0, |_| 0.0)));
        assert_eq!(None, level_until(&Vec::new()));
        assert_eq!(None, level_until(&vec![(1, 1.0), (2, 9.0)]));
    }

    #[test]
    fn what_comes_back_is_not_over_for_good() {
        let floors = vec![(1, 1.0), (2, 9.0), (3, 2.0), (4, 7.0), (6, 8.0)];
        assert_eq!(Some(4), over_for_good(&floors, 2.0));
        assert_eq!((Some(1), None), (over_for_good(&floors, 0.5), over_for_good(&floors, 8.0)));
    }
}
