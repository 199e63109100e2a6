//! Every KPI: green on a healthy soak, red with evidence on a sick one, unproven on none and on too little.

use super::{
    Fault, HistogramGap, Judged, Judgement, Note, Targets, UnprovenReason, Verdict, is_already_certain, judge,
};
use crate::{
    catalog::{HarnessCheck, Kpi, Phase, Suite, Workload},
    history::History,
    journal::{Buckets, Counter, End, EndReason, Finding, Source, Timing},
    judge::fixtures::{
        sick::{add, diagnosis, sick, starved_from, take, without_metrics},
        soak::{Soak, run_id, timing},
    },
};

/// KPIs of which one bad sample is proof.
const CERTAIN_BY_ONE: [Kpi; 7] = [
    Kpi::PlaintextLeaks,
    Kpi::TamperedManifests,
    Kpi::InjectionsBlocked,
    Kpi::PiiMasked,
    Kpi::SseDuplicates,
    Kpi::SseGaps,
    Kpi::RegistryConsistency,
];

fn of(soak: &Soak, kpi: Kpi) -> Judgement {
    soak.judge().kpi(kpi).unwrap().clone()
}

fn workload(soak: &Soak, workload: Workload) -> Judgement {
    soak.judge().workload(workload).unwrap().clone()
}

fn check(soak: &Soak, check: HarnessCheck) -> Judgement {
    soak.judge().harness(check).unwrap().clone()
}

#[test]
fn everything_is_green_on_a_healthy_soak_of_any_suite() {
    for suite in Suite::ALL {
        for judgement in Soak::healthy(*suite).judge().iter() {
            assert_eq!(Verdict::Pass, judgement.verdict, "{suite}: {judgement:#?}");
        }
    }
}

#[test]
fn every_name_of_the_suite_is_judged_once_and_in_order() {
    for suite in Suite::ALL {
        let verdicts = Soak::healthy(*suite).judge();
        let names = |judgements: &[Judgement]| judgements.iter().map(|j| j.name.clone()).collect::<Vec<_>>();
        assert_eq!(Kpi::of(*suite).map(|kpi| kpi.name().to_owned()).collect::<Vec<_>>(), names(&verdicts.kpis));
        assert_eq!(
            Workload::of(*suite).map(|workload| workload.name().to_owned()).collect::<Vec<_>>(),
            names(&verdicts.workloads)
        );
        assert_eq!(
            HarnessCheck::of(*suite).map(|check| check.name().to_owned()).collect::<Vec<_>>(),
            names(&verdicts.harness)
        );
    }
}

#[test]
fn every_kpi_can_go_red_and_says_when_it_first_did() {
    for kpi in Kpi::ALL {
        let judgement = diagnosis(*kpi).verdicts.kpi(*kpi).unwrap();
        assert_eq!(Verdict::Fail, judgement.verdict, "{judgement:#?}");
        assert!(judgement.evidence.first.is_some(), "{judgement:#?}");
        assert!(judgement.value.is_some() && judgement.samples > 0, "{judgement:#?}");
    }
}

#[test]
fn a_sickness_of_one_kpi_reddens_no_other() {
    for kpi in Kpi::ALL {
        let red = diagnosis(*kpi).verdicts.kpis.iter().filter(|judgement| judgement.verdict != Verdict::Pass);
        let red = red.map(|judgement| judgement.name.as_str()).filter(|name| *name != kpi.name());
        // Two quantiles of one latency go together.
        let red: Vec<&str> = red.filter(|name| !name.starts_with("start_to_log")).collect();
        assert!(red.is_empty(), "{kpi}: {red:?}");
    }
}

#[test]
fn every_kpi_is_unproven_without_data_and_says_why() {
    for judgement in starved_from(0).kpis {
        assert_eq!((Verdict::Unproven, 0), (judgement.verdict, judgement.samples), "{judgement:#?}");
        assert!(judgement.promised > 0 && !judgement.reason.is_empty(), "{judgement:#?}");
    }
}

#[test]
fn every_kpi_is_unproven_with_half_its_samples_however_good_they_are() {
    for judgement in starved_from(60).kpis {
        assert_eq!(Verdict::Unproven, judgement.verdict, "{judgement:#?}");
        assert!(judgement.samples > 0, "{judgement:#?}");
    }
}

#[test]
fn an_empty_record_proves_nothing() {
    let plan = Soak::healthy(Suite::Full).plan;
    let targets = Targets::default();
    for judgement in judge(&plan, &targets, &History::new(&plan, &targets.sample_limits())).iter() {
        assert_eq!(Verdict::Unproven, judgement.verdict, "{judgement:#?}");
        assert_eq!([Note::from(UnprovenReason::NeverBegan)], *judgement.reason, "{judgement:#?}");
    }
}

#[test]
fn proof_of_bad_is_proof_with_few_samples_too() {
    for kpi in CERTAIN_BY_ONE {
        let mut soak = sick(kpi);
        let moments = soak.incidents.iter().filter(|incident| incident.at_ms == 2_485_000).cloned();
        let incidents: Vec<_> = moments.collect();
        // The session dies right after: too little of everything.
        soak = soak.cut_at(70 * 60_000);
        soak.incidents.extend(incidents);
        assert_eq!(Verdict::Fail, of(&soak, kpi).verdict, "{kpi}");
        assert!(is_already_certain(kpi, &soak.targets, &soak.history()), "{kpi}");
    }
}

#[test]
fn a_failure_is_certain_early_only_where_nothing_can_undo_it() {
    let healthy = Soak::healthy(Suite::Full).history();
    for kpi in Kpi::ALL {
        assert!(!is_already_certain(*kpi, &Targets::default(), &healthy), "{kpi}");
        let of_the_worst = [Kpi::PublishSearchDelay, Kpi::ChaosRecovery].contains(kpi);
        let is_certain = CERTAIN_BY_ONE.contains(kpi) || of_the_worst;
        assert_eq!(is_certain, diagnosis(*kpi).certain.contains(kpi), "{kpi}");
    }
}

#[test]
fn a_tampered_manifest_that_is_not_yet_answered_is_no_certain_failure() {
    let mut soak = Soak::healthy(Suite::Full);
    take(soak.minute(41), Counter::TamperedRejected, 1);
    assert!(!is_already_certain(Kpi::TamperedManifests, &soak.targets, &soak.history()));
    assert_eq!(Verdict::Fail, of(&soak, Kpi::TamperedManifests).verdict);
}

#[test]
fn a_source_that_answers_404_is_named_with_its_answer() {
    let soak = without_metrics();
    for kpi in [Kpi::RssDrift, Kpi::QueueDrift] {
        let judgement = of(&soak, kpi);
        assert_eq!(Verdict::Unproven, judgement.verdict);
        let (source, answer, failed, scrapes) = ("GET /metrics".into(), "404 not found".into(), 720, 720);
        assert_eq!([Note::ScrapesFailed { source, answer, failed, scrapes }], *judgement.reason);
    }
    // Guard events say the same as the histograms that are not there.
    assert_eq!(Verdict::Pass, of(&soak, Kpi::JudgeP95).verdict);
}

#[test]
fn a_session_that_stopped_early_is_the_first_cause_named() {
    let mut soak = Soak::healthy(Suite::Full).cut_at(13 * 60_000);
    soak.happens(750_000, Finding::Fatal { message: "cannot write the journal: disk full".into() });
    soak.end = Some(End { at_ms: 750_000, ended_at: "2026-11-23T10:12:30Z".into(), reason: EndReason::Fatal });
    let fatal = Some("cannot write the journal: disk full".to_owned());
    let stopped = Note::from(UnprovenReason::EndedEarly { at_ms: 750_000, reason: EndReason::Fatal, fatal });
    assert_eq!(stopped, of(&soak, Kpi::Availability).reason[0]);
    assert_eq!([stopped], *check(&soak, HarnessCheck::NoFatalErrors).reason);
    assert_eq!(Verdict::Fail, check(&soak, HarnessCheck::NoFatalErrors).verdict);
    assert_eq!(Verdict::Fail, check(&soak, HarnessCheck::FullDuration).verdict);
    assert_eq!(Verdict::Fail, workload(&soak, Workload::Runs).verdict);
}

#[test]
fn the_slowest_steady_runs_decide_and_windows_are_shown_only() {
    let mut soak = Soak::healthy(Suite::Full);
    for minute in [45, 46, 75, 76, 90, 91, 92, 93, 94, 95, 96] {
        let slow = timing(9_000_000, 3, minute * 60_000, &run_id(minute));
        soak.minute(usize::try_from(minute).unwrap()).timings.insert(Timing::StartToLog, slow);
    }
    let judgement = of(&soak, Kpi::StartToLogP99);
    assert_eq!((Verdict::Pass, 0), (judgement.verdict, judgement.evidence.over));
    let windows: Vec<Phase> = judgement.evidence.by_phase.iter().map(|of| of.phase).collect();
    assert_eq!(vec![Phase::Steady, Phase::RedisRestart, Phase::GatewayRestart, Phase::Latency], windows);
}

#[test]
fn one_slow_run_of_a_hundred_and_fifty_misses_no_p99_and_two_do() {
    for (slow, verdict) in [(3, Verdict::Pass), (4, Verdict::Fail)] {
        let mut soak = Soak::healthy(Suite::Full);
        let interval = soak.minute(20);
        let mut record = timing(200_000, 3, 1_200_000, "");
        (0..slow).for_each(|_| record.histogram.record(1_900_000));
        interval.timings.insert(Timing::StartToLog, record);
        assert_eq!(verdict, of(&soak, Kpi::StartToLogP99).verdict, "{slow} slow of 327");
    }
}

fn judged_by_buckets(bounds_seconds: &[f64], counts: &[u64]) -> Soak {
    let buckets = Buckets { bounds_seconds: bounds_seconds.to_vec(), counts: counts.to_vec() };
    Soak::healthy(Suite::Full).each(|interval| drop(interval.sources.insert(Source::Judge, buckets.clone())))
}

#[test]
fn a_bucket_under_the_target_passes_with_its_upper_bound() {
    let judgement = of(&judged_by_buckets(&[0.1, 0.3], &[0, 3, 0]), Kpi::JudgeP95);
    assert_eq!((Verdict::Pass, Some(300.0)), (judgement.verdict, judgement.value));
}

#[test]
fn a_bucket_over_the_target_fails_even_where_it_has_no_upper_bound() {
    let judgement = of(&judged_by_buckets(&[0.1, 0.3], &[2, 0, 1]), Kpi::JudgeP95);
    assert_eq!((Verdict::Fail, Some(300.0)), (judgement.verdict, judgement.value));
    assert_eq!(Some(0), judgement.evidence.first.map(|first| first.at_ms));
}

#[test]
fn a_bucket_that_the_target_divides_leaves_the_verdict_to_the_events() {
    let mut soak = judged_by_buckets(&[0.1, 0.5], &[2, 1, 0]);
    let judgement = of(&soak, Kpi::JudgeP95);
    assert_eq!((Verdict::Pass, Some(40.0)), (judgement.verdict, judgement.value.map(f64::round)));
    let between = HistogramGap::Between { lower_ms: 100.0, upper_ms: Some(500.0) };
    assert_eq!(Note::ByEvents { source: Source::Judge, gap: between }, judgement.evidence.notes[0]);

    soak = soak.each(|interval| drop(interval.timings.remove(&Timing::JudgeEvent)));
    let judgement = of(&soak, Kpi::JudgeP95);
    assert_eq!(Verdict::Unproven, judgement.verdict, "nothing is interpolated");
    let neither = Note::NeitherDecides { source: Source::Judge, gap: between, scrapes: Vec::new(), events: 0 };
    assert_eq!([neither], *judgement.reason);
}

#[test]
fn buckets_that_make_no_sense_are_no_samples() {
    let mut soak = judged_by_buckets(&[0.3, 0.1], &[3, 0, 0]);
    assert_eq!(Verdict::Pass, of(&soak, Kpi::JudgeP95).verdict, "the events are enough");
    soak = soak.each(|interval| drop(interval.timings.remove(&Timing::JudgeEvent)));
    assert_eq!((Verdict::Unproven, 0), (of(&soak, Kpi::JudgeP95).verdict, of(&soak, Kpi::JudgeP95).samples));
}

#[test]
fn a_version_that_never_appears_fails_whatever_the_others_did() {
    let mut soak = Soak::healthy(Suite::Full);
    let (version, answer) = ("soak-agent@1.0.0-5".to_owned(), "200 {\"agents\":[],\"total\":0}".to_owned());
    soak.happens(3_100_000, Finding::VersionNotFound { version, waited_ms: 20_000, answer });
    let judgement = of(&soak, Kpi::PublishSearchDelay);
    assert_eq!((Verdict::Fail, Some(20.0)), (judgement.verdict, judgement.value));
}

#[test]
fn what_the_ledger_forgot_proves_nothing_about_gaps() {
    let mut soak = Soak::healthy(Suite::Full);
    add(soak.minute(30), Counter::LedgerEvicted, 900);
    assert_eq!(Verdict::Unproven, of(&soak, Kpi::SseGaps).verdict);
    assert_eq!(Verdict::Pass, of(&soak, Kpi::SseDuplicates).verdict);
}

#[test]
fn chaos_that_was_not_recovered_from_fails_with_what_was_wrong() {
    let mut soak = Soak::healthy(Suite::Full);
    let answer = "17 of 20 streams are back".to_owned();
    let chaos = crate::catalog::Chaos::RedisRestart;
    let fault = Fault::NotRecovered { chaos, waited_ms: 60_000, answer: answer.clone() };
    soak.happens(2_800_000, Finding::ChaosNotRecovered { chaos, waited_ms: 60_000, answer });
    let judgement = of(&soak, Kpi::ChaosRecovery);
    assert_eq!((Verdict::Fail, vec![fault.into()]), (judgement.verdict, judgement.reason));
}

#[test]
fn chaos_that_did_nothing_proves_nothing() {
    let mut soak = Soak::healthy(Suite::Full);
    for incident in &mut soak.incidents {
        match &mut incident.finding {
            Finding::ChaosSeen { chaos: crate::catalog::Chaos::Latency, effective, evidence } => {
                *effective = false;
                *evidence = "the median answer stayed at 4 ms".into();
            }
            Finding::ChaosInjected { chaos: crate::catalog::Chaos::RedisRestart, accepted, answer } => {
                *accepted = false;
                *answer = "404 not found".into();
            }
            _ => {}
        }
    }
    let judgement = workload(&soak, Workload::Chaos);
    assert_eq!(Verdict::Fail, judgement.verdict);
    let reason = judgement.reason_text().unwrap();
    assert!(reason.contains("redis_restart was not accepted: 404 not found"), "{reason}");
    assert!(reason.contains("the median answer stayed at 4 ms"), "{reason}");
    let reports = soak.judge().chaos;
    assert_eq!([false, true, true], [0, 1, 2].map(|n: usize| reports[n].accepted));
    assert_eq!([Some(true), Some(true), Some(false)], [0, 1, 2].map(|n: usize| reports[n].effective));
}

#[test]
fn a_workload_that_missed_a_cycle_fails_and_probes_may_miss_one_in_a_hundred() {
    for workload_of in Workload::ALL {
        let mut soak = Soak::healthy(Suite::Full);
        let with_cycles = soak.intervals.iter_mut().map(|interval| interval.cycles.get_mut(workload_of).unwrap());
        with_cycles.filter(|cycles| cycles.started > 0).last().unwrap().finished -= 1;
        let is_probe = matches!(workload_of, Workload::Availability | Workload::Metrics);
        let verdict = if is_probe { Verdict::Pass } else { Verdict::Fail };
        assert_eq!(verdict, workload(&soak, *workload_of).verdict, "{workload_of}");
    }
}

#[test]
fn a_worker_that_was_given_up_fails_its_workload() {
    let mut soak = Soak::healthy(Suite::Full);
    let (worker, message) = (Workload::Safety.name().to_owned(), "index out of bounds".to_owned());
    let fault = Fault::WorkerGivenUp { at_ms: 7_100_000, message: message.clone() };
    soak.happens(7_100_000, Finding::WorkerPanicked { worker: worker.clone(), count: 5, message });
    soak.happens(7_100_000, Finding::WorkerGaveUp { worker });
    let judgement = workload(&soak, Workload::Safety);
    assert_eq!((Verdict::Fail, vec![fault.into()]), (judgement.verdict, judgement.reason));
    assert_eq!(Verdict::Pass, workload(&soak, Workload::Privacy).verdict);
}

#[test]
fn a_worker_that_was_restarted_and_ended_as_planned_is_green() {
    let mut soak = Soak::healthy(Suite::Full);
    let (worker, message) = (Workload::Safety.name().to_owned(), "index out of bounds".to_owned());
    soak.happens(7_100_000, Finding::WorkerPanicked { worker, count: 1, message });
    assert_eq!(Verdict::Pass, workload(&soak, Workload::Safety).verdict);
}

#[test]
fn a_record_without_an_end_fails_and_says_how_far_it_reaches() {
    let soak = Soak::healthy(Suite::Full).cut_at(50 * 60_000);
    let judgement = check(&soak, HarnessCheck::NoFatalErrors);
    let lack = UnprovenReason::EndMissing { reached_ms: 50 * 60_000 };
    assert_eq!((Verdict::Fail, vec![lack.into()]), (judgement.verdict, judgement.reason));
}

#[test]
fn a_heartbeat_that_is_late_or_missing_fails() {
    for late_ms in [None, Some(11_000)] {
        let mut soak = Soak::healthy(Suite::Full);
        let at = soak.incidents.iter().position(|i| matches!(i.finding, Finding::Heartbeat { due_ms: 600_000, .. }));
        match late_ms {
            None => drop(soak.incidents.remove(at.unwrap())),
            Some(late_ms) => soak.incidents[at.unwrap()].at_ms += late_ms,
        }
        let judgement = check(&soak, HarnessCheck::Heartbeats);
        assert_eq!(Verdict::Fail, judgement.verdict);
        assert_eq!(Some(600_000), judgement.evidence.first.map(|first| first.at_ms));
    }
}

#[test]
fn holes_are_green_under_a_hundredth_of_the_plan() {
    for (seconds, verdict) in [(60, Verdict::Pass), (90, Verdict::Fail)] {
        let mut soak = Soak::healthy(Suite::Full);
        let (from_ms, to_ms, why) = (600_000, 600_000 + seconds * 1_000, "the session was killed".to_owned());
        soak.happens(to_ms, Finding::Hole { from_ms, to_ms, why, cut: [].into() });
        assert_eq!(verdict, check(&soak, HarnessCheck::FullDuration).verdict, "{seconds} s of 120 min");
    }
}

#[test]
fn a_late_or_missing_start_fails_the_load() {
    let late = Soak::healthy(Suite::Full).each(|interval| {
        let late = timing(250_000, 3, interval.from_ms, &run_id(interval.from_ms / 60_000));
        interval.timings.insert(Timing::StartLateness, late);
    });
    let judgement = check(&late, HarnessCheck::LoadDelivered);
    assert_eq!((Verdict::Fail, crate::catalog::Unit::Millis), (judgement.verdict, judgement.unit));

    let missing = Soak::healthy(Suite::Full).each(|interval| {
        if interval.from_ms < 600_000 {
            interval.cycles.remove(&Workload::Runs);
        }
    });
    let judgement = check(&missing, HarnessCheck::LoadDelivered);
    assert_eq!((Verdict::Fail, crate::catalog::Unit::Percent), (judgement.verdict, judgement.unit));

    let unmeasured = Soak::healthy(Suite::Full).each(|interval| drop(interval.timings.remove(&Timing::StartLateness)));
    assert_eq!(Verdict::Unproven, check(&unmeasured, HarnessCheck::LoadDelivered).verdict);
}

#[test]
fn a_judgement_is_found_by_kind_and_name() {
    let verdicts = Soak::healthy(Suite::Smoke).judge();
    assert_eq!(Some(Judged::Kpi), verdicts.named(Judged::Kpi, "availability").map(|judgement| judgement.kind));
    let workload = verdicts.named(Judged::Workload, "availability");
    assert_eq!(Some(Judged::Workload), workload.map(|judgement| judgement.kind));
    assert_eq!(None, verdicts.kpi(Kpi::RssDrift));
}

#[test]
fn a_load_of_which_much_is_told_to_come_later_is_not_the_load_that_was_planned() {
    let throttled = |n: u64| {
        let soak = Soak::healthy(Suite::Full).each(|interval| add(interval, Counter::RequestsThrottled, n));
        check(&soak, HarnessCheck::LoadDelivered)
    };
    let little = throttled(1);
    assert_eq!(Verdict::Pass, little.verdict, "{:?}", little.reason);
    let is_told = |note: &Note| matches!(note, Note::RequestsThrottled { .. });
    assert!(little.evidence.notes.iter().any(is_told), "{:?}", little.evidence.notes);
    let much = throttled(20);
    assert_eq!(Verdict::Unproven, much.verdict);
    assert!(matches!(much.reason[..], [Note::Unproven(UnprovenReason::LoadThrottled { .. })]), "{:?}", much.reason);
}
