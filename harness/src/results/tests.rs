//! The rule of statuses, on soaks that are made up.

use super::*;
use crate::{
    catalog::Kpi,
    journal::Counter,
    judge::fixtures::{
        sick::{diagnosis, sick, starved_from, take},
        soak::Soak,
    },
    plan::Unsupported,
};

fn results(soak: &Soak, waivers: &Waivers, stage: Stage) -> Results {
    Results::of(&soak.plan, &soak.targets, &soak.history(), waivers, stage)
}

fn count(results: &Results, word: &str) -> usize {
    results.rows.iter().filter(|row| row.status.word() == word).count()
}

fn none() -> Waivers {
    Waivers::default()
}

fn status(results: &Results, kpi: Kpi) -> &Status {
    &results.row(Judged::Kpi, kpi.name()).unwrap().status
}

#[test]
fn a_soak_that_is_over_has_the_verdicts_of_its_judge() {
    for soak in [Soak::healthy(Suite::Smoke), sick(Kpi::SseGaps), Soak::healthy(Suite::Full).cut_at(3_600_000)] {
        let (results, verdicts) = (results(&soak, &none(), Stage::Over), soak.judge());
        let verdicts: Vec<_> = verdicts.iter().map(|judgement| Some(judgement.verdict)).collect();
        assert_eq!(verdicts, results.rows.iter().map(|row| row.status.verdict()).collect::<Vec<_>>());
        assert_eq!(0, count(&results, "pending"));
    }
}

#[test]
fn a_record_with_an_end_is_over_whatever_its_reader_believes() {
    let soak = sick(Kpi::SseGaps);
    assert_eq!(results(&soak, &none(), Stage::Over), results(&soak, &none(), Stage::Playing));
}

#[test]
fn while_a_soak_goes_on_everything_is_pending_but_what_nothing_can_undo() {
    let early = results(&sick(Kpi::SseGaps).cut_at(3_600_000), &none(), Stage::Playing);
    assert_eq!(Status::Fail, *status(&early, Kpi::SseGaps));
    assert_eq!((1, early.rows.len() - 1), (count(&early, "fail"), count(&early, "pending")));
    assert_eq!(Verdict::Fail, early.overall());
    let healthy = results(&Soak::healthy(Suite::Full).cut_at(119 * 60_000), &none(), Stage::Playing);
    assert_eq!((healthy.rows.len(), Verdict::Unproven), (count(&healthy, "pending"), healthy.overall()));
}

#[test]
fn a_failure_that_a_late_answer_can_undo_is_pending() {
    let mut soak = Soak::healthy(Suite::Full);
    take(soak.minute(41), Counter::TamperedRejected, 1);
    soak.end = None;
    assert_eq!(Verdict::Fail, soak.judge().kpi(Kpi::TamperedManifests).unwrap().verdict);
    assert_eq!(Status::Pending, *status(&results(&soak, &none(), Stage::Playing), Kpi::TamperedManifests));
    assert_eq!(Status::Fail, *status(&results(&soak, &none(), Stage::Over), Kpi::TamperedManifests));
}

#[test]
fn a_waiver_comes_before_every_verdict_at_every_moment() {
    let soak = sick(Kpi::SseGaps);
    let waivers = Waivers::new([(Kpi::SseGaps, "known".to_owned())].into(), Unsupported::default());
    for (soak, stage) in [(soak.clone().cut_at(3_600_000), Stage::Playing), (soak, Stage::Over)] {
        let results = results(&soak, &waivers, stage);
        assert_eq!(Status::Waived("known".to_owned()), *status(&results, Kpi::SseGaps));
        assert_eq!((1, 0), (count(&results, "waived"), count(&results, "fail")));
    }
    let all = Kpi::ALL.iter().map(|kpi| (*kpi, "all".to_owned())).collect();
    let mut nothing = results(&Soak::healthy(Suite::Full), &Waivers::new(all, Unsupported::default()), Stage::Over);
    nothing.rows.retain(|row| row.judgement.kind == Judged::Kpi);
    assert_eq!(Verdict::Unproven, nothing.overall(), "no verdict is no green");
}

#[test]
fn the_worst_come_first_and_are_counted_first() {
    let waivers = Waivers::new([(Kpi::Availability, "known".to_owned())].into(), Unsupported::default());
    let mut verdicts = sick(Kpi::SseGaps).judge();
    verdicts.kpis[20].verdict = Verdict::Unproven;
    let results = Results::new(Suite::Full, verdicts, &waivers, |_| true);
    let words: Vec<&str> = results.worst_first().iter().map(|row| row.status.word()).collect();
    assert_eq!((["fail", "unproven", "pass"], "waived"), ([words[0], words[1], words[2]], words[words.len() - 1]));
    let counts: Vec<String> = results.counts().into_iter().map(|(_, count)| count).collect();
    let passed = format!("{} passed", results.rows.len() - 3);
    assert_eq!(["1 failed", "1 unproven", &passed, "1 waived"], *counts);
}

#[test]
fn the_closest_to_their_targets_come_first_and_missed_targets_before_all() {
    let of = |verdicts: &Verdicts, waivers: &Waivers| {
        let results = Results::new(Suite::Full, verdicts.clone(), waivers, |_| true);
        results.closest_to_target(3).into_iter().map(|row| row.judgement.clone()).collect::<Vec<_>>()
    };
    let verdicts = &diagnosis(Kpi::StartToLogP99).verdicts;
    let names =
        |waivers: &Waivers| of(verdicts, waivers).into_iter().map(|judgement| judgement.name).collect::<Vec<_>>();
    assert_eq!(["start_to_log_p95", "start_to_log_p99", "shield_p95"], *names(&none()));
    let waivers = Waivers::new([(Kpi::StartToLogP99, "why".to_owned())].into(), Unsupported::default());
    assert!(!names(&waivers).contains(&"start_to_log_p99".to_owned()));
    assert!(of(&starved_from(0), &none()).iter().all(|judgement| judgement.value.is_some()));
}
