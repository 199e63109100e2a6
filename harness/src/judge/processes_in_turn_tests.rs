//! Drift of a gateway whose processes answer in turn.

use super::{
    Judgement, Note, Verdict,
    drift_tests::{lives, minute},
};
use crate::{
    catalog::{Kpi, Suite},
    journal::{Finding, Gauge, GaugeSummary},
    judge::fixtures::soak::Soak,
};

/// A soak with this memory, in which two processes answer in turn, the second with so much more than the first.
fn in_turn(more: impl Fn(f64) -> f64) -> Judgement {
    let mut soak = Soak::healthy(Suite::Full).each(|interval| {
        *interval.gauges.get_mut(&Gauge::GatewayRss).unwrap() = GaugeSummary::of(80e6);
    });
    for n in 0..soak.intervals.len() {
        let interval = &mut soak.intervals[n];
        interval.gateway_life = Some("started 200".into());
        let mut other = interval.clone();
        other.gateway_life = Some("started 100".into());
        other.gauges.retain(|gauge, _| *gauge == Gauge::GatewayRss);
        other.gauges.get_mut(&Gauge::GatewayRss).unwrap().min += more(minute(interval));
        (other.counters, other.cycles) = Default::default();
        (other.timings, other.sources) = Default::default();
        soak.intervals.push(other);
    }
    let other = Finding::OtherProcess { before: "started 200".into(), after: "started 100".into() };
    soak.happens(1_000, other);
    soak.judge().kpi(Kpi::RssDrift).unwrap().clone()
}

#[test]
fn processes_that_answer_in_turn_are_judged_apart_each_over_the_whole_soak() {
    let healthy = in_turn(|_| 30e6);
    assert_eq!((Verdict::Pass, Some(0.0)), (healthy.verdict, healthy.value), "{healthy:#?}");
    assert_eq!(Note::LivesInTurn { lives: 2 }, healthy.evidence.notes[0]);
    let leaking = in_turn(|minute| 30e6 + minute * 0.4e6);
    assert_eq!(Verdict::Fail, leaking.verdict, "{leaking:#?}");
}

/// Four processes answer in turn, each once in some minutes; a sample is the sum over them.
fn sum_in_turn(gauge: Gauge, kpi: Kpi, of: &dyn Fn(f64) -> f64) -> Judgement {
    let mut soak = Soak::healthy(Suite::Full);
    for n in 0..soak.intervals.len() {
        let name = |process: usize| Some(format!("started 100, process {}", process % 4));
        let interval = &mut soak.intervals[n];
        interval.gateway_life = name(n);
        let value = of(minute(interval));
        *interval.gauges.get_mut(&gauge).unwrap() = GaugeSummary::of(value);
        // The next process answers soon after S2 has closed a stream.
        let mut next = interval.clone();
        next.gateway_life = name(n + 1);
        next.gauges.retain(|other, _| *other == gauge);
        *next.gauges.get_mut(&gauge).unwrap() = GaugeSummary::of(value + if n % 8 < 4 { 0.0 } else { 7.0 });
        (next.counters, next.cycles) = Default::default();
        (next.timings, next.sources) = Default::default();
        soak.intervals.push(next);
    }
    soak.happens(1_000, Finding::SeveralAnswer { processes: 4 });
    soak.judge().kpi(kpi).unwrap().clone()
}

#[test]
fn a_sum_over_processes_is_one_series_whichever_of_them_answered() {
    for (gauge, kpi) in [
        (Gauge::GatewaySseSurplus, Kpi::SseConnectionDrift),
        (Gauge::GatewayFdSurplus, Kpi::FdDrift),
        (Gauge::GatewayQueueDepth, Kpi::QueueDrift),
    ] {
        let healthy = sum_in_turn(gauge, kpi, &|_| 1.0);
        assert_eq!((Verdict::Pass, Some(0.0)), (healthy.verdict, healthy.value), "{healthy:#?}");
        assert_eq!(1, lives(&healthy).count(), "{healthy:#?}");
        assert_eq!(99, healthy.samples, "no minute counts twice");
        let leaking = sum_in_turn(gauge, kpi, &|minute| 1.0 + minute * 0.2);
        assert_eq!(Verdict::Fail, leaking.verdict, "{leaking:#?}");
    }
}

#[test]
fn processes_that_are_replaced_one_after_another_are_judged_apart() {
    let mut soak = Soak::healthy(Suite::Full);
    // A leak that a replacement takes back, twice: the second process begins a minute before the first one is gone.
    let leak = |minute: f64| if minute < 60.0 { minute * 0.15 } else { (minute - 60.0) * 0.15 };
    for interval in &mut soak.intervals {
        let at = minute(interval);
        interval.gateway_life = Some(if at < 59.0 || at == 60.0 { "started 100" } else { "started 200" }.to_owned());
        interval.gauges.insert(Gauge::GatewaySseSurplus, GaugeSummary::of(leak(at)));
    }
    soak.happens(1_000, Finding::SeveralAnswer { processes: 2 });
    let judgement = soak.judge().kpi(Kpi::SseConnectionDrift).unwrap().clone();
    assert_eq!(Verdict::Fail, judgement.verdict, "{judgement:#?}");
    assert_eq!(2, lives(&judgement).filter(|life| !life.is_over_all).count(), "{judgement:#?}");
}
