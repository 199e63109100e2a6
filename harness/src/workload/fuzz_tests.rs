//! The findings of workloads in data that a gateway sends: histograms from scrape to scrape, a text that must not show.
//! No data causes a panic, and nothing is found that is not there.
//!
//! `PROPTEST_CASES=1000000 cargo test --release -p s2-harness --lib workload::fuzz` plays more of them.

use proptest::prelude::*;

use super::{search_patterns::SearchPatterns, tally::gained};
use crate::{
    fuzzing::{cases, within},
    gateway::Exposition,
    journal::fuzz_tests::any_json,
};

/// Lower case, JSON, and what it says: of the last the smallest leaf is two characters long and takes 32 bytes.
const LOOK_BYTES_PER_BYTE: usize = 120;
const LEAST_BYTES: usize = 64 * 1024;

fn wild() -> impl Strategy<Value = f64> {
    let extremes = vec![f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN, 0.0, -0.0, 1e15, 1e16, 0.1];
    prop_oneof![prop::sample::select(extremes), -10.0..1e6_f64, prop::num::f64::ANY]
}

/// Scrapes as an exposition has them: bounds rise, counts are finite.
fn scrapes() -> impl Strategy<Value = Vec<Vec<(f64, f64)>>> {
    let in_order = |mut buckets: Vec<(f64, f64)>| {
        buckets.retain(|(bound, count)| !bound.is_nan() && count.is_finite());
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        buckets.dedup_by(|a, b| a.0 == b.0);
        buckets
    };
    let scrape = || prop::collection::vec((wild(), wild()), 0..12).prop_map(in_order);
    // The same bounds again, so that something is gained.
    let again = (scrape(), prop::collection::vec(prop::collection::vec(wild(), 12), 0..4));
    let again = again.prop_map(|(scrape, counts)| {
        let with = |counts: Vec<f64>| {
            let counts = counts.into_iter().map(|count| if count.is_finite() { count } else { 0.0 });
            scrape.iter().zip(counts).map(|((bound, _), count)| (*bound, count)).collect()
        };
        counts.into_iter().map(with).chain([scrape.clone()]).collect()
    });
    prop_oneof![2 => again, 1 => prop::collection::vec(scrape(), 0..5)]
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn what_a_histogram_gained_has_one_count_more_than_bounds(scrapes in scrapes()) {
        for pair in scrapes.windows(2) {
            let [before, scrape] = pair else { unreachable!("windows are of two") };
            let gained = gained(before, scrape);
            let has_infinite = scrape.last().is_some_and(|(bound, _)| *bound == f64::INFINITY);
            let bounds: Vec<f64> = scrape.iter().map(|(bound, _)| *bound).filter(|bound| *bound < f64::INFINITY).collect();
            prop_assert_eq!(gained.counts.len(), bounds.len() + 1);
            prop_assert_eq!(&gained.bounds_seconds, &bounds);
            prop_assert!(has_infinite || gained.counts.last() == Some(&0));
            prop_assert!(gained.counts.iter().all(|count| *count <= 1_000_000_000_000_000), "{gained:?}");
        }
    }

    #[test]
    fn what_a_healthy_histogram_gained_is_what_was_added(
        gains in prop::collection::vec(prop::collection::vec(0..1_000_000_u32, 5), 1..6), reset_at in prop::option::of(1..6_usize),
    ) {
        let mut counts = [0_u64; 5];
        let mut before = vec![(0.1, 0.0), (0.2, 0.0), (0.5, 0.0), (1.0, 0.0), (f64::INFINITY, 0.0)];
        for (n, gain) in gains.iter().enumerate() {
            // After a restart all that there is was gained since, if that shows at all.
            let is_reset = Some(n) == reset_at && (0..5).any(|b| gain[..=b].iter().map(|g| u64::from(*g)).sum::<u64>() < counts[..=b].iter().sum());
            if is_reset {
                counts = [0; 5];
            }
            counts.iter_mut().zip(gain).for_each(|(count, gain)| *count += u64::from(*gain));
            let mut below = 0;
            let mut text = "# TYPE h histogram\n".to_owned();
            for (bound, count) in ["0.1", "0.2", "0.5", "1", "+Inf"].iter().zip(counts) {
                below += count;
                text.push_str(&format!("h_bucket{{le=\"{bound}\"}} {below}\n"));
            }
            let read = Exposition::read(&text).unwrap();
            let now = read.histograms["h"].clone();
            let expected: Vec<u64> = gain.iter().map(|gain| u64::from(*gain)).collect();
            prop_assert_eq!(gained(&before, &now).counts, expected);
            before = now;
        }
    }

    #[test]
    fn a_text_that_must_not_show_is_found_where_it_is_and_nowhere_else(
        around in prop_oneof![any_json(), "\\PC{0,60}|.{0,60}"], tail in any_json(), is_there: bool, is_readable: bool,
    ) {
        // A canary holds characters that what stands around it does not.
        let canary = "canary-5d1f0c2e-QQQQ";
        let patterns = if is_readable { SearchPatterns::readable(canary) } else { SearchPatterns::verbatim(canary) };
        let text = if is_there { format!("{around}{canary}{tail}") } else { format!("{around}{tail}") };
        let allowed = LEAST_BYTES + LOOK_BYTES_PER_BYTE * text.len();
        prop_assert_eq!(is_there, within(allowed, || patterns.are_in(&text))?, "{}", text);
    }
}

#[test]
fn a_bucket_below_all_numbers_does_not_shift_the_others() {
    let scrape = |count: f64| [(f64::NEG_INFINITY, 0.0), (1.0, count)];
    let gained = gained(&scrape(0.0), &scrape(7.0));
    assert_eq!((vec![f64::NEG_INFINITY, 1.0], vec![0, 7, 0]), (gained.bounds_seconds, gained.counts));
}
