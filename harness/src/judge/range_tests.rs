//! The quality of ranges: each holds its value, more samples never widen it, and it holds the truth as often as stated.

use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

use super::{Range, Verdict};
use crate::{
    catalog::{Kpi, Suite},
    journal::{Buckets, Counter, Gauge, GaugeSummary, Source, Timing},
    judge::{
        fixtures::soak::{Soak, timing},
        stats::confidence::{at_rank, chance_under, of_count, of_rise, of_share, ranks},
    },
};

/// Of so many draws, what a range is to hold the truth in: a little under 95 %, since draws are noise too.
const DRAWS: u64 = 2_000;
const COVERED_MIN: u64 = DRAWS * 93 / 100;

fn width(range: Range) -> f64 {
    range.high - range.low
}

fn holds(range: Range, value: f64) -> bool {
    range.low <= value && value <= range.high
}

/// The range of the quantile of samples.
fn of_samples(samples: &mut [u64], quantile: f64) -> (Range, bool) {
    samples.sort_unstable();
    let ranks = ranks(quantile, samples.len() as u64).unwrap();
    let recorded: Vec<(u64, u64)> = samples.iter().map(|value| (*value, 1)).collect();
    let at = |rank| at_rank(&recorded, rank).unwrap() as f64;
    (Range { low: if ranks.low == 0 { 0.0 } else { at(ranks.low) }, high: at(ranks.high) }, ranks.is_open)
}

proptest! {
    #[test]
    fn a_share_lies_within_its_range_and_more_samples_of_it_never_widen_that(
        whole in 1_u64..100_000, part in any::<prop::sample::Index>(), times in 2_u64..50,
    ) {
        let part = part.index(whole as usize + 1) as u64;
        let range = of_share(part, whole).unwrap();
        prop_assert!(holds(range, part as f64 / whole as f64 * 100.0), "{range:?}");
        prop_assert!(0.0 <= range.low && range.high <= 100.0, "{range:?}");
        prop_assert!(width(of_share(part * times, whole * times).unwrap()) <= width(range));
    }

    #[test]
    fn the_rank_of_a_quantile_lies_between_those_that_bound_it_and_more_samples_never_draw_them_apart(
        quantile in prop::sample::select(vec![0.5, 0.9, 0.95, 0.99]), samples in 1_u64..5_000, times in 2_u64..20,
    ) {
        let nearest = (quantile * samples as f64).ceil() as u64;
        let few = ranks(quantile, samples).unwrap();
        prop_assert!(few.low <= nearest && nearest <= few.high && few.high <= samples, "{nearest} {few:?}");
        // Of the same samples, each `times` over.
        let many = ranks(quantile, samples * times).unwrap();
        prop_assert!(many.low.div_ceil(times) >= few.low, "{few:?} {many:?}");
        prop_assert!(many.high.div_ceil(times) <= few.high, "{few:?} {many:?}");
        prop_assert!(few.is_open || !many.is_open);
    }

    #[test]
    fn a_count_lies_within_its_range_and_greater_counts_are_known_better(count in 0_u64..1_000_000) {
        let range = of_count(count);
        prop_assert!(holds(range, count as f64), "{range:?}");
        let of = |count: u64| width(of_count(count)) / count as f64;
        prop_assert!(of(2 * count + 2) < of(count + 1));
    }

    #[test]
    fn whatever_is_counted_no_range_panics(part in any::<u64>(), whole in any::<u64>(), quantile in 0.0..1.0_f64) {
        let _ = (of_share(part, whole), of_count(part), ranks(quantile, whole), chance_under(part, whole, part));
    }
}

#[test]
fn ranges_are_those_of_the_textbooks() {
    let near = |known: (f64, f64), range: Range| {
        assert!((range.low - known.0).abs() < 0.01 && (range.high - known.1).abs() < 0.01, "{known:?} {range:?}");
    };
    near((0.0, 3.70), of_share(0, 100).unwrap());
    near((82.56, 94.48), of_share(90, 100).unwrap());
    near((4.79, 18.39), of_count(10));
    assert!((of_count(0).high - 3.69).abs() < 0.03, "{:?}", of_count(0));
    let of = |quantile, samples| ranks(quantile, samples).map(|r| (r.low, r.high, r.is_open)).unwrap();
    assert_eq!((40, 61, false), of(0.5, 100));
    assert_eq!([(true, 45), (true, 71), (false, 72)], [45, 71, 72].map(|n| (of(0.95, n).2, of(0.95, n).1)));
    assert_eq!([true, false], [367, 368].map(|n| of(0.99, n).2));
    assert_eq!((None, None), (ranks(0.95, 0), of_share(0, 0)));
    assert_eq!(None, of_share(2, 1), "a part of less than itself");
}

#[test]
fn the_true_share_lies_within_its_range_nineteen_times_in_twenty() {
    let mut dice = Pcg64::seed_from_u64(1);
    for (share, whole) in [(0.5, 45), (0.95, 345), (0.99, 1_000), (0.2, 20)] {
        let draw = |_: &u64| {
            let part = (0..whole).filter(|_| dice.random_bool(share)).count() as u64;
            holds(of_share(part, whole).unwrap(), share * 100.0)
        };
        let covered = (0..DRAWS).filter(draw).count() as u64;
        assert!(covered >= COVERED_MIN, "{share} of {whole}: {covered} of {DRAWS}");
    }
}

#[test]
fn the_true_count_lies_within_its_range_nineteen_times_in_twenty() {
    let mut dice = Pcg64::seed_from_u64(2);
    for mean in [1.0, 4.0, 30.0] {
        let draw = |_: &u64| {
            // Of ten thousand chances, each so small that the mean comes: as good as Poisson's.
            let count = (0..10_000).filter(|_| dice.random_bool(mean / 10_000.0)).count() as u64;
            holds(of_count(count), mean)
        };
        let covered = (0..DRAWS).filter(draw).count() as u64;
        assert!(covered >= COVERED_MIN, "{mean}: {covered} of {DRAWS}");
    }
}

#[test]
fn the_true_quantile_lies_within_its_range_nineteen_times_in_twenty_whatever_the_distribution() {
    let mut dice = Pcg64::seed_from_u64(3);
    // Even; and with a tail in which the worst is a hundred times the median.
    let even = |x: f64| (x * 1e6) as u64;
    let tail = |x: f64| (1_000.0 / (1.0 - x)) as u64;
    for (quantile, samples) in [(0.95, 345), (0.99, 1_000), (0.95, 72), (0.5, 45)] {
        for value in [even, tail] {
            let draw = |_: &u64| {
                let mut drawn: Vec<u64> = (0..samples).map(|_| value(dice.random())).collect();
                holds(of_samples(&mut drawn, quantile).0, value(quantile) as f64)
            };
            let covered = (0..DRAWS).filter(draw).count() as u64;
            assert!(covered >= COVERED_MIN, "p{quantile} of {samples}: {covered} of {DRAWS}");
        }
    }
}

#[test]
fn with_few_samples_the_truth_is_still_not_under_the_range() {
    let mut dice = Pcg64::seed_from_u64(4);
    let draw = |_: &u64| {
        let mut drawn: Vec<u64> = (0..45).map(|_| dice.random_range(0..1_000_000)).collect();
        let (range, is_open) = of_samples(&mut drawn, 0.95);
        assert!(is_open);
        range.low <= 950_000.0
    };
    assert!((0..DRAWS).filter(draw).count() as u64 >= COVERED_MIN);
}

#[test]
fn the_chance_that_one_soak_lies_under_the_uppermost_of_another_is_as_computed() {
    let mut dice = Pcg64::seed_from_u64(5);
    let draw = |_: &u64| {
        let drawn = |dice: &mut Pcg64| (0..10).map(|_| dice.random()).collect::<Vec<f64>>();
        let (then, mut now) = (drawn(&mut dice), drawn(&mut dice));
        now.sort_by(f64::total_cmp);
        then.iter().all(|sample| *sample < now[8])
    };
    let seen = (0..20_000).filter(draw).count() as f64 / 20_000.0;
    let computed = chance_under(10, 2, 10);
    assert!((computed - 90.0 / 380.0).abs() < 1e-12 && (seen - computed).abs() < 0.01, "{seen} {computed}");
}

#[test]
fn the_rise_of_a_flat_noisy_line_lies_within_its_range() {
    assert_eq!(0.0, of_rise(std::iter::empty()));
    assert_eq!(0.0, of_rise([0.0, 0.0].into_iter()));
    assert!((of_rise([1.0, -1.0].into_iter()) - 2.77).abs() < 0.01);
    let noisy = Soak::healthy(Suite::Full).each(|interval| {
        let wobble = (interval.from_ms / 60_000 % 3) as f64 * 1_000_000.0;
        interval.gauges.insert(Gauge::GatewayRss, GaugeSummary::of(200_000_000.0 + wobble));
    });
    let judgement = noisy.judge().kpi(Kpi::RssDrift).unwrap().clone();
    let range = judgement.range.unwrap();
    assert!(holds(range, judgement.value.unwrap()) && width(range) > 0.5 && range.high < 2.0, "{range:?}");
}

#[test]
fn every_kpi_of_a_healthy_soak_has_a_range_around_its_value_but_for_those_that_nobody_can_know() {
    let verdicts = Soak::healthy(Suite::Full).judge();
    let without: Vec<&str> = verdicts.kpis.iter().filter(|kpi| kpi.range.is_none()).map(|kpi| &*kpi.name).collect();
    assert_eq!(["publish_search_delay", "clock_drift", "chaos_recovery"], *without);
    for kpi in &verdicts.kpis {
        assert_eq!(Verdict::Pass, kpi.verdict);
        assert!(kpi.range.is_none_or(|range| holds(range, kpi.value.unwrap())), "{} {:?}", kpi.name, kpi.range);
    }
}

#[test]
fn of_buckets_the_range_is_as_wide_as_those_that_the_quantile_may_fall_into() {
    let mut soak = Soak::healthy(Suite::Full).each(|interval| {
        interval.sources.remove(&Source::Judge);
    });
    let buckets = Buckets { bounds_seconds: vec![0.1, 0.2, 0.25, 0.28], counts: vec![900, 40, 15, 45, 0] };
    soak.minute(3).sources.insert(Source::Judge, buckets);
    let judged = |soak: &Soak| soak.judge().kpi(Kpi::JudgeP95).unwrap().clone();
    let judgement = judged(&soak);
    assert_eq!((Some(250.0), Some(Range { low: 100.0, high: 280.0 })), (judgement.value, judgement.range));
    assert!(!judgement.range_is_open);

    let endless = Buckets { bounds_seconds: vec![0.1, 0.2], counts: vec![900, 55, 45] };
    soak.minute(3).sources.insert(Source::Judge, endless);
    assert_eq!((Some(200.0), None), (judged(&soak).value, judged(&soak).range), "a bucket without an end is no bound");
}

#[test]
fn a_range_is_open_where_samples_are_too_few() {
    let soak = Soak::healthy(Suite::Smoke).each(|interval| {
        let at_ms = interval.from_ms;
        interval.timings.insert(Timing::StartToLog, timing(250_000 + at_ms / 10, 3, at_ms, "run"));
        interval.counters.insert(Counter::RunsEnded, 3);
    });
    let judgement = soak.judge().kpi(Kpi::StartToLogP95).unwrap().clone();
    let range = judgement.range.unwrap();
    assert!(judgement.range_is_open && range.low < range.high, "{judgement:?}");
    assert_eq!(334.0, range.high, "the greatest sample");
}
