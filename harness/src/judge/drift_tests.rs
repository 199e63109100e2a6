//! Drift: what is a leak and what is not.

use super::{By, Judgement, LifeGrowth, Note, UnprovenReason, Verdict};
use crate::{
    catalog::{HarnessCheck, Kpi, Suite},
    journal::{Gauge, Interval},
    judge::fixtures::{
        sick::{is_steady, sick},
        soak::Soak,
    },
};

fn rss(soak: &Soak) -> Judgement {
    soak.judge().kpi(Kpi::RssDrift).unwrap().clone()
}

/// The note on each life.
pub(super) fn lives(judgement: &Judgement) -> impl Iterator<Item = &LifeGrowth> {
    judgement.evidence.notes.iter().filter_map(|note| if let Note::Life(life) = note { Some(life) } else { None })
}

pub(super) fn minute(interval: &Interval) -> f64 {
    (interval.from_ms / 60_000) as f64
}

fn with_rss(of: impl Fn(f64) -> f64) -> Soak {
    Soak::healthy(Suite::Full).each(|interval| {
        let value = of(minute(interval));
        let summary = interval.gauges.get_mut(&Gauge::GatewayRss).unwrap();
        (summary.min, summary.max, summary.last) = (value, value + 30e6, value + 10e6);
    })
}

#[test]
fn a_slow_leak_under_a_sawtooth_is_found_and_dated() {
    let judgement = rss(&sick(Kpi::RssDrift));
    assert_eq!(Verdict::Fail, judgement.verdict);
    let value = judgement.value.unwrap();
    assert!((17.0..22.0).contains(&value), "65 minutes of 0.25 MB on 82.7 MB is 20 %, not {value}");
    let first = judgement.evidence.first.unwrap().at_ms / 60_000;
    assert!((40..48).contains(&first), "10 % are passed in the middle of the first segment, not at {first}");
}

fn in_one_life(soak: Soak) -> Soak {
    soak.each(|interval| interval.gateway_life = Some("4711".into()))
}

/// Descriptors of a process that lives through the soak.
fn fds(of: &dyn Fn(f64) -> f64) -> Judgement {
    let soak = in_one_life(Soak::healthy(Suite::Full)).each(|interval| {
        interval.gauges.get_mut(&Gauge::GatewayFdSurplus).unwrap().min = of(minute(interval));
    });
    soak.judge().kpi(Kpi::FdDrift).unwrap().clone()
}

/// Teeth of 16 % on 200 MB, so many in two hours, the first of them so far on its way.
fn sawtooth(teeth: f64, on_its_way: f64, minute: f64) -> f64 {
    200e6 * (1.0 + 0.16 * (minute * teeth / 120.0 + on_its_way).fract())
}

#[test]
fn a_slow_sawtooth_is_no_drift_however_many_teeth_it_has_and_wherever_it_begins() {
    for teeth in [1.0, 2.0, 3.0, 4.0] {
        for tenth in 0..10 {
            let healthy = with_rss(|minute| sawtooth(teeth, f64::from(tenth) / 10.0, minute));
            for soak in [healthy.clone(), in_one_life(healthy)] {
                let judgement = rss(&soak);
                assert_eq!(Verdict::Pass, judgement.verdict, "{teeth} teeth from {tenth}/10: {judgement:#?}");
            }
        }
    }
}

#[test]
fn a_leak_under_a_slow_sawtooth_is_found_by_the_floors_of_its_teeth() {
    let judgement = rss(&in_one_life(with_rss(|minute| sawtooth(3.0, 0.4, minute) + minute * 0.25e6)));
    assert_eq!(Verdict::Fail, judgement.verdict, "{judgement:#?}");
    let value = judgement.value.unwrap();
    assert!((12.5..14.5).contains(&value), "109 minutes of 0.25 MB on 202 MB are 13.5 %, not {value}");
    let life = lives(&judgement).next().unwrap();
    let growth = life.growth.unwrap();
    let line = growth.line;
    assert_eq!((By::Teeth(3), 99, 10, 119), (growth.by, life.floors, line.from_minute, line.to_minute));
    assert_eq!([203.6, 230.8], [line.start, line.end].map(|bytes| (bytes / 1e5).round() / 10.0));
}

#[test]
fn one_rise_of_two_hours_is_a_leak_where_it_is_higher_than_a_tooth() {
    let rising = |percent: f64| in_one_life(with_rss(move |minute| 200e6 * (1.0 + percent / 100.0 * minute / 120.0)));
    let judgement = rss(&rising(16.0));
    assert_eq!((Verdict::Pass, Some(0.0)), (judgement.verdict, judgement.value));
    let by = lives(&judgement).next().unwrap().growth.map(|growth| growth.by);
    assert_eq!(Some(By::OneTooth), by, "{judgement:#?}");
    assert_eq!(Verdict::Fail, rss(&rising(19.0)).verdict);
}

#[test]
fn a_rise_in_a_short_life_is_a_tooth_where_its_like_was_seen_to_fall_in_another() {
    let second = |minute: f64| if minute < 90.0 { 200e6 } else { 200e6 + (minute - 90.0) * 1e6 };
    let alone = with_rss(|minute| if minute < 76.0 { 200e6 } else { second(minute) });
    assert_eq!(Verdict::Fail, rss(&alone).verdict);
    let like_others = with_rss(|minute| if minute < 76.0 { sawtooth(4.0, 0.0, minute) } else { second(minute) });
    assert_eq!(Verdict::Pass, rss(&like_others).verdict, "{:#?}", rss(&like_others));
}

#[test]
fn a_leak_is_dated_by_floors_and_says_how_long_all_was_level() {
    let leak_from = |from: f64| in_one_life(with_rss(move |minute| 80e6 + (minute - from).max(0.0) * 0.5e6));
    let dated = |soak: &Soak| {
        let judgement = rss(soak);
        assert_eq!(Verdict::Fail, judgement.verdict, "{judgement:#?}");
        let first = judgement.evidence.first.unwrap();
        (first.at_ms / 60_000, first.subject)
    };
    // 10 % of 80 MB are 16 minutes of it; and of 85 MB, as it is after the warm-up, 17.
    assert_eq!((77, "level until T+60:00".to_owned()), dated(&leak_from(60.0)));
    let (at, level) = dated(&leak_from(0.0));
    assert!((27..30).contains(&at) && level.is_empty(), "{at}, {level:?}");
    let step = in_one_life(with_rss(|minute| if minute < 76.0 { 80e6 } else { 120e6 }));
    assert_eq!((77, "level until T+74:00".to_owned()), dated(&step));
}

#[test]
fn our_own_memory_has_no_teeth() {
    let soak = Soak::healthy(Suite::Full).each(|interval| {
        interval.gauges.get_mut(&Gauge::HarnessRss).unwrap().min = 30e6 + minute(interval) * 4e4;
    });
    let judgement = soak.judge().harness(HarnessCheck::SelfDrift).unwrap().clone();
    assert_eq!(Verdict::Fail, judgement.verdict, "14 %: {judgement:#?}");
}

#[test]
fn eight_descriptors_in_two_hours_are_a_leak_and_three_that_come_and_go_are_none() {
    let jump = |minute: f64| (minute * 7.0 % 4.0).floor();
    assert_eq!(Verdict::Fail, fds(&|minute| 60.0 + (minute / 15.0).floor()).verdict);
    assert_eq!(Verdict::Fail, fds(&|minute| 60.0 + (minute * 0.6).floor() + jump(minute)).verdict);
    assert_eq!(Verdict::Pass, fds(&|minute| 60.0 + jump(minute)).verdict);
    // Nor is what was taken once, at some disturbance, and never given back.
    for at in [15.0, 48.0, 60.0, 80.0, 100.0] {
        let taken = |many: f64| fds(&move |minute| 60.0 + jump(minute) + if minute < at { 0.0 } else { many });
        assert_eq!((Verdict::Fail, Verdict::Pass), (taken(9.0).verdict, taken(3.0).verdict), "at {at}");
    }
}

#[test]
fn what_a_process_leaves_behind_in_a_store_is_growth_whoever_counts_it() {
    let of = |gauge: Gauge, kpi: Kpi, value: &dyn Fn(f64) -> f64| {
        let soak = Soak::healthy(Suite::Full).each(|interval| {
            let value = value(minute(interval));
            let summary = interval.gauges.get_mut(&gauge).unwrap();
            (summary.min, summary.max, summary.last) = (value, value, value);
        });
        soak.judge().kpi(kpi).unwrap().clone()
    };
    for (gauge, kpi) in
        [(Gauge::GatewaySseSurplus, Kpi::SseConnectionDrift), (Gauge::GatewayQueueDepth, Kpi::QueueDrift)]
    {
        let judgement = of(gauge, kpi, &|minute| if minute < 75.0 { 1.0 } else { 21.0 });
        assert_eq!((Verdict::Fail, Some(20.0)), (judgement.verdict, judgement.value), "{judgement:#?}");
        assert_eq!(99, judgement.samples, "no minute counts twice");
        assert!(lives(&judgement).any(|life| life.is_over_all), "{judgement:#?}");
        assert_eq!(Verdict::Fail, of(gauge, kpi, &|minute| (minute * 0.075).floor()).verdict);
        let waiting = of(gauge, kpi, &|minute| if (75.0..90.0).contains(&minute) { 21.0 } else { 1.0 });
        assert_eq!(Verdict::Pass, waiting.verdict, "it is back: {waiting:#?}");
    }
    // A new process may well hold other descriptors than the one before.
    let fds = of(Gauge::GatewayFdSurplus, Kpi::FdDrift, &|minute| if minute < 75.0 { 20.0 } else { 40.0 });
    assert_eq!(Verdict::Pass, fds.verdict);
}

#[test]
fn odd_minutes_neither_hide_a_step_nor_put_off_since_when() {
    let step = |minute: f64| if minute < 60.0 { 60.0 } else { 69.0 };
    let odd = |at: f64, value: f64| move |minute: f64| if minute == at { value } else { step(minute) };
    let burst = |minute: f64| step(minute) + if (20.0..23.0).contains(&minute) { 8.0 } else { 0.0 };
    for of in [&odd(100.0, 40.0) as &dyn Fn(f64) -> f64, &odd(30.0, 100.0), &odd(115.0, 60.0), &burst] {
        let judgement = fds(of);
        assert_eq!((Verdict::Fail, Some(9.0)), (judgement.verdict, judgement.value), "{judgement:#?}");
        assert_eq!(60, judgement.evidence.first.unwrap().at_ms / 60_000);
    }
    let leak = fds(&|minute| if minute == 117.0 { 60.0 } else { 60.0 + (minute * 0.2).floor() });
    let first = leak.evidence.first.unwrap().at_ms / 60_000;
    assert!((35..42).contains(&first), "5 descriptors after the warm-up, at 0.2 a minute, are not at T+{first}");
}

#[test]
fn what_begins_late_is_growth_in_one_life_and_in_the_second_of_two() {
    for at in [90.0, 97.0, 105.0] {
        let doubled = with_rss(move |minute| if minute < at { 80e6 } else { 160e6 });
        let steep = with_rss(move |minute| 80e6 + (minute - at).max(0.0) * 10e6);
        for soak in [in_one_life(doubled.clone()), doubled, in_one_life(steep.clone()), steep] {
            let judgement = rss(&soak);
            assert_eq!(Verdict::Fail, judgement.verdict, "from {at}: {judgement:#?}");
            let first = judgement.evidence.first.unwrap().at_ms / 60_000;
            assert!((at as u64..at as u64 + 10).contains(&first), "from {at}, and dated {first}");
        }
    }
    // Ten minutes at the end may be anything that is still to be given back.
    assert_eq!(Verdict::Pass, rss(&in_one_life(with_rss(|minute| if minute < 111.0 { 80e6 } else { 160e6 }))).verdict);
}

#[test]
fn memory_that_falls_or_steps_down_is_no_drift() {
    let judgement = rss(&with_rss(|minute| 200e6 - minute * 1e6));
    assert_eq!((Verdict::Pass, Some(0.0)), (judgement.verdict, judgement.value));
}

#[test]
fn growth_in_the_warm_up_is_no_drift() {
    let warming = with_rss(|minute| if minute < 10.0 { 40e6 + minute * 4e6 } else { 80e6 });
    assert_eq!((Verdict::Pass, Some(0.0)), (rss(&warming).verdict, rss(&warming).value));
}

#[test]
fn a_process_that_was_restarted_warms_up_again() {
    let warming = with_rss(|minute| match minute {
        76.0..86.0 => 40e6 + (minute - 76.0) * 4e6,
        _ => 80e6,
    });
    assert_eq!(Verdict::Pass, rss(&warming).verdict);
}

#[test]
fn segments_are_judged_apart_and_the_worst_counts() {
    // A step from one life to the next is no growth; growth in the second life is.
    let stepping = with_rss(|minute| if minute <= 75.0 { 80e6 } else { 120e6 });
    assert_eq!((Verdict::Pass, Some(0.0)), (rss(&stepping).verdict, rss(&stepping).value));
    let leaking = with_rss(|minute| if minute <= 75.0 { 80e6 } else { 80e6 + (minute - 75.0) * 1e6 });
    let judgement = rss(&leaking);
    assert_eq!((Verdict::Fail, 2), (judgement.verdict, judgement.evidence.notes.len()));
}

#[test]
fn an_unknown_life_is_the_one_before() {
    let soak = sick(Kpi::RssDrift).each(|interval| {
        if interval.from_ms % 180_000 == 0 {
            interval.gateway_life = None;
        }
    });
    assert_eq!((Verdict::Fail, 2), (rss(&soak).verdict, rss(&soak).evidence.notes.len()));
}

#[test]
fn a_gateway_that_restarts_every_quarter_of_an_hour_proves_nothing() {
    let soak = Soak::healthy(Suite::Full).each(|interval| {
        interval.gateway_life = Some(format!("{}", interval.from_ms / 900_000));
    });
    let judgement = rss(&soak);
    assert_eq!(Verdict::Unproven, judgement.verdict, "{judgement:#?}");
    assert!(lives(&judgement).any(|life| life.growth.is_none()), "{judgement:#?}");
}

#[test]
fn what_chaos_windows_hold_is_no_drift() {
    let soak = Soak::healthy(Suite::Full).each(|interval| {
        if !is_steady(interval) {
            interval.gauges.get_mut(&Gauge::GatewayFdSurplus).unwrap().min = 5_000.0;
        }
    });
    assert_eq!(Verdict::Pass, soak.judge().kpi(Kpi::FdDrift).unwrap().verdict);
}

#[test]
fn gauges_that_are_not_numbers_are_no_measurements() {
    let soak = with_rss(|_| f64::NAN);
    assert_eq!((Verdict::Unproven, 0), (rss(&soak).verdict, rss(&soak).samples));
}

#[test]
fn our_own_memory_is_held_against_itself_in_real_time_and_not_when_compressed() {
    let grown = |bytes: f64, pace: f64| {
        let mut soak = Soak::healthy(Suite::Full).each(|interval| {
            interval.gauges.get_mut(&Gauge::HarnessRss).unwrap().min = 30e6 + minute(interval) / 120.0 * bytes;
        });
        soak.plan.pace = pace;
        soak.judge().harness(HarnessCheck::SelfDrift).unwrap().verdict
    };
    assert_eq!((Verdict::Fail, Verdict::Pass), (grown(4e6, 1.0), grown(4e6, 120.0)));
    assert_eq!(Verdict::Fail, grown(14e6, 120.0));
}

#[test]
fn our_own_memory_is_judged_likewise() {
    let soak = Soak::healthy(Suite::Full).each(|interval| {
        let grown = 30e6 + minute(interval) * 1e5;
        interval.gauges.get_mut(&Gauge::HarnessRss).unwrap().min = grown;
    });
    let judgement = soak.judge().harness(HarnessCheck::SelfDrift).unwrap().clone();
    assert_eq!(Verdict::Fail, judgement.verdict, "{judgement:#?}");
}

#[test]
fn a_clock_that_jumps_fails_and_one_slow_answer_does_not() {
    let clock = |soak: &Soak| soak.judge().kpi(Kpi::ClockDrift).unwrap().clone();
    let jumped = Soak::healthy(Suite::Full).each(|interval| {
        if interval.from_ms > 76 * 60_000 {
            interval.gauges.get_mut(&Gauge::ClockOffset).unwrap().last -= 800.0;
        }
    });
    assert_eq!(Verdict::Fail, clock(&jumped).verdict);
    assert_eq!(Some(77 * 60_000), clock(&jumped).evidence.first.map(|first| first.at_ms));

    // Intervals of ten seconds, one of which met a slow answer.
    let mut soak = Soak::healthy(Suite::Full);
    let mut slow = soak.minute(20).clone();
    for n in 1..6 {
        slow.from_ms = 20 * 60_000 + n * 10_000;
        slow.gauges.get_mut(&Gauge::ClockOffset).unwrap().last = if n == 3 { 900.0 } else { 4.0 };
        soak.intervals.push(slow.clone());
    }
    assert_eq!(Verdict::Pass, clock(&soak).verdict);
}

#[test]
fn a_small_process_is_held_against_the_size_that_the_settings_say() {
    // Two megabytes more on fifteen.
    let mut soak = with_rss(|minute| 15e6 + minute * 2e6 / 60.0);
    assert_eq!(Verdict::Fail, rss(&soak).verdict);
    soak.targets.rss_base_min_bytes = 32_000_000;
    let judgement = rss(&soak);
    assert_eq!(Verdict::Pass, judgement.verdict, "{judgement:#?}");
    let life = lives(&judgement).next().unwrap();
    assert_eq!((Some(32e6), true), (life.base_min_bytes, life.growth.unwrap().line.start < 32e6), "{judgement:#?}");
}

#[test]
fn a_count_of_streams_that_is_ever_lower_proves_nothing() {
    let soak = Soak::healthy(Suite::Full).each(|interval| {
        let least = -(minute(interval) % 76.0).min(20.0);
        interval.gauges.get_mut(&Gauge::GatewaySseSurplus).unwrap().min = least;
    });
    let judgement = soak.judge().kpi(Kpi::SseConnectionDrift).unwrap().clone();
    assert_eq!(Verdict::Unproven, judgement.verdict, "{judgement:#?}");
    assert!(matches!(
        judgement.reason[..],
        [Note::Unproven(UnprovenReason::CountTooLow { before: -1.0, from_ms: 0, .. })]
    ));
}
