//! Plans: three as a person reads them, and what holds of all.

use std::time::Duration;

use proptest::prelude::*;

use super::{Plan, PlannedRun, Scenario, moment};
use crate::catalog::{Kpi, Suite, Workload};
use crate::snapshots::assert_snapshot;

#[test]
fn the_plan_of_each_suite_reads_as_the_design_has_it() {
    for (suite, pace) in [(Suite::Smoke, 30.0), (Suite::Rehearsal, 120.0), (Suite::Full, 1.0)] {
        let plan = Plan::new(suite, &Scenario::default(), 1, pace);
        assert_snapshot(&format!("plan_{suite}"), &plan.to_string());
    }
}

#[test]
fn a_smoke_test_starts_45_runs_and_a_full_soak_360() {
    let runs = |suite| Plan::new(suite, &Scenario::default(), 7, 1.0).runs.count();
    assert_eq!((45, 360, 360), (runs(Suite::Smoke), runs(Suite::Rehearsal), runs(Suite::Full)));
}

#[test]
fn of_a_hundred_runs_thirty_have_their_own_stream_and_agents_share_70_15_15() {
    let plan = Plan::new(Suite::Full, &Scenario::default(), 7, 1.0);
    let of = |agent: &str| plan.runs.of_agent(agent);
    assert_eq!(108, plan.runs.own_streams(0..360));
    assert_eq!((252, 54, 54), (of("demo-enricher"), of("demo-scraper"), of("demo-emailer")));
}

#[test]
fn pace_changes_no_moment_of_the_plan() {
    let at = |pace| Plan { pace: 1.0, promises: super::ExpectedSamples::default(), ..plan_at(pace) };
    assert_eq!(at(1.0), at(120.0));
}

#[test]
fn a_moment_is_minutes_and_seconds() {
    assert_eq!(["T+00:00", "T+04:20", "T+120:00"], [0, 260_999, 7_200_000].map(moment).as_slice());
}

fn plan_at(pace: f64) -> Plan {
    Plan::new(Suite::Full, &Scenario::default(), 3, pace)
}

prop_compose! {
    fn scenario()(
        per_minute in 1_u32..60,
        own_stream_percent in 0_u32..=100,
        count in 1_u32..60,
        churn_percent in 0_u32..=100,
        duration_minutes in 1_u64..240,
        churn_minutes in 1_u64..20,
    ) -> Scenario {
        let mut scenario = Scenario::default();
        scenario.runs.per_minute = per_minute;
        scenario.runs.own_stream_percent = own_stream_percent;
        scenario.streams.count = count;
        scenario.streams.churn_percent = churn_percent;
        scenario.streams.churn_every = Duration::from_secs(churn_minutes * 60);
        scenario.full_duration = Duration::from_secs(duration_minutes * 60);
        scenario.smoke_duration = Duration::from_secs(duration_minutes * 60);
        scenario
    }
}

fn suite() -> impl Strategy<Value = Suite> {
    prop::sample::select(Suite::ALL)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_same_seed_is_the_same_plan(suite in suite(), scenario in scenario(), seed: u64, pace in 1.0..200.0_f64) {
        prop_assert_eq!(Plan::new(suite, &scenario, seed, pace), Plan::new(suite, &scenario, seed, pace));
    }

    #[test]
    fn a_churn_never_closes_more_than_three_in_ten_and_never_all(
        suite in suite(), scenario in scenario(), seed: u64,
    ) {
        let count = scenario.streams.count;
        for churn in Plan::new(suite, &scenario, seed, 1.0).churns.iter() {
            let closed = churn.streams.len() as u32;
            // One of a few is more than three in ten, and a churn that closes none would be none.
            prop_assert!(closed * 100 <= count * 30 || closed == 1, "{closed} of {count}");
            prop_assert!(closed < count);
            prop_assert!(churn.streams.iter().all(|stream| *stream < count));
            prop_assert!(churn.streams.windows(2).all(|pair| pair[0] < pair[1]), "no stream is closed twice");
        }
    }

    #[test]
    fn arrivals_are_exact_in_number_in_order_and_before_the_end(
        suite in suite(), scenario in scenario(), seed: u64,
    ) {
        let plan = Plan::new(suite, &scenario, seed, 1.0);
        let runs: Vec<PlannedRun> = plan.runs.iter().collect();
        prop_assert_eq!(runs.len() as u64, plan.duration_ms * u64::from(scenario.runs.per_minute) / 60_000);
        prop_assert!(runs.windows(2).all(|pair| pair[0].at_ms < pair[1].at_ms));
        prop_assert!(runs.iter().all(|run| run.at_ms < plan.duration_ms));
    }

    #[test]
    fn nothing_is_promised_only_where_nothing_is_judged(suite in suite(), seed: u64, pace in 1.0..121.0_f64) {
        let plan = Plan::new(suite, &Scenario::default(), seed, pace);
        for kpi in Kpi::ALL {
            let is_judged = Kpi::of(suite).any(|judged| judged == *kpi);
            prop_assert_eq!(plan.promises.get(*kpi) > 0, is_judged, "{}", kpi);
        }
        for workload in Workload::of(suite) {
            prop_assert!(plan.cycles(workload) > 0, "{}", workload);
        }
    }
}
