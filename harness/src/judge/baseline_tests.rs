//! An earlier run: what moved, what did not, what nobody can say, and what is red for it.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Baseline, Change, Compared, Fault, Judgement, Note, Range, Verdict, Verdicts};
use crate::{
    catalog::{Kpi, Suite},
    journal::{Counter, Timing},
    judge::fixtures::{
        sick::sick,
        soak::{Soak, run_id, timing},
    },
    report::{fixture::rendered, results_json},
    results::{Stage, Waivers},
};

const THEN: &str = "s2-full-results-then.json";

fn results_of(soak: &Soak) -> Value {
    serde_json::from_str(&rendered(soak, &Waivers::default(), Stage::Over, results_json)).unwrap()
}

/// The results of a healthy soak in which one KPI was otherwise.
fn but(kpi: Kpi, change: impl FnOnce(&mut Value)) -> Value {
    let mut results = results_of(&Soak::healthy(Suite::Full));
    let kpis = results["kpis"].as_array_mut().unwrap();
    change(kpis.iter_mut().find(|judged| judged["name"] == kpi.name()).unwrap());
    results
}

fn valued(kpi: Kpi, value: f64, range: Option<(f64, f64)>) -> Value {
    but(kpi, |judged| {
        judged["value"] = json!(value);
        judged["range"] = json!(range);
    })
}

fn since(then: &Value, limit: Option<f64>, mut now: Soak) -> Verdicts {
    let baseline = Baseline::from_json(THEN, &then.to_string()).unwrap();
    now.targets.compare_with(baseline.with_limit(limit));
    now.judge()
}

fn of(verdicts: &Verdicts, kpi: Kpi) -> (Judgement, Compared) {
    let compared = verdicts.comparison.as_ref().unwrap().kpis.iter().find(|compared| compared.name == kpi.name());
    (verdicts.kpi(kpi).unwrap().clone(), compared.unwrap().clone())
}

/// How a healthy soak compares with one in which a KPI had another value, with a limit of 10 %.
fn healthy_since(kpi: Kpi, value: f64, range: Option<(f64, f64)>) -> (Judgement, Compared) {
    of(&since(&valued(kpi, value, range), Some(10.0), Soak::healthy(Suite::Full)), kpi)
}

fn with_start_to_log(suite: Suite, ms: u64) -> Soak {
    Soak::healthy(suite).each(|interval| {
        let minute = interval.from_ms / 60_000;
        // Never twice the same, so that ranges have a width.
        let value_us = ms * 1_000 + minute % 7 * 1_000;
        interval.timings.insert(Timing::StartToLog, timing(value_us, 3, interval.from_ms, &run_id(minute)));
    })
}

#[test]
fn a_soak_like_the_one_before_moved_nowhere_and_is_green_under_any_limit() {
    let soak = Soak::healthy(Suite::Full);
    let verdicts = since(&results_of(&soak), Some(0.001), soak.clone());
    assert_eq!(Verdict::Pass, verdicts.overall());
    let comparison = verdicts.comparison.unwrap();
    assert_eq!(verdicts.kpis.len(), comparison.kpis.len());
    assert!(comparison.notes.is_empty(), "{comparison:?}");
    for kpi in comparison.kpis {
        assert!(matches!(kpi.verdict, Change::WithinNoise | Change::NoRange) && !kpi.is_regression, "{kpi:?}");
        assert!(kpi.change.unwrap().abs() < 0.001 && kpi.why.is_none(), "{kpi:?}");
    }
    assert_eq!(None, soak.judge().comparison);
}

#[test]
fn what_is_slower_is_told_and_red_only_beyond_a_limit() {
    let then = results_of(&with_start_to_log(Suite::Full, 250));
    let slower = |limit| of(&since(&then, limit, with_start_to_log(Suite::Full, 900)), Kpi::StartToLogP95);
    let (judgement, compared) = slower(None);
    assert_eq!((Verdict::Pass, Change::Worse, false), (judgement.verdict, compared.verdict, compared.is_regression));
    assert_eq!((None, Some(650)), (judgement.reason_text(), compared.change.map(|ms| ms.round() as i64)));
    assert_eq!(Some(254), compared.change_percent.map(|percent| percent.round() as i64));
    assert_eq!(Verdict::Pass, slower(Some(300.0)).0.verdict);

    let (judgement, compared) = slower(Some(10.0));
    assert_eq!((Verdict::Fail, true), (judgement.verdict, compared.is_regression));
    let reason = judgement.reason_text().unwrap();
    let said = [
        "target of 1200 ms is met",
        "limit of 10 %",
        "256 ms (256 to 256 ms) then",
        "906 ms (906 to 906 ms) now",
        "worse by 254 %",
    ];
    said.iter().for_each(|said| assert!(reason.contains(said), "{said}: {reason}"));
    let is_named = |note: &Note| matches!(note, Note::ComparedWith { baseline, .. } if baseline == THEN);
    assert!(is_named(&judgement.evidence.notes[0]), "{:?}", judgement.evidence);
}

#[test]
fn what_is_faster_is_better_and_no_limit_turns_it_red() {
    let then = results_of(&with_start_to_log(Suite::Full, 900));
    let (judgement, compared) = of(&since(&then, Some(1.0), with_start_to_log(Suite::Full, 250)), Kpi::StartToLogP95);
    assert_eq!((Verdict::Pass, Change::Better), (judgement.verdict, compared.verdict));
    assert_eq!((None, false), (compared.worse_percent, compared.is_regression));
}

#[test]
fn more_of_what_went_well_is_better_and_less_of_it_worse() {
    let (judgement, compared) = healthy_since(Kpi::RunSuccess, 95.5, Some((95.0, 96.0)));
    assert_eq!((Verdict::Pass, Change::Better), (judgement.verdict, compared.verdict));

    let failing = Soak::healthy(Suite::Full).each(|interval| {
        let is_one_short = interval.from_ms % 600_000 == 0;
        let succeeded = interval.counters.get_mut(&Counter::RunsSucceeded).unwrap();
        *succeeded -= u64::from(is_one_short && *succeeded > 0);
    });
    // 96.6 % is above the target of 95 %, and failures are three times what they were.
    let then = valued(Kpi::RunSuccess, 99.0, Some((98.9, 99.1)));
    let (judgement, compared) = of(&since(&then, Some(100.0), failing.clone()), Kpi::RunSuccess);
    assert_eq!((Verdict::Fail, Change::Worse), (judgement.verdict, compared.verdict), "{compared:?}");
    assert!(compared.worse_percent.unwrap() > 200.0, "{compared:?}");
    // Of all, none were missing: the share is one of what the target lets miss.
    let then = valued(Kpi::RunSuccess, 100.0, Some((99.9, 100.0)));
    let (judgement, compared) = of(&since(&then, Some(100.0), failing), Kpi::RunSuccess);
    assert_eq!((Verdict::Pass, Change::Worse), (judgement.verdict, compared.verdict));
    assert!((60.0..80.0).contains(&compared.worse_percent.unwrap()), "{compared:?}");
}

#[test]
fn a_value_that_is_far_worse_within_the_noise_is_not_red() {
    let (judgement, compared) = healthy_since(Kpi::StartToLogP95, 20.0, Some((10.0, 400.0)));
    assert_eq!((Verdict::Pass, Change::WithinNoise), (judgement.verdict, compared.verdict));
    assert_eq!(Some(900), compared.worse_percent.map(|percent| percent.round() as i64));
}

#[test]
fn from_nothing_there_is_no_share_and_the_targets_counts() {
    let erring = Soak::healthy(Suite::Full).each(|interval| {
        let is_bad = interval.from_ms % 1_200_000 == 0;
        interval.counters.insert(Counter::RequestErrors, u64::from(is_bad));
    });
    let then = valued(Kpi::ErrorRateSteady, 0.0, Some((0.0, 0.001)));
    let (judgement, compared) = of(&since(&then, Some(10.0), erring), Kpi::ErrorRateSteady);
    assert_eq!((Verdict::Fail, Change::Worse), (judgement.verdict, compared.verdict), "{compared:?}");
    assert_eq!(None, compared.change_percent);
    assert!(compared.worse_percent.unwrap().is_finite());
}

#[test]
fn what_has_no_range_says_so_and_goes_red_by_a_share_of_its_target() {
    // 0.9 s now, of a target of 10 s.
    let (judgement, compared) = healthy_since(Kpi::PublishSearchDelay, 0.1, None);
    assert_eq!((Verdict::Pass, Change::NoRange), (judgement.verdict, compared.verdict));
    assert_eq!(Some(8), compared.worse_percent.map(|percent| percent.round() as i64));
    let then = valued(Kpi::PublishSearchDelay, 0.1, None);
    let (judgement, _) = of(&since(&then, Some(7.0), Soak::healthy(Suite::Full)), Kpi::PublishSearchDelay);
    assert_eq!(Verdict::Fail, judgement.verdict);
    assert!(matches!(judgement.reason[..], [Note::Fault(Fault::Regressed { now: (_, None), .. })]));
    // Results of before there were ranges.
    let old = but(Kpi::StartToLogP95, |judged| drop(judged.as_object_mut().unwrap().remove("range")));
    let (_, compared) = of(&since(&old, None, Soak::healthy(Suite::Full)), Kpi::StartToLogP95);
    assert_eq!((Change::NoRange, None), (compared.verdict, compared.then_range));
}

#[test]
fn a_drift_near_nothing_is_no_tenfold_of_one_nearer_to_it() {
    let (judgement, compared) = healthy_since(Kpi::FdDrift, -0.0, Some((0.0, 0.0)));
    assert!(!compared.is_regression && judgement.verdict == Verdict::Pass, "{compared:?}");
    let mut leaking = sick(Kpi::FdDrift);
    leaking.targets.set("fd_drift_max", 1_000.0).unwrap();
    let then = valued(Kpi::FdDrift, 0.1, Some((0.0, 1.1)));
    let (_, compared) = of(&since(&then, Some(0.1), leaking), Kpi::FdDrift);
    assert_eq!((Change::Worse, true), (compared.verdict, compared.is_regression), "{compared:?}");
    assert!(compared.worse_percent.unwrap() < 100.0, "a share of the target: {compared:?}");
}

#[test]
fn what_is_not_the_same_thing_or_not_known_is_not_compared() {
    let why = |then: &Value, now: Soak| {
        let (judgement, compared) = of(&since(then, Some(1.0), now), Kpi::StartToLogP95);
        assert_eq!((Change::NotComparable, None), (compared.verdict, compared.change));
        assert_ne!(Verdict::Fail, judgement.verdict);
        compared.why.unwrap()
    };
    let healthy = || Soak::healthy(Suite::Full);
    let changed = |change: fn(&mut Value)| but(Kpi::StartToLogP95, change);
    assert_eq!("was not judged then", why(&changed(|judged| judged["name"] = "p95".into()), healthy()));
    assert_eq!("was unproven then", why(&changed(|judged| judged["verdict"] = "unproven".into()), healthy()));
    assert_eq!("had another unit then", why(&changed(|judged| judged["unit"] = "s".into()), healthy()));
    let mut waived = results_of(&healthy());
    waived["waived"] = json!([{ "name": "start_to_log_p95", "reason": "a known issue" }]);
    assert_eq!("was waived then", why(&waived, healthy()));
    assert_eq!("is unproven now", why(&results_of(&healthy()), healthy().cut_at(1_200_000)));
}

#[test]
fn with_few_samples_only_what_chance_does_not_explain_has_moved() {
    let moved = |then: u64, now: u64, kpi| {
        let then = results_of(&with_start_to_log(Suite::Smoke, then));
        of(&since(&then, None, with_start_to_log(Suite::Smoke, now)), kpi).1
    };
    // Of 45 runs the six slowest now are over all 45 of then: one chance in a hundred and more.
    let p95 = moved(250, 900, Kpi::StartToLogP95);
    assert_eq!(Change::Worse, p95.verdict, "{p95:?}");
    // Of the 99th percentile less is known: three are over all, which one soak in nine of the same gateway does.
    let p99 = moved(250, 900, Kpi::StartToLogP99);
    assert_eq!(Change::WithinNoise, p99.verdict, "{p99:?}");
    assert_eq!(Some("too few samples to say more"), p99.why.as_deref());
    assert_eq!(Change::Better, moved(900, 250, Kpi::StartToLogP95).verdict);
    let same = moved(250, 250, Kpi::StartToLogP95);
    assert_eq!((Change::WithinNoise, None), (same.verdict, same.why));
}

#[test]
fn runs_that_differ_in_pace_or_length_are_compared_and_that_is_said() {
    let mut then = results_of(&Soak::healthy(Suite::Full));
    (then["summary"]["pace"], then["summary"]["plannedMinutes"]) = (json!(120.0), json!(60.0));
    then["summary"]["endedAt"] = Value::Null;
    let comparison = since(&then, None, Soak::healthy(Suite::Full)).comparison.unwrap();
    let length = Note::LengthDiffers { then_minutes: 60.0, now_minutes: 120.0 };
    assert_eq!([Note::PaceDiffers { then: 120.0, now: 1.0 }, length, Note::BaselineUnended], *comparison.notes);
}

#[test]
fn another_suite_is_not_compared() {
    let verdicts = since(&results_of(&Soak::healthy(Suite::Smoke)), Some(1.0), Soak::healthy(Suite::Full));
    assert_eq!((None, Verdict::Pass), (verdicts.comparison.clone(), verdicts.overall()));
}

#[test]
fn a_kpi_that_misses_its_target_is_red_for_that() {
    let now = sick(Kpi::StartToLogP95);
    let bare = now.judge();
    let verdicts = since(&results_of(&Soak::healthy(Suite::Full)), Some(10.0), now);
    let (judgement, compared) = of(&verdicts, Kpi::StartToLogP95);
    assert_eq!((bare.kpi(Kpi::StartToLogP95), true), (Some(&judgement), compared.is_regression));
}

#[test]
fn what_is_no_results_file_is_refused_with_what_it_should_be() {
    for text in ["", "{", "[]", "{\"summary\": {}}", "nul\0l"] {
        let error = Baseline::from_json("x.json", text).unwrap_err().to_string();
        assert!(error.contains("s2-smoke-results-"), "{error}");
    }
    let mut other = results_of(&Soak::healthy(Suite::Full));
    other["summary"]["suite"] = "nightly".into();
    assert!(Baseline::from_json("x.json", &other.to_string()).is_err());
}

proptest! {
    #[test]
    fn whatever_values_and_ranges_a_file_holds_nothing_panics_and_no_share_is_infinite(
        value in any::<f64>(), low in any::<f64>(), high in any::<f64>(), samples in any::<u64>(), is_open in any::<bool>(),
        kpi in prop::sample::select(Kpi::ALL),
    ) {
        let then = but(kpi, |judged| {
            judged["value"] = json!(value);
            judged["range"] = json!([low, high]);
            judged["samples"] = json!(samples);
            judged["rangeIsOpen"] = json!(is_open);
        });
        if let Ok(baseline) = Baseline::from_json("x", &then.to_string()) {
            let mut soak = Soak::healthy(Suite::Full);
            soak.intervals.truncate(3);
            soak.targets.compare_with(baseline.with_limit(Some(10.0)));
            let comparison = soak.judge().comparison.unwrap();
            prop_assert!(serde_json::to_string(&comparison).is_ok());
        }
    }
}

#[test]
fn a_range_travels_as_two_numbers() {
    let range = Range { low: 1.5, high: 2.0 };
    assert_eq!("[1.5,2.0]", serde_json::to_string(&range).unwrap());
    assert_eq!(range, serde_json::from_str("[1.5, 2]").unwrap());
}
