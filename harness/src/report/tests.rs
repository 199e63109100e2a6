//! The texts for people: failures of every KPI and check, the results, the table, a snapshot. Kept as snapshots, to be
//! read as a stranger reads them.

use std::{collections::BTreeMap, path::Path};

use super::{
    Occasion, RunFolder, TerminalLook, comparison_table, failure_text,
    fixture::{FOLDER, rendered, waiving},
    heartbeat_line, kpi_table, results_json, snapshot_json,
};
use crate::{
    catalog::{Chaos, HarnessCheck, Kpi, Suite, Workload},
    journal::{Counter, End, EndReason, Finding, Timing},
    judge::{
        Baseline, Judgement, Verdict,
        fixtures::{
            sick::{diagnosis, sick, starved_from, take, without_metrics},
            soak::{Soak, run_id, timing},
        },
    },
    results::{Results, Stage, Waivers},
    snapshots::assert_snapshot,
};

fn text(judgement: &Judgement) -> String {
    failure_text(judgement, Suite::Full, FOLDER)
}

#[test]
fn a_failure_of_every_kpi_tells_a_stranger_what_went_wrong() {
    let texts = Kpi::ALL.iter().map(|kpi| text(diagnosis(*kpi).verdicts.kpi(*kpi).unwrap()));
    assert_snapshot("failures", &texts.collect::<Vec<_>>().join("\n\n"));
}

#[test]
fn every_kpi_that_is_unproven_tells_a_stranger_why() {
    let texts = [starved_from(0), starved_from(60)].into_iter().flat_map(|verdicts| verdicts.kpis);
    assert_snapshot("unproven", &texts.map(|judgement| text(&judgement)).collect::<Vec<_>>().join("\n\n"));
}

#[test]
fn what_went_wrong_with_workloads_chaos_and_the_harness_is_told_too() {
    let mut texts = Vec::new();
    let mut add = |soak: &Soak, is_told: &dyn Fn(&Judgement) -> bool| {
        let verdicts = soak.judge();
        let red = verdicts.iter().filter(|judgement| judgement.verdict != Verdict::Pass && is_told(judgement));
        texts.extend(red.map(text));
    };

    let mut dead = Soak::healthy(Suite::Full).cut_at(50 * 60_000);
    let names =
        ["no_fatal_errors", "heartbeats", "full_duration", "load_delivered", "w1_realistic_runs", "run_success"];
    add(&dead, &|judgement| names.contains(&judgement.name.as_str()));

    dead.happens(3_000_000, Finding::Fatal { message: "cannot append to the journal: is the disk full?".into() });
    let ended_at = "2026-11-23T10:50:00Z".into();
    dead.end = Some(End { at_ms: 3_000_000, ended_at, reason: EndReason::Fatal });
    add(&dead, &|judgement| ["no_fatal_errors", "w5_privacy_slice", "rss_drift"].contains(&judgement.name.as_str()));

    let mut given_up = Soak::healthy(Suite::Full);
    let (worker, message) = (Workload::Safety.name().to_owned(), "index out of bounds".to_owned());
    given_up.happens(3_100_000, Finding::WorkerPanicked { worker: worker.clone(), count: 5, message });
    given_up.happens(3_100_000, Finding::WorkerGaveUp { worker });
    for interval in given_up.intervals.iter_mut().filter(|interval| interval.from_ms > 3_100_000) {
        interval.cycles.remove(&Workload::Safety);
    }
    add(&given_up, &|judgement| judgement.name == Workload::Safety.name());

    let mut idle = Soak::healthy(Suite::Full);
    for incident in &mut idle.incidents {
        if let Finding::ChaosSeen { chaos: Chaos::Latency, effective, evidence } = &mut incident.finding {
            (*effective, *evidence) = (false, "the median answer stayed at 4 ms".into());
        }
    }
    let answer = "17 of 20 streams are back".into();
    idle.happens(2_760_000, Finding::ChaosNotRecovered { chaos: Chaos::RedisRestart, waited_ms: 60_000, answer });
    add(&idle, &|_| true);

    let late = Soak::healthy(Suite::Full).each(|interval| {
        let late = timing(250_000, 3, interval.from_ms, &run_id(interval.from_ms / 60_000));
        interval.timings.insert(Timing::StartLateness, late);
    });
    add(&late, &|_| true);

    let mut held = Soak::healthy(Suite::Full);
    held.happens(
        690_000,
        Finding::Hole { from_ms: 600_000, to_ms: 690_000, why: "the session was killed".into(), cut: [].into() },
    );
    add(&held, &|_| true);

    add(&without_metrics(), &|_| true);
    assert_snapshot("failures_of_the_rest", &texts.join("\n\n"));
}

#[test]
fn a_failure_is_plain_lines_whatever_the_gateway_said() {
    let mut soak = Soak::healthy(Suite::Full);
    take(soak.minute(41), Counter::TamperedRejected, 1);
    let (version, answer) = ("v\u{1b}[2J\n\nforged: ok".to_owned(), "x\u{202e}\r\n".repeat(500));
    soak.happens(3_660_000, Finding::TamperAccepted { version, answer });
    let told = text(soak.judge().kpi(Kpi::TamperedManifests).unwrap());
    assert!(!told.chars().any(|c| c != '\n' && (c.is_control() || c == '\u{202e}')), "{told}");
    assert!(told.lines().count() <= 8 && told.chars().count() < 4_000, "{told}");
}

fn results(soak: &Soak, waivers: &Waivers) -> String {
    rendered(soak, waivers, Stage::Over, results_json)
}

#[test]
fn the_results_hold_everything_under_stable_names() {
    let waivers = waiving(Kpi::RssDrift, "until 4711 is fixed");
    assert_snapshot("results", &results(&sick(Kpi::StartToLogP99), &waivers));
}

#[test]
fn the_same_soak_gives_the_same_results_to_the_byte() {
    let soak = sick(Kpi::RssDrift);
    assert_eq!(results(&soak, &Waivers::default()), results(&soak, &Waivers::default()));
}

#[test]
fn a_waived_kpi_does_not_count_and_its_reason_stands_in_the_results() {
    let read = |waivers: &Waivers| {
        let json: serde_json::Value = serde_json::from_str(&results(&sick(Kpi::RssDrift), waivers)).unwrap();
        json
    };
    assert_eq!("fail", read(&Waivers::default())["summary"]["verdict"]);
    let waived = read(&waiving(Kpi::RssDrift, "a leak we know"));
    assert_eq!("pass", waived["summary"]["verdict"]);
    assert_eq!((0, 1), (waived["summary"]["failed"].as_u64().unwrap(), waived["summary"]["waived"].as_u64().unwrap()));
    assert_eq!("a leak we know", waived["waived"][0]["reason"]);
}

#[test]
fn results_while_the_soak_goes_on_have_no_end_no_fatal_error_and_nothing_green() {
    let soak = Soak::healthy(Suite::Full).cut_at(1_200_000);
    let json = rendered(&soak, &Waivers::default(), Stage::Playing, results_json);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        ("unproven", 0),
        (json["summary"]["verdict"].as_str().unwrap(), json["summary"]["passed"].as_u64().unwrap())
    );
    let kpis = json["kpis"].as_array().unwrap();
    assert!(kpis.iter().all(|kpi| kpi["verdict"] == "unproven" && kpi["reason"].is_string()), "{json}");
    assert!(json["summary"]["endedAt"].is_null() && json["fatalError"].is_null());
    assert_eq!(20.0, json["durationMinutes"].as_f64().unwrap());
}

#[test]
fn a_snapshot_holds_metrics_counters_processes_and_quantiles() {
    let metrics = BTreeMap::from([("run_queue_depth".to_owned(), 0.0), ("odd".to_owned(), f64::NAN)]);
    let json = snapshot_json(&Soak::healthy(Suite::Smoke).history(), &metrics, 10, "2026-11-23T10:10:00Z");
    assert_snapshot("snapshot", &json);
}

#[test]
fn the_table_shows_every_kpi_at_a_glance() {
    let verdicts = diagnosis(Kpi::StartToLogP99).verdicts.clone();
    let results = Results::new(Suite::Full, verdicts, &Waivers::default(), |_| true);
    assert_snapshot("kpi_table", &kpi_table(&results, TerminalLook::PLAIN));
}

/// Slower than it was, and under its target.
fn regressed() -> Soak {
    let slow = |ms: u64| {
        Soak::healthy(Suite::Full).each(move |interval| {
            let minute = interval.from_ms / 60_000;
            let value_us = (ms + minute % 7) * 1_000;
            interval.timings.insert(Timing::StartToLog, timing(value_us, 3, interval.from_ms, &run_id(minute)));
        })
    };
    let mut then: serde_json::Value = serde_json::from_str(&results(&slow(250), &Waivers::default())).unwrap();
    then["summary"]["pace"] = 120.0.into();
    then["kpis"][5]["verdict"] = "unproven".into();
    let baseline = Baseline::from_json("s2-full-results-2026-11-22T10-00-00.json", &then.to_string()).unwrap();
    let mut now = slow(900);
    now.targets.compare_with(baseline.with_limit(Some(10.0)));
    now
}

#[test]
fn a_regression_under_the_target_tells_a_stranger_what_moved() {
    let verdicts = regressed().judge();
    let texts = [Kpi::StartToLogP95, Kpi::StartToLogP99].map(|kpi| text(verdicts.kpi(kpi).unwrap()));
    assert_snapshot("failures_against_a_baseline", &texts.join("\n\n"));
}

#[test]
fn the_comparison_shows_then_and_now_at_a_glance_and_stands_in_the_results() {
    let verdicts = regressed().judge();
    assert_snapshot("comparison_table", &comparison_table(verdicts.comparison.as_ref().unwrap()));
    let json: serde_json::Value = serde_json::from_str(&results(&regressed(), &Waivers::default())).unwrap();
    assert_snapshot("comparison", &serde_json::to_string_pretty(&json["comparison"]).unwrap());
    let bare: serde_json::Value =
        serde_json::from_str(&results(&Soak::healthy(Suite::Full), &Waivers::default())).unwrap();
    assert!(bare.as_object().unwrap().contains_key("comparison") && bare["comparison"].is_null());
}

#[test]
fn the_heartbeat_is_the_line_that_people_grep_for() {
    assert_eq!("💓 S2 alive — t=45m, active SSE=20, runs started=135", heartbeat_line(45, 20, 135));
}

#[test]
fn a_folder_and_its_files_are_named_by_suite_and_stamp() {
    let folder = RunFolder::new(Path::new("target/soak"), Suite::Full, "2026-11-23T10-00-00");
    assert_eq!(Path::new(FOLDER), folder.path());
    let names = [
        (folder.journal(), "journal.ndjson"),
        (folder.results(), "s2-full-results-2026-11-23T10-00-00.json"),
        (folder.output(Occasion::Played, "junit", "xml"), "s2-full-junit-2026-11-23T10-00-00.xml"),
        (folder.log(), "s2-logs/s2-full-2026-11-23T10-00-00.log"),
        (folder.snapshot(0), "s2-snapshot-S2-00-2026-11-23T10-00-00.json"),
        (folder.snapshot(10), "s2-snapshot-S2-10-2026-11-23T10-00-00.json"),
        (folder.snapshot(120), "s2-snapshot-S2-120-2026-11-23T10-00-00.json"),
    ];
    for (path, name) in names {
        assert_eq!(Path::new(FOLDER).join(name), path);
    }
    assert_eq!(Path::new("target/soak/latest-full"), folder.latest_link());
    assert_eq!(Some(folder), RunFolder::from_path(Path::new(FOLDER)));
    for other in ["target/soak/latest-full", "target/soak/full", "target/soak/full-", "/"] {
        assert_eq!(None, RunFolder::from_path(Path::new(other)), "{other}");
    }
}

#[test]
fn every_check_and_kpi_has_a_title_of_its_own() {
    let verdicts = Soak::healthy(Suite::Full).judge();
    let mut titles: Vec<String> = verdicts.iter().map(super::title::title).collect();
    titles.sort();
    titles.dedup();
    assert_eq!(verdicts.iter().count(), titles.len());
    assert_eq!(HarnessCheck::ALL.len(), verdicts.harness.len());
}
