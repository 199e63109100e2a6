//! The text of a red verdict: since when, also where that was in a window, and by which route.

use super::{Fault, Judgement, Note, SourceFailure, UnprovenReason, Verdict};
use crate::{
    catalog::{Kpi, Phase, Suite, Workload},
    journal::{Counter, Finding, Gauge, Incident, Timing},
    judge::fixtures::{
        sick::add,
        soak::{Soak, run_id, timing},
    },
};

fn of(soak: &Soak, kpi: Kpi) -> Judgement {
    soak.judge().kpi(kpi).unwrap().clone()
}

#[test]
fn what_stays_wrong_after_a_window_began_in_it() {
    let slow_at = |minutes: &[u64]| {
        let mut soak = Soak::healthy(Suite::Full);
        for minute in minutes {
            let slow = timing(9_000_000, 3, minute * 60_000, &run_id(*minute));
            soak.minute(usize::try_from(*minute).unwrap()).timings.insert(Timing::StartToLog, slow);
        }
        let judgement = of(&soak, Kpi::StartToLogP99);
        assert_eq!(Verdict::Fail, judgement.verdict);
        let first = judgement.evidence.first.unwrap();
        let names_too = judgement.evidence.worst.iter().any(|it| it.phase == Phase::Steady);
        assert!(names_too, "the first that counts is among the others: {:#?}", judgement.evidence.worst);
        (first.at_ms / 60_000, first.phase, judgement.evidence.notes)
    };
    let phase = Phase::GatewayRestart;
    let noted = vec![Note::WindowNotCounted { phase, first_counted_ms: 78 * 60_000 }];
    // The gateway's restart is at T+75, and its window is over by T+78.
    assert_eq!((75, phase, noted), slow_at(&[75, 76, 78, 79, 80, 81]));
    // Where it was well again in between, or was wrong before, the window has nothing to do with it.
    assert_eq!((84, Phase::Steady, Vec::new()), slow_at(&[75, 76, 84, 85, 86]));
    assert_eq!((20, Phase::Steady, Vec::new()), slow_at(&[20, 75, 76, 78, 79, 80, 81]));
    assert_eq!((78, Phase::Steady, Vec::new()), slow_at(&[78, 79, 80, 81]));
}

#[test]
fn one_slow_run_in_a_window_that_met_the_target_did_not_begin_anything() {
    let mut soak = Soak::healthy(Suite::Full);
    let mut once = timing(9_000_000, 1, 92 * 60_000, &run_id(92));
    (0..2).for_each(|_| once.histogram.record(200_000));
    soak.minute(92).timings.insert(Timing::StartToLog, once);
    for minute in 98..112_u64 {
        let slow = timing(9_000_000, 3, minute * 60_000, &run_id(minute));
        soak.minute(usize::try_from(minute).unwrap()).timings.insert(Timing::StartToLog, slow);
    }
    let judgement = of(&soak, Kpi::StartToLogP95);
    let first = judgement.evidence.first.unwrap();
    assert_eq!((Verdict::Fail, 98, Phase::Steady), (judgement.verdict, first.at_ms / 60_000, first.phase));
}

#[test]
fn errors_that_go_on_after_a_window_began_in_it() {
    let failed = |at_ms| Finding::RequestFailed {
        route: "POST /api/runs".into(),
        subject: run_id(at_ms / 60_000),
        answer: "500".into(),
        workload: Workload::Runs,
    };
    let mut soak = Soak::healthy(Suite::Full);
    for minute in 75..90_u64 {
        soak.minute(usize::try_from(minute).unwrap()).counters.insert(Counter::RequestErrors, 3);
        soak.happens(minute * 60_000 + 10_000, failed(minute * 60_000));
    }
    let judgement = of(&soak, Kpi::ErrorRateSteady);
    let first = judgement.evidence.first.unwrap();
    assert_eq!((Verdict::Fail, 4_510_000, Phase::GatewayRestart), (judgement.verdict, first.at_ms, first.phase));
}

#[test]
fn a_gateway_that_calls_its_routes_otherwise_names_of_by_its_own() {
    let mut soak = Soak::healthy(Suite::Full).each(|interval| {
        for counter in [Counter::InjectionsSent, Counter::InjectionsBlocked] {
            interval.counters.remove(&counter);
        }
        interval.gauges.remove(&Gauge::GatewayQueueDepth);
        interval.gauges.remove(&Gauge::ClockOffset);
        interval.counters.insert(Counter::ReadyOk, 0);
    });
    for (contract, own) in [
        ("POST /api/runs", "POST /v2/jobs"),
        ("GET /metrics", "GET /v2/stats"),
        ("GET /health", "GET /v2/ping"),
        ("GET /ready", "GET /v2/up"),
    ] {
        soak.routes.insert(contract.into(), own.into());
    }
    soak.happens(
        600_000,
        Finding::RequestFailed {
            workload: Workload::Safety,
            route: "POST /v2/jobs (injection)".into(),
            subject: "role play".into(),
            answer: "451 no (expected a refusal)".into(),
        },
    );
    for (source, answer) in [("GET /v2/stats", "404 not found"), ("GET /v2/ping", "410 gone")] {
        soak.happens(600_000, Finding::SourceFailed { source: source.into(), answer: answer.into() });
    }
    soak.happens(600_000, Finding::NotReady { answer: "503".into() });
    let names = |soak: &Soak, kpi, of_route: &str, of_answer: &str| {
        of(soak, kpi).reason.iter().any(|note| match note {
            Note::Unproven(UnprovenReason::RouteAnswered { route: source, answer, .. })
            | Note::SourceFailed(SourceFailure { source, answer, .. })
            | Note::ScrapesFailed { source, answer, .. } => source == of_route && answer.starts_with(of_answer),
            _ => false,
        })
    };
    assert!(names(&soak, Kpi::InjectionsBlocked, "POST /v2/jobs (injection)", "451 no"));
    assert!(names(&soak, Kpi::ClockDrift, "GET /v2/ping", "410 gone"));
    assert_eq!("GET /v2/up", of(&soak, Kpi::Availability).evidence.first.unwrap().subject);
    let scrapes = soak.clone().each(|interval| {
        interval.counters.insert(Counter::ScrapesOk, 0);
    });
    assert!(names(&scrapes, Kpi::QueueDrift, "GET /v2/stats", "404 not found"));
}

#[test]
fn a_histogram_that_events_contradict_is_not_believed() {
    let verdict_of = |slow_us: u64| {
        let soak = Soak::healthy(Suite::Full).each(|interval| {
            let at_ms = interval.from_ms;
            interval.timings.insert(Timing::JudgeEvent, timing(slow_us, 4, at_ms, &run_id(at_ms / 60_000)));
        });
        of(&soak, Kpi::JudgeP95)
    };
    let slow = verdict_of(2_500_000);
    assert_eq!((Verdict::Fail, Some(2_500.0)), (slow.verdict, slow.value), "{slow:#?}");
    assert!(matches!(slow.reason[..], [Note::Fault(Fault::EventsSlower { .. })]), "{slow:#?}");
    assert_eq!(Verdict::Pass, verdict_of(100_000).verdict);
}

#[test]
fn a_process_that_ended_unasked_names_where_it_may_be_why() {
    let restarted = |at_ms, phase| {
        let mut soak = Soak::healthy(Suite::Full);
        let finding = Finding::GatewayRestarted { before: "pid 1".into(), after: "pid 2".into() };
        soak.incidents.push(Incident { at_ms, phase, finding });
        add(soak.minute(31), Counter::StreamsDropped, 4);
        let answer = "the connection was reset".to_owned();
        soak.happens(1_866_000, Finding::StreamDropped { stream: "12".into(), answer });
        soak
    };
    let told = |soak: &Soak, kpi| {
        let changes = of(soak, kpi).evidence.notes.into_iter().filter_map(|note| match note {
            Note::RestartsUnasked { changes, more: 0 } => Some(changes),
            _ => None,
        });
        let changes = changes.flatten().map(|change| (change.at_ms, change.before, change.after));
        changes.collect::<Vec<_>>()
    };
    let near = restarted(1_870_000, Phase::Steady);
    let change = [(1_870_000, "pid 1".to_owned(), "pid 2".to_owned())];
    assert_eq!(change, *told(&near, Kpi::SseReconnectRate));
    assert_eq!(change, *told(&near, Kpi::Availability), "also where that is green");
    assert!(told(&near, Kpi::RunSuccess).is_empty(), "nothing went wrong there");
    let far = restarted(2_400_000, Phase::Steady);
    assert!(told(&far, Kpi::SseReconnectRate).is_empty() && !told(&far, Kpi::Availability).is_empty());
    // What a process forgot is missed whenever it is looked for next, and never before.
    let lost = |at_ms| {
        let mut soak = restarted(2_400_000, Phase::Steady);
        add(soak.minute(60), Counter::VersionsLost, 1);
        let finding = Finding::VersionLost { version: "a@1".into(), workspace: "w".into(), answer: "200 []".into() };
        soak.happens(at_ms, finding);
        told(&soak, Kpi::RegistryConsistency).len()
    };
    assert_eq!((1, 0), (lost(3_660_000), lost(2_220_000)));
    // What we asked for is no news, and nobody knows whether one of several has ended.
    assert!(told(&restarted(4_520_000, Phase::GatewayRestart), Kpi::Availability).is_empty());
    let mut several = near;
    several.happens(1_900_000, Finding::GatewayRestarted { before: "pid 2".into(), after: "pid 1".into() });
    assert!(told(&several, Kpi::Availability).is_empty());
}

#[test]
fn a_good_window_does_not_make_up_for_a_bad_one() {
    let errors_in_restart = |errors: u64| {
        let mut soak = Soak::healthy(Suite::Full);
        for interval in soak.intervals.iter_mut().filter(|interval| interval.phase != Phase::Steady) {
            let requests = if interval.phase == Phase::GatewayRestart { 10 } else { 200 };
            interval.counters.insert(Counter::Requests, requests);
        }
        add(soak.minute(75), Counter::RequestErrors, errors);
        let finding = Finding::RequestFailed {
            workload: Workload::Runs,
            route: "POST /api/runs".into(),
            subject: run_id(75),
            answer: "500".into(),
        };
        let before = Incident { at_ms: 2_710_000, phase: Phase::RedisRestart, finding: finding.clone() };
        soak.incidents.extend([before, Incident { at_ms: 4_530_000, phase: Phase::GatewayRestart, finding }]);
        of(&soak, Kpi::ErrorRateChaos)
    };
    let bad = errors_in_restart(6);
    assert_eq!(Verdict::Fail, bad.verdict, "{bad:#?}");
    assert!(bad.value.unwrap() < 2.0, "by the share of all it would be met: {:?}", bad.value);
    let [Note::Fault(missed), Note::Fault(Fault::WindowsJudgedApart)] = &bad.reason[..] else { panic!("{bad:#?}") };
    let phase = Phase::GatewayRestart;
    assert!(matches!(*missed, Fault::WindowMissed { phase: of, errors: 6, requests: 20, .. } if of == phase));
    assert_eq!(Some(4_530_000), bad.evidence.first.map(|first| first.at_ms), "not the one before it, elsewhere");
    // Of two nobody knows whether they were merely under way.
    assert_eq!(Verdict::Pass, errors_in_restart(2).verdict);
    assert_eq!(Verdict::Pass, errors_in_restart(0).verdict);
    // A few of many may well be within the target.
    let mut soak = Soak::healthy(Suite::Full);
    for interval in soak.intervals.iter_mut().filter(|interval| interval.phase == Phase::Latency) {
        interval.counters.insert(Counter::Requests, 100);
    }
    add(soak.minute(91), Counter::RequestErrors, 5);
    assert_eq!(Verdict::Pass, of(&soak, Kpi::ErrorRateChaos).verdict);
}

#[test]
fn what_decided_names_first_and_our_own_restart_is_no_cause() {
    let refused = |source: &str| Finding::SourceFailed { source: source.into(), answer: "no connection".into() };
    let mut soak = Soak::healthy(Suite::Full).each(|interval| {
        interval.gauges.remove(&Gauge::GatewayQueueDepth);
    });
    soak.happens(600_000, Finding::MetricMissing { name: "run_queue_depth".into() });
    // Four scrapes fail in the gateway's restart at T+75.
    let restart = soak.minute(75);
    *restart.counters.entry(Counter::ScrapesOk).or_default() -= 4;
    let phase = restart.phase;
    soak.happens(4_510_000, refused("GET /metrics"));
    let reason = of(&soak, Kpi::QueueDrift).reason;
    let is_lack = matches!(reason[0], Note::MetricsLack { answer: None, .. });
    assert!(phase == Phase::GatewayRestart && is_lack, "{phase}: {reason:?}");
    // A wrong answer out of chaos windows may say why the metric is missing.
    soak.happens(660_000, refused("GET /metrics"));
    let reason = of(&soak, Kpi::QueueDrift).reason;
    assert!(matches!(reason[0], Note::MetricsLack { answer: Some(_), .. }), "{reason:?}");
    // Where they fail all the time, that comes first.
    for minute in 20..60 {
        soak.minute(minute).counters.insert(Counter::ScrapesOk, 0);
        soak.happens(minute as u64 * 60_000, refused("GET /metrics"));
    }
    let reason = of(&soak, Kpi::QueueDrift).reason;
    assert!(matches!(reason[0], Note::ScrapesFailed { .. }), "{reason:?}");
}

#[test]
fn an_answer_out_of_chaos_windows_names_rather_than_a_later_one_in_one() {
    let failed = |answer: &str| Finding::SourceFailed { source: "GET /health".into(), answer: answer.into() };
    let mut soak = Soak::healthy(Suite::Full).each(|interval| {
        interval.gauges.remove(&Gauge::ClockOffset);
        interval.gauges.remove(&Gauge::ClockBounds);
    });
    let reason = |soak: &Soak, answer: &str, times, is_in_windows| {
        let (source, answer) = ("GET /health".to_owned(), answer.to_owned());
        let failure = SourceFailure { source, answer, times, is_in_windows };
        let reason = of(soak, Kpi::ClockDrift).reason;
        assert!(reason.contains(&Note::SourceFailed(failure)), "{reason:?}");
    };
    soak.happens(4_510_000, failed("no connection"));
    reason(&soak, "no connection", 1, true);
    for at_ms in [600_000, 660_000] {
        soak.happens(at_ms, failed("404 not found"));
    }
    reason(&soak, "404 not found", 2, false);
}

#[test]
fn a_few_scrapes_that_failed_are_not_why_there_are_too_few_floors() {
    let mut soak = Soak::healthy(Suite::Full);
    for minute in 0..100 {
        soak.minute(minute).gauges.remove(&Gauge::GatewayRss);
    }
    *soak.minute(76).counters.entry(Counter::ScrapesOk).or_default() -= 4;
    soak.happens(4_510_000, Finding::SourceFailed { source: "GET /metrics".into(), answer: "no connection".into() });
    let judgement = of(&soak, Kpi::RssDrift);
    let reason = judgement.reason_text().unwrap();
    assert!(judgement.verdict == Verdict::Unproven && !reason.contains("GET /metrics"), "{reason}");
}

#[test]
fn runs_that_never_end_are_not_within_any_target() {
    let mut soak = Soak::healthy(Suite::Full);
    *soak.minute(119).counters.entry(Counter::RunsUnended).or_default() += 2;
    let run = run_id(10);
    soak.happens(7_190_000, Finding::RunUnended { run: run.clone(), answer: "still under way after 3600 s".into() });
    let judgement = of(&soak, Kpi::RunSuccess);
    assert_eq!(Verdict::Unproven, judgement.verdict, "{judgement:#?}");
    let Note::RunsUnended { runs: 2, first } = &judgement.reason[0] else { panic!("{judgement:#?}") };
    let named = first.iter().map(|run| (run.subject.as_str(), run.answer.as_deref()));
    let expected = format!("run {run}");
    assert_eq!(vec![(expected.as_str(), Some("still under way after 3600 s"))], named.collect::<Vec<_>>());

    // Where the target is missed, it is missed.
    let succeeded = soak.minute(20).counters.get_mut(&Counter::RunsSucceeded).expect("runs end in every minute");
    *succeeded = 0;
    for minute in 21..60 {
        soak.minute(minute).counters.insert(Counter::RunsSucceeded, 0);
    }
    assert_eq!(Verdict::Fail, of(&soak, Kpi::RunSuccess).verdict);
}

#[test]
fn one_event_of_another_workspace_fails_whatever_the_share_of_errors_is() {
    let mut soak = Soak::healthy(Suite::Full);
    soak.minute(20).counters.insert(Counter::EventsForeign, 1);
    let judgement = of(&soak, Kpi::ErrorRateSteady);
    assert_eq!(Verdict::Fail, judgement.verdict);
    assert_eq!([Note::from(Fault::EventsForeign { events: 1 })], *judgement.reason);
    assert_eq!(Verdict::Pass, of(&soak, Kpi::ErrorRateChaos).verdict);
    // A bad window beside it hides it no more than it hides the window.
    for interval in soak.intervals.iter_mut().filter(|interval| interval.phase != Phase::Steady) {
        let requests = if interval.phase == Phase::GatewayRestart { 10 } else { 200 };
        interval.counters.insert(Counter::Requests, requests);
    }
    add(soak.minute(75), Counter::RequestErrors, 6);
    soak.minute(75).counters.insert(Counter::EventsForeign, 1);
    let reason = of(&soak, Kpi::ErrorRateChaos).reason;
    let is_expected = matches!(
        reason[..],
        [
            Note::Fault(Fault::EventsForeign { events: 1 }),
            Note::Fault(Fault::WindowMissed { .. }),
            Note::Fault(Fault::WindowsJudgedApart)
        ]
    );
    assert!(is_expected, "{reason:?}");
}
