//! Scrapes of one process and of several, as literal counts.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use super::instances::{CHAINS_MAX, GROUPS_MAX, Gains, HELD_MAX, Instances, ProcessCounts, Scraped};
use crate::{catalog::Phase, clock, gateway::Exposition, journal::Source, session::StartPoint};

const BOUNDS: [&str; 2] = ["0.1", "+Inf"];

/// A scrape at a second: so many fast verdicts and so many slow ones so far, and so many streams.
fn scraped(second: u64, fast: u64, slow: u64, streams: f64) -> Scraped {
    let counts = [fast, fast + slow];
    let lines =
        BOUNDS.iter().zip(counts).map(|(bound, count)| format!("{}_bucket{{le=\"{bound}\"}} {count}\n", Source::Judge));
    let text = format!("# TYPE {} histogram\n{}", Source::Judge, lines.collect::<String>());
    let mark = StartPoint { at: start() + Duration::from_secs(second), phase: Phase::Steady };
    let gauges = BTreeMap::from([("streams", streams)]);
    Scraped { counted: ProcessCounts::of(&Exposition::read(&text).unwrap()), gauges, mark }
}

fn start() -> Instant {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *START.get_or_init(clock::now)
}

/// Fast and slow verdicts that were gained.
fn sum(gains: Gains) -> (u64, u64) {
    let sums = gains.into_iter().map(|(_, buckets, _)| (buckets.counts[0], buckets.counts[1..].iter().sum::<u64>()));
    sums.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
}

/// Returns the total gain of all scrapes: one every ten seconds, of processes with the same start, each with its fast
/// and slow verdicts.
fn all(instances: &mut Instances, started_s: Option<f64>, scrapes: &[(u64, u64)]) -> (u64, u64) {
    let mut all = (0, 0);
    for (n, (fast, slow)) in scrapes.iter().enumerate() {
        let gains = sum(instances.take_in(started_s, false, scraped(10 * n as u64, *fast, *slow, 1.0)));
        all = (all.0 + gains.0, all.1 + gains.1);
    }
    let rest = sum(instances.finish());
    (all.0 + rest.0, all.1 + rest.1)
}

#[test]
fn one_process_gains_what_it_counted_after_the_first_scrape() {
    let mut instances = Instances::default();
    let scrapes: Vec<(u64, u64)> = (0..40).map(|n| (1_000 + 3 * n, 50)).collect();
    assert_eq!((117, 0), all(&mut instances, Some(100.0), &scrapes));
    assert!(!instances.are_several);
    assert_eq!((1, Some("started 100".to_owned())), (instances.count(), instances.name()));
}

#[test]
fn a_soak_that_is_over_soon_loses_nothing() {
    assert_eq!((5, 1), all(&mut Instances::default(), None, &[(7, 1), (9, 1), (12, 2)]));
}

/// Four workers that answer in turn, or in any order. Each has counted slow verdicts before the soak, and another
/// number.
fn four_workers(started_s: Option<f64>, order: impl Fn(usize) -> usize) -> (Instances, (u64, u64)) {
    let mut instances = Instances::default();
    let mut counted = [(10, 40), (900, 3), (55, 12), (300, 0)];
    let scrapes = (0..200).map(|n| {
        counted.iter_mut().for_each(|(fast, _)| *fast += 1);
        counted[order(n)]
    });
    let scrapes: Vec<(u64, u64)> = scrapes.collect();
    let gained = all(&mut instances, started_s, &scrapes);
    (instances, gained)
}

#[test]
fn workers_of_the_same_second_are_told_apart_by_what_they_counted() {
    for started_s in [Some(100.0), None] {
        let (instances, (fast, slow)) = four_workers(started_s, |n| n % 4);
        assert!(instances.are_several && instances.count() == 4);
        assert_eq!(0, slow, "slow verdicts were before the soak");
        assert!((700..=800).contains(&fast), "{fast}");
        assert_eq!(Some(4.0), instances.sum("streams"));
        // No order at all.
        let (instances, (fast, slow)) = four_workers(started_s, |n| (n * n + n / 7) % 4);
        assert!(instances.are_several && slow == 0 && fast <= 800, "{fast} {slow}");
    }
}

#[test]
fn a_process_that_is_restarted_is_another_and_several_do_not_answer() {
    let mut instances = Instances::default();
    let scrapes: Vec<(u64, u64)> = (0..40).map(|n| if n < 20 { (500 + n, 9) } else { (n - 20, 0) }).collect();
    let (fast, slow) = all(&mut instances, None, &scrapes);
    assert!((36..=39).contains(&fast) && slow == 0, "{fast} {slow}");
    assert!(!instances.are_several);
}

#[test]
fn all_that_a_process_counted_which_began_within_the_soak_is_of_the_soak() {
    let mut instances = Instances::default();
    let mut gains = Gains::new();
    for n in 0..10 {
        gains.extend(instances.take_in(Some(100.0), false, scraped(10 * n, 9, 0, 1.0)));
    }
    for n in 10..20 {
        gains.extend(instances.take_in(Some(300.0), true, scraped(10 * n, n, 1, 1.0)));
    }
    gains.extend(instances.finish());
    assert_eq!((19, 1), sum(gains));
    assert!(!instances.are_several, "it was restarted");
}

#[test]
fn processes_with_starts_of_their_own_that_come_back_are_several() {
    let mut instances = Instances::default();
    let mut gains = Gains::new();
    for n in 0..30_u64 {
        let (started_s, counted) = if n % 2 == 0 { (100.0, 10 + n) } else { (160.0, 70 + n) };
        gains.extend(instances.take_in(Some(started_s), false, scraped(10 * n, counted, 0, 7.0)));
    }
    gains.extend(instances.finish());
    assert_eq!((28 + 28, 0), sum(gains));
    assert!(instances.are_several);
    assert_eq!((2, Some(14.0)), (instances.count(), instances.sum("streams")));
}

#[test]
fn a_worker_that_is_gone_is_no_longer_part_of_the_sum() {
    let (mut instances, _) = four_workers(Some(100.0), |n| n % 4);
    for n in 0..60_u64 {
        let _ = instances.take_in(Some(100.0), false, scraped(3_000 + 10 * n, 2_000 + n, 3, 5.0));
    }
    assert_eq!((1, Some(5.0)), (instances.count(), instances.sum("streams")));
}

#[test]
fn ever_new_processes_take_no_more_memory() {
    let mut instances = Instances::default();
    for n in 0..1_000_u64 {
        let started_s = Some(if n < 500 { n as f64 } else { 7.5 });
        let _ = instances.take_in(started_s, true, scraped(n, 10_000 - n, n, 1.0));
    }
    let (groups, chains, held) = instances.sizes();
    assert!(groups == GROUPS_MAX && chains <= CHAINS_MAX && held <= HELD_MAX, "{groups} {chains} {held}");
}

#[test]
fn what_the_second_process_to_answer_had_counted_before_is_no_gain() {
    let in_turn: Vec<(u64, u64)> = (0..20).map(|n| if n % 2 == 0 { (10 + n, 0) } else { (2_000 + n, 0) }).collect();
    assert_eq!((18 + 18, 0), all(&mut Instances::default(), Some(100.0), &in_turn));
    // Of two that are known, a third one that has counted more is no step of theirs.
    let third = (0..40).map(|n| match n {
        30 | 33 | 36 => (9_000 + n, 0),
        n if n % 2 == 0 => (10 + n, 0),
        n => (2_000 + n, 0),
    });
    let (fast, _) = all(&mut Instances::default(), Some(100.0), &third.collect::<Vec<_>>());
    assert!(fast <= 38 + 38 + 6, "{fast}");
}
