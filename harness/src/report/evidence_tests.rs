//! The text of a judgement that turned red in an unusual way: read as by someone on call at night, with nothing else at
//! hand.

use super::failure_text;
use crate::{
    catalog::{Kpi, Suite, Workload},
    journal::{Counter, Finding, Gauge, Interval, Source, Timing},
    judge::{
        Judgement, Verdict,
        fixtures::{
            sick::{add, diagnosis, is_steady, take},
            soak::{Soak, run_id, timing},
        },
    },
    plan::moment,
    snapshots::assert_snapshot,
};

fn text(judgement: &Judgement) -> String {
    failure_text(judgement, Suite::Full, "target/soak/full-2026-11-23T10-00-00")
}

/// Every red text of a soak, that of its KPIs alone.
fn reds(soak: &Soak) -> Vec<String> {
    let verdicts = soak.judge();
    verdicts.kpis.iter().filter(|kpi| kpi.verdict != Verdict::Pass).map(text).collect()
}

fn request_failed(workload: Workload, route: &str, subject: &str, answer: &str) -> Finding {
    Finding::RequestFailed { workload, route: route.into(), subject: subject.into(), answer: answer.into() }
}

/// A gateway that refuses a token: it is there, and does nothing.
fn refusing() -> Soak {
    let mut soak = Soak::healthy(Suite::Full).each(|interval| {
        let kept = [Counter::ReadyProbes, Counter::ReadyOk, Counter::Scrapes, Counter::ScrapesOk, Counter::Requests];
        interval.counters.retain(|counter, _| kept.contains(counter));
        interval.counters.extend(interval.counters.get(&Counter::Requests).map(|n| (Counter::RequestErrors, *n)));
        interval.timings.clear();
        interval.sources.clear();
    });
    let denied = "401 {\"error\":\"unknown token\"}";
    for minute in [0, 1, 46] {
        let at_ms = minute * 60_000 + 1_500;
        soak.happens(at_ms, request_failed(Workload::Runs, "POST /api/runs", &run_id(minute), denied));
        let stream = request_failed(Workload::Churn, "GET /api/runs/logs/stream", "7", denied);
        soak.happens(at_ms + 500, stream);
        for route in ["POST /api/registry/publish", "POST /api/registry/publish (tampered)"] {
            soak.happens(at_ms + 58_500, request_failed(Workload::Registry, route, "soak-agent@1.0.0-1", denied));
        }
        let injection = request_failed(Workload::Safety, "POST /api/runs (injection)", "ignore-previous", denied);
        soak.happens(at_ms + 148_500, injection);
    }
    soak
}

#[test]
fn a_gateway_that_refuses_everything_is_named_by_its_answer_wherever_samples_lack() {
    assert_snapshot("failures_of_a_gateway_that_refuses", &reds(&refusing()).join("\n\n"));
}

#[test]
fn what_goes_wrong_in_another_way_than_the_usual_tells_no_less() {
    let mut texts = Vec::new();
    let mut add_reds = |soak: &Soak| texts.extend(reds(soak));

    let mut never_found = Soak::healthy(Suite::Full);
    let answer = "200 {\"agents\":[],\"total\":0}".to_owned();
    let version = "soak-agent@1.0.0-3".to_owned();
    never_found.happens(1_890_000, Finding::VersionNotFound { version, waited_ms: 30_000, answer });
    add_reds(&never_found);

    let mut between_buckets = Soak::healthy(Suite::Full);
    for interval in &mut between_buckets.intervals {
        let judge = interval.sources.get_mut(&Source::Judge).unwrap();
        (judge.bounds_seconds, judge.counts) = (vec![0.1, 1.0], vec![0, 3, 0]);
        let at_ms = interval.from_ms + 30_000;
        let slow = timing(340_000, 3, at_ms, &run_id(interval.from_ms / 60_000));
        interval.timings.insert(Timing::JudgeEvent, slow);
    }
    add_reds(&between_buckets);

    let unbounded = Soak::healthy(Suite::Full).each(|interval| {
        let shield = interval.sources.get_mut(&Source::Shield).unwrap();
        (shield.bounds_seconds, shield.counts) = (vec![0.05, 0.2], vec![0, 0, 3]);
    });
    add_reds(&unbounded);

    let mut many_routes = Soak::healthy(Suite::Full);
    add(many_routes.minute(91), Counter::RequestErrors, 20);
    for second in 0..6 {
        let (run, route) = (run_id(91), if second == 2 { "GET /api/runs/{id}" } else { "POST /api/runs" });
        let finding = request_failed(Workload::Runs, route, &run, "503 {\"error\":\"draining\"}");
        many_routes.happens(5_461_000 + second * 1_000, finding);
    }
    add_reds(&many_routes);

    let mut unrecorded = Soak::healthy(Suite::Full);
    take(unrecorded.minute(47), Counter::PiiMasked, 2);
    add_reds(&unrecorded);

    let mut forgetful = Soak::healthy(Suite::Full);
    add(forgetful.minute(20), Counter::LedgerEvicted, 600);
    add_reds(&forgetful);

    let mut untimed = Soak::healthy(Suite::Full).each(|interval| {
        interval.gauges.remove(&Gauge::ClockOffset);
    });
    let (source, answer) = ("GET /health".to_owned(), "404 not found".to_owned());
    untimed.happens(10_000, Finding::SourceFailed { source, answer });
    add_reds(&untimed);

    let mut lacking = Soak::healthy(Suite::Full).each(|interval| {
        interval.gauges.remove(&Gauge::GatewayQueueDepth);
    });
    lacking.happens(10_000, Finding::MetricMissing { name: "run_queue_depth".into() });
    add_reds(&lacking);

    let restarting = Soak::healthy(Suite::Full).each(|interval: &mut Interval| {
        interval.gateway_life = is_steady(interval).then(|| format!("life {}", interval.from_ms / 600_000));
    });
    add_reds(&restarting);

    add_reds(&undisturbed());
    assert_snapshot("failures_by_other_ways", &texts.join("\n\n"));
}

/// A gateway that has no route for chaos.
fn undisturbed() -> Soak {
    let mut soak = Soak::healthy(Suite::Full);
    soak.incidents
        .retain(|incident| !matches!(incident.finding, Finding::ChaosSeen { .. } | Finding::ChaosRecovered { .. }));
    for incident in &mut soak.incidents {
        if let Finding::ChaosInjected { chaos, accepted, answer } = &mut incident.finding {
            (*accepted, *answer) = (false, format!("POST /api/chaos/{}: 404 no such route", chaos.name()));
        }
    }
    soak.each(|interval| {
        if !is_steady(interval) {
            interval.counters.clear();
        }
    })
}

#[test]
fn every_failed_kpi_says_when_it_first_went_wrong_and_where_to_read_on() {
    for kpi in Kpi::ALL {
        let judgement = diagnosis(*kpi).verdicts.kpi(*kpi).unwrap();
        let (evidence, text) = (&judgement.evidence, text(judgement));
        let first = evidence.first.as_ref().unwrap_or_else(|| panic!("{kpi} does not say when\n{text}"));
        assert!(text.contains(&format!("at {}", moment(first.at_ms))), "{text}");
        let named = evidence.worst.iter().chain([first]).any(|offender| !offender.subject.is_empty());
        assert!(named && !evidence.worst.is_empty(), "{kpi} names nobody\n{text}");
        assert!(text.lines().last().unwrap().ends_with("s2-full-results-2026-11-23T10-00-00.json"), "{text}");
    }
}

#[test]
fn what_happened_in_a_window_says_in_which() {
    for (minute, window) in [(45, "redis_restart"), (75, "gateway_restart"), (91, "latency"), (30, "")] {
        let (run, id, stream) = (run_id(minute), "7".to_owned(), "4".to_owned());
        let mut missed = Soak::healthy(Suite::Full);
        add(missed.minute(usize::try_from(minute).unwrap()), Counter::EventsMissed, 1);
        let (line, why) = (String::new(), String::new());
        let finding = Finding::EventMissed { stream, run, id, seen_by: 19, line, why };
        missed.happens(minute * 60_000 + 30_000, finding);
        let text = text(missed.judge().kpi(Kpi::SseGaps).unwrap());
        let first = text.lines().find(|line| line.contains("first at")).unwrap();
        let expected = if window.is_empty() { String::new() } else { format!(", in the {window} window: ") };
        assert!(first.contains(&expected) && first.contains(" window") != window.is_empty(), "{text}");
    }
}
