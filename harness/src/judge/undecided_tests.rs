//! Unseen data decides nothing: the verdict is unproven and names the setting; proof of failure still counts.

use super::{Judgement, Note, UnprovenReason, Verdict};
use crate::{
    catalog::{Chaos, Kpi, Phase, Suite, Workload},
    journal::{Counter, Finding},
    judge::fixtures::soak::Soak,
};

const MINUTE_MS: u64 = 60_000;

fn of(soak: &Soak, kpi: Kpi) -> Judgement {
    soak.judge().kpi(kpi).unwrap().clone()
}

/// The verdict and its reason.
fn verdict(soak: &Soak, kpi: Kpi) -> (Verdict, Vec<Note>) {
    let judgement = of(soak, kpi);
    (judgement.verdict, judgement.reason)
}

fn cut(is_new: bool) -> Finding {
    Finding::SearchCut {
        version: "soak@1.0.3-17".into(),
        is_new,
        workspace: "w-second".into(),
        why: "10 of 37 hits were shown; the dialect can say how to reach the others: {page}".into(),
        answer: "200 {}".into(),
    }
}

#[test]
fn versions_that_a_cut_search_did_not_show_are_not_lost_and_not_found() {
    let mut soak = Soak::healthy(Suite::Full);
    soak.happens(61 * MINUTE_MS, cut(false));
    let (verdict_of_cut, reason) = verdict(&soak, Kpi::RegistryConsistency);
    assert_eq!(Verdict::Unproven, verdict_of_cut);
    let [Note::Unproven(UnprovenReason::SearchesCut { searches: 1, first })] = &reason[..] else {
        panic!("{reason:?}")
    };
    assert_eq!("soak@1.0.3-17 from workspace w-second", first.subject);
    let answer = first.answer.as_deref().unwrap();
    assert!(answer.starts_with("10 of 37 hits were shown") && answer.contains("{page}"), "{answer}");
    assert_eq!(Verdict::Pass, verdict(&soak, Kpi::PublishSearchDelay).0);
    soak.happens(61 * MINUTE_MS, cut(true));
    assert_eq!(Verdict::Unproven, verdict(&soak, Kpi::PublishSearchDelay).0);
    let (version, workspace) = ("soak@1.0.4-17".to_owned(), "w".to_owned());
    soak.happens(71 * MINUTE_MS, Finding::VersionLost { version, workspace, answer: "200 {}".into() });
    *soak.minute(71).counters.entry(Counter::VersionsLost).or_default() += 1;
    assert_eq!(Verdict::Fail, verdict(&soak, Kpi::RegistryConsistency).0);
}

#[test]
fn refused_personal_data_proves_nothing_until_the_dialect_says_so_and_a_leak_does() {
    let mut soak = Soak::healthy(Suite::Full);
    let answer = "400 {\"error\":\"personal data\"}".to_owned();
    soak.happens(3 * MINUTE_MS, Finding::PiiRefused { probe: "ssn".into(), answer });
    let (verdict_of_refused, reason) = verdict(&soak, Kpi::PiiMasked);
    assert_eq!(Verdict::Unproven, verdict_of_refused);
    let [Note::Unproven(UnprovenReason::PiiRefused { runs: 1, first })] = &reason[..] else { panic!("{reason:?}") };
    assert!(
        first.subject == "ssn" && first.answer.as_ref().is_some_and(|answer| answer.starts_with("400")),
        "{first:?}"
    );
    *soak.minute(2).counters.entry(Counter::PiiMasked).or_default() -= 1;
    soak.happens(3 * MINUTE_MS, Finding::PiiLeaked { probe: "email".into(), run: "r".into(), place: "the run".into() });
    assert_eq!(Verdict::Fail, verdict(&soak, Kpi::PiiMasked).0);
}

#[test]
fn an_injection_whose_run_failed_names_the_list_of_words_for_a_refusal() {
    let mut soak = Soak::healthy(Suite::Full);
    let (probe, run, answer) = ("role-play".to_owned(), "r".to_owned(), "201; its run ended as 'blocked'".to_owned());
    soak.happens(3 * MINUTE_MS, Finding::InjectionUnclear { probe, run, answer });
    let (unclear, reason) = verdict(&soak, Kpi::InjectionsBlocked);
    let is_unclear = matches!(reason[..], [Note::Unproven(UnprovenReason::InjectionsUnclear { injections: 1, .. })]);
    assert!(unclear == Verdict::Unproven && is_unclear, "{reason:?}");
    let (probe, run, answer) = ("role-play".to_owned(), "r".to_owned(), "201; its run succeeded".to_owned());
    soak.happens(18 * MINUTE_MS, Finding::InjectionAccepted { probe, run, answer });
    *soak.minute(17).counters.entry(Counter::InjectionsBlocked).or_default() -= 1;
    assert_eq!(Verdict::Fail, verdict(&soak, Kpi::InjectionsBlocked).0);
}

/// A soak whose window of the gateway's restart lasts until a minute.
fn drained_until(minute: usize) -> Soak {
    let mut soak = Soak::healthy(Suite::Full);
    (75..minute).for_each(|minute| soak.minute(minute).phase = Phase::GatewayRestart);
    soak
}

#[test]
fn a_window_that_was_open_for_longer_than_planned_lowers_what_is_expected_and_says_so() {
    let mut soak = drained_until(90);
    assert_eq!(Verdict::Unproven, verdict(&soak, Kpi::Availability).0);
    let closed = Finding::WindowClosed { chaos: Chaos::GatewayRestart, from_ms: 75 * MINUTE_MS };
    soak.happens(90 * MINUTE_MS, closed);
    let is_longer = |note: &Note| matches!(note, Note::WindowsOpenLonger { .. });
    for kpi in [Kpi::Availability, Kpi::ErrorRateSteady, Kpi::RssDrift] {
        let judgement = of(&soak, kpi);
        assert_eq!(Verdict::Pass, judgement.verdict, "{judgement:#?}");
        assert!(judgement.evidence.notes.iter().any(is_longer));
    }
    // What has nothing to do with windows is expected as ever.
    assert!(!of(&soak, Kpi::RunSuccess).evidence.notes.iter().any(is_longer));
}

#[test]
fn windows_that_swallow_the_soak_leave_it_unproven() {
    let mut soak = drained_until(120);
    (12..75).for_each(|minute| soak.minute(minute).phase = Phase::RedisRestart);
    soak.happens(119 * MINUTE_MS, Finding::WindowClosed { chaos: Chaos::RedisRestart, from_ms: 12 * MINUTE_MS });
    assert_eq!(Verdict::Unproven, verdict(&soak, Kpi::Availability).0);
}

#[test]
fn a_restart_that_nothing_was_seen_of_fails_and_names_what_would_do_and_the_lever() {
    let mut soak = Soak::healthy(Suite::Full);
    for incident in &mut soak.incidents {
        if let Finding::ChaosSeen { chaos: Chaos::RedisRestart, effective, evidence } = &mut incident.finding {
            (*effective, *evidence) = (false, "0 of 20 streams dropped; readiness was never lost".into());
        }
    }
    let judgement = soak.judge().workload(Workload::Chaos).unwrap().clone();
    let reason = judgement.reason_text().unwrap_or_default();
    assert_eq!(Verdict::Fail, judgement.verdict);
    for part in
        ["0 of 20 streams dropped", "[w6_light_chaos.redis_restart] lever = \"none\"", "a workspace stream that drops"]
    {
        assert!(reason.contains(part), "{part}: {reason}");
    }
}

#[test]
fn probes_that_a_harness_which_stood_still_did_not_hear_prove_nothing_unless_the_others_are_bad_enough() {
    // Of the probes of each minute: those without an answer that count, and those that do not.
    let soak = |lost: u64, unheard: u64| {
        Soak::healthy(Suite::Smoke).each(|interval| {
            let Some(probes) = interval.counters.get(&Counter::ReadyProbes).copied() else { return };
            interval.counters.insert(Counter::ReadyProbes, probes - unheard);
            interval.counters.insert(Counter::ReadyOk, probes - unheard - lost);
            interval.counters.insert(Counter::ReadyUnheard, unheard);
        })
    };
    assert_eq!(Verdict::Pass, verdict(&soak(0, 1), Kpi::Availability).0, "a few");
    assert_eq!(
        Verdict::Unproven,
        verdict(&soak(0, 20), Kpi::Availability).0,
        "too many, and they may be those that were lost"
    );
    assert_eq!(Verdict::Fail, verdict(&soak(20, 20), Kpi::Availability).0, "it is missed even if these were answered");
}
