//! Memory in use and garbage.

use super::{Judgement, LifeGrowth, Note, RetainedBy, Verdict};
use crate::{
    catalog::{Kpi, Suite},
    journal::{Gauge, GaugeSummary, Interval},
    judge::fixtures::soak::Soak,
};

const MB: f64 = 1e6;

/// A soak of one process that is held against what the settings say by default, with gauges by the minute.
fn with(gauges: impl Fn(f64) -> Vec<(Gauge, f64)>) -> Judgement {
    let soak = Soak::healthy(Suite::Full).each(|interval: &mut Interval| {
        interval.gateway_life = Some("4711".into());
        let minute = (interval.from_ms / 60_000) as f64;
        let all = gauges(minute).into_iter().map(|(gauge, bytes)| (gauge, GaugeSummary::of(bytes)));
        interval.gauges.extend(all);
    });
    let soak = Soak { targets: super::Targets::default(), ..soak };
    soak.judge().kpi(Kpi::RssDrift).unwrap().clone()
}

/// A heap in which a full collection leaves so much every fifth minute, and garbage that comes up to so much.
fn heap(minute: f64, live: f64, garbage: f64) -> Vec<(Gauge, f64)> {
    let used = (Gauge::GatewayHeapUsed, (live + garbage * (minute % 5.0) / 5.0) * MB);
    let collected = (minute % 5.0 == 0.0).then_some((Gauge::GatewayHeapLive, live * MB));
    [used].into_iter().chain(collected).collect()
}

fn described(judgement: &Judgement) -> String {
    let Judgement { value, reason, evidence, verdict, .. } = judgement;
    format!("{value:?} {reason:?} {:#?} {verdict:?}", evidence.notes)
}

/// The first life of the process.
fn life(judgement: &Judgement) -> &LifeGrowth {
    let Note::Life(life) = &judgement.evidence.notes[0] else { panic!("{}", described(judgement)) };
    life
}

#[test]
fn a_heap_that_is_seldom_collected_is_no_leak_and_says_by_what_that_is_known() {
    let lazy = with(|minute| {
        let grown = 25.0 * minute / 120.0;
        let mut gauges = heap(minute, 7.0, 8.0 + grown);
        gauges.extend([(Gauge::GatewayRss, (65.0 + grown) * MB), (Gauge::GatewayHeapCommitted, (15.0 + grown) * MB)]);
        gauges
    });
    assert_eq!(Verdict::Pass, lazy.verdict, "{}", described(&lazy));
    assert_eq!(RetainedBy::HeapAndRest, life(&lazy).retained_by, "{}", described(&lazy));
}

#[test]
fn a_leak_below_the_garbage_is_found_though_resident_memory_is_level() {
    let hidden = with(|minute| {
        let mut gauges = heap(minute, 20.0 + 10.0 * minute / 60.0, 50.0);
        gauges.extend([(Gauge::GatewayRss, 400.0 * MB), (Gauge::GatewayHeapCommitted, 340.0 * MB)]);
        // All of the heap was touched before.
        if minute == 11.0 {
            gauges[0].1 = 340.0 * MB;
        }
        gauges
    });
    assert_eq!(Verdict::Fail, hidden.verdict, "{}", described(&hidden));
}

#[test]
fn a_leak_outside_of_the_heap_is_found_though_the_heap_is_level() {
    let native = with(|minute| {
        let mut gauges = heap(minute, 7.0, 8.0);
        let leaked = 10.0 * minute / 60.0;
        gauges.extend([(Gauge::GatewayRss, (65.0 + leaked) * MB), (Gauge::GatewayHeapCommitted, 15.0 * MB)]);
        gauges
    });
    assert_eq!(Verdict::Fail, native.verdict, "{}", described(&native));
}

#[test]
fn collections_that_were_asked_for_tell_without_metrics() {
    let asked = |leak: f64| {
        with(move |minute| {
            let leaked = leak * minute / 60.0;
            let resident = (Gauge::GatewayRss, (40.0 + 20.0 * minute / 60.0) * MB);
            let collected = (minute % 2.0 == 0.0).then_some((Gauge::GatewayRssCollected, (38.0 + leaked) * MB));
            [resident].into_iter().chain(collected).collect()
        })
    };
    let healthy = asked(0.2);
    assert_eq!(Verdict::Pass, healthy.verdict, "{}", described(&healthy));
    assert_eq!(RetainedBy::Requested, life(&healthy).retained_by, "{}", described(&healthy));
    assert_eq!(Verdict::Fail, asked(5.0).verdict);
}

#[test]
fn a_heap_that_was_never_fully_collected_is_told_by_its_floors_or_not_at_all() {
    // A JVM touches the 400 MB that it has taken for its heap little by little.
    let jvm = |tooth: f64, leak: f64| {
        with(move |minute| {
            let live = 8.0 + leak * minute / 60.0;
            let a_minute = 240.0 / tooth;
            vec![
                (Gauge::GatewayRss, (65.0 + live + a_minute * minute.min(tooth)) * MB),
                (Gauge::GatewayHeapUsed, (live + a_minute * (minute % tooth)) * MB),
                (Gauge::GatewayHeapCommitted, 400.0 * MB),
            ]
        })
    };
    let healthy = jvm(20.0, 0.0);
    assert_eq!(Verdict::Pass, healthy.verdict, "{}", described(&healthy));
    let never = jvm(150.0, 0.0);
    assert_eq!(Verdict::Unproven, never.verdict, "{}", described(&never));
    assert!(matches!(never.reason[..], [Note::GarbageUnknown { .. }]), "{}", described(&never));
    assert_eq!(Verdict::Unproven, jvm(20.0, 30.0).verdict, "a leak or garbage of the old generation");
}

#[test]
fn a_small_process_of_which_no_more_is_known_may_grow_by_what_garbage_may_take() {
    let growing = |by: f64| with(move |minute| vec![(Gauge::GatewayRss, (55.0 + by * minute / 120.0) * MB)]);
    let small = growing(15.0);
    assert_eq!(Verdict::Pass, small.verdict, "{}", described(&small));
    assert!(life(&small).may_be_garbage, "{}", described(&small));
    let leak = growing(24.0);
    assert_eq!(Verdict::Fail, leak.verdict, "{}", described(&leak));
    assert!(life(&leak).may_be_garbage, "{}", described(&leak));
}

#[test]
fn the_heap_of_one_process_tells_nothing_of_several() {
    let several = with(|minute| {
        let mut gauges = heap(minute, 7.0, 8.0);
        let leaked = 20.0 * minute / 60.0;
        gauges.extend([
            (Gauge::GatewayRss, (65.0 + leaked) * MB),
            (Gauge::GatewayHeapCommitted, (15.0 + leaked) * MB),
            (Gauge::GatewayProcesses, 3.0),
        ]);
        gauges
    });
    assert_eq!(Verdict::Fail, several.verdict, "{}", described(&several));
}
