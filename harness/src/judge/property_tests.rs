//! The properties of every record: order does not matter, and nothing panics.

use proptest::prelude::*;

use super::{Targets, Verdict, is_already_certain, judge};
use crate::{
    catalog::{Chaos, Kpi, Phase, Suite, Workload},
    history::History,
    journal::{
        Buckets, Counter, Cycles, Exemplar, Finding, Gauge, GaugeSummary, Incident, Interval, LatencyHistogram, Record,
        Source, Timing, TimingRecord,
    },
    judge::fixtures::soak::Soak,
    plan::{Plan, Scenario},
    report::{TerminalLook, failure_text, kpi_table, snapshot_json},
    results::{Results, Stage, Waivers},
};

fn wild_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        prop::num::f64::ANY,
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(0.0),
        -1e12..1e12_f64,
    ]
}

fn wild_timing() -> impl Strategy<Value = TimingRecord> {
    let values = prop::collection::vec(any::<u64>(), 0..4);
    (values, any::<u64>(), any::<u64>(), ".{0,8}").prop_map(|(values, at_ms, value_us, subject)| {
        let mut histogram = LatencyHistogram::new();
        values.into_iter().for_each(|value| histogram.record(value));
        TimingRecord { histogram, worst: vec![Exemplar { at_ms, value_us, subject }] }
    })
}

fn wild_moment() -> impl Strategy<Value = u64> {
    prop_oneof![any::<u64>(), 0..7_200_000_u64]
}

prop_compose! {
    fn wild_interval()(
        from_ms in wild_moment(),
        to_ms in wild_moment(),
        phase in prop::sample::select(Phase::ALL),
        gateway_life in prop::option::of("[ab]"),
        counters in prop::collection::btree_map(prop::sample::select(Counter::ALL), any::<u64>(), 0..30),
        gauges in prop::collection::btree_map(
            prop::sample::select(Gauge::ALL), (wild_number(), wild_number(), wild_number(), any::<u64>()), 0..11,
        ),
        timings in prop::collection::btree_map(prop::sample::select(Timing::ALL), wild_timing(), 0..3),
        sources in prop::collection::btree_map(
            prop::sample::select(Source::ALL),
            (prop::collection::vec(wild_number(), 0..3), prop::collection::vec(any::<u64>(), 0..4)),
            0..3,
        ),
        cycles in prop::collection::btree_map(prop::sample::select(Workload::ALL), (any::<u64>(), any::<u64>()), 0..8),
    ) -> Interval {
        let mut interval = Interval::empty(from_ms, to_ms, phase);
        interval.gateway_life = gateway_life;
        interval.counters = counters;
        interval.timings = timings;
        let gauge = |(min, max, last, count)| GaugeSummary { min, max, last, count };
        interval.gauges = gauges.into_iter().map(|(name, of)| (name, gauge(of))).collect();
        let buckets = |(bounds_seconds, counts)| Buckets { bounds_seconds, counts };
        interval.sources = sources.into_iter().map(|(name, of)| (name, buckets(of))).collect();
        let played = |(started, finished)| Cycles { started, finished };
        interval.cycles = cycles.into_iter().map(|(name, of)| (name, played(of))).collect();
        interval
    }
}

fn wild_record() -> impl Strategy<Value = Record> {
    let chaos = prop::sample::select(Chaos::ALL);
    let finding = prop_oneof![
        ".{0,300}".prop_map(|answer| Finding::NotReady { answer }),
        (any::<u64>(), ".{0,9}").prop_map(|(waited_ms, answer)| Finding::VersionNotFound {
            version: String::new(),
            waited_ms,
            answer
        }),
        (chaos, any::<u64>()).prop_map(|(chaos, recovery_ms)| Finding::ChaosRecovered { chaos, recovery_ms }),
        (any::<u64>(), any::<u64>()).prop_map(|(from_ms, to_ms)| Finding::Hole {
            from_ms,
            to_ms,
            why: String::new(),
            cut: [(Workload::Runs, to_ms)].into()
        }),
        any::<u64>().prop_map(|due_ms| Finding::Heartbeat { due_ms, open_streams: 0, runs_started: 0 }),
        ".{0,9}".prop_map(|worker| Finding::WorkerGaveUp { worker }),
    ];
    let incident = (any::<u64>(), prop::sample::select(Phase::ALL), finding)
        .prop_map(|(at_ms, phase, finding)| Record::Incident(Incident { at_ms, phase, finding }));
    prop_oneof![wild_interval().prop_map(|interval| Record::Interval(Box::new(interval))), incident]
}

/// A plan in which nothing happens.
fn empty_plan() -> Plan {
    let scenario = Scenario {
        full_duration: std::time::Duration::ZERO,
        smoke_duration: std::time::Duration::ZERO,
        ..Scenario::default()
    };
    Plan::new(Suite::Full, &scenario, 1, 1.0)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_record_makes_a_judge_or_a_renderer_panic(
        records in prop::collection::vec(wild_record(), 0..12), suite in prop::sample::select(Suite::ALL), empty: bool,
    ) {
        let plan = if empty { empty_plan() } else { Plan::new(suite, &Scenario::default(), 1, 120.0) };
        let targets = Targets::default();
        let mut history = History::new(&plan, &targets.sample_limits());
        records.iter().for_each(|record| history.absorb(record));
        let verdicts = judge(&plan, &targets, &history);
        for judgement in verdicts.iter() {
            prop_assert!(judgement.value.is_none_or(f64::is_finite), "{judgement:?}");
            prop_assert!(judgement.verdict != Verdict::Unproven || !judgement.reason.is_empty(), "{judgement:?}");
            prop_assert!(!failure_text(judgement, suite, "a folder").is_empty());
        }
        prop_assert!(Kpi::ALL.iter().filter(|kpi| is_already_certain(**kpi, &targets, &history)).count() <= Kpi::ALL.len());
        let results = Results::of(&plan, &targets, &history, &Waivers::default(), Stage::Playing);
        prop_assert!(!kpi_table(&results, TerminalLook::PLAIN).is_empty());
        prop_assert!(!snapshot_json(&history, &std::collections::BTreeMap::new(), 0, "").is_empty());
    }

    #[test]
    fn the_order_of_records_does_not_matter(seed: u64) {
        use rand::{SeedableRng, seq::SliceRandom};
        let mut soak = Soak::healthy(Suite::Full);
        let shuffled = {
            let mut records: Vec<Record> = soak.records().collect();
            records.shuffle(&mut rand_pcg::Pcg64::seed_from_u64(seed));
            let mut history = History::new(&soak.plan, &soak.targets.sample_limits());
            records.iter().for_each(|record| history.absorb(record));
            judge(&soak.plan, &soak.targets, &history)
        };
        let in_order = soak.judge();
        prop_assert_eq!(&shuffled, &in_order);
        soak.intervals.reverse();
        prop_assert_eq!(&soak.judge(), &in_order);
    }
}

#[test]
fn a_plan_without_anything_in_it_is_never_green_for_a_kpi() {
    let (plan, targets) = (empty_plan(), Targets::default());
    for judgement in judge(&plan, &targets, &History::new(&plan, &targets.sample_limits())).kpis {
        assert_eq!(Verdict::Unproven, judgement.verdict, "{judgement:?}");
    }
}

#[test]
fn a_journal_judged_again_with_other_targets_gets_other_verdicts() {
    let soak = Soak::healthy(Suite::Full);
    let history = soak.history();
    let mut strict = Targets::default();
    strict.set("start_to_log_p95_ms_max", 150.0).unwrap();
    let of = |targets| judge(&soak.plan, targets, &history).kpi(Kpi::StartToLogP95).unwrap().verdict;
    assert_eq!((Verdict::Pass, Verdict::Fail), (of(&Targets::default()), of(&strict)));
}
