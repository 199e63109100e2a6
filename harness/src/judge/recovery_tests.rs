//! A gateway that is said to be well again after chaos, and whether it stays so.

use super::{Fault, Judgement, Note, Verdict, is_already_certain};
use crate::{
    catalog::{Chaos, Kpi, Phase, Suite},
    history::Relapse,
    journal::{Counter, Finding, Incident, Interval, Timing},
    judge::fixtures::{
        sick::take,
        soak::{Soak, timing},
    },
};

const FLAPPING: &str = "503 {\"ready\":false}";

fn of(soak: &Soak) -> Judgement {
    soak.judge().kpi(Kpi::ChaosRecovery).unwrap().clone()
}

/// The relapse that a green judgement notes.
fn noted(judgement: &Judgement) -> Option<&Relapse> {
    judgement.evidence.notes.iter().find_map(|note| match note {
        Note::Relapsed { relapse, .. } => Some(relapse),
        _ => None,
    })
}

/// Of the healthy soak's events each is at its minute, and said to be well after four seconds. A gateway that is not ready
/// for some of a minute's probes.
fn flap(soak: &mut Soak, minute: usize, unready: u64) {
    take(soak.minute(minute), Counter::ReadyOk, unready);
    for n in 0..unready.min(8) {
        soak.happens(minute as u64 * 60_000 + 10_000 + n * 2_000, Finding::NotReady { answer: FLAPPING.into() });
    }
}

/// A minute in intervals of ten seconds, as the session writes them.
fn in_tens(soak: &mut Soak, minute: usize) {
    let whole = soak.minute(minute);
    let phase = whole.phase;
    for counter in [Counter::ReadyProbes, Counter::ReadyOk] {
        whole.counters.remove(&counter);
    }
    let tens = (0..6).map(|n| {
        let from_ms = minute as u64 * 60_000 + n * 10_000;
        let mut interval = Interval::empty(from_ms, from_ms + 10_000, phase);
        interval.counters = [(Counter::ReadyProbes, 10), (Counter::ReadyOk, 10)].into();
        answered_within(&mut interval, 2_000);
        interval
    });
    soak.intervals.extend(tens);
}

/// How long the probes of an interval took, each.
fn answered_within(interval: &mut Interval, us: u64) {
    interval.timings.insert(Timing::ReadyRoundTrip, timing(us, 10, interval.from_ms, "GET /ready"));
}

/// The interval of ten seconds that begins at a moment.
fn ten(soak: &mut Soak, from_ms: u64) -> &mut Interval {
    soak.intervals.iter_mut().find(|it| it.from_ms == from_ms && it.to_ms == from_ms + 10_000).unwrap()
}

#[test]
fn a_gateway_that_flaps_after_it_was_said_to_be_well_was_not_well() {
    for (minute, phase) in [(46, Phase::RedisRestart), (76, Phase::GatewayRestart), (92, Phase::Latency)] {
        let mut soak = Soak::healthy(Suite::Full);
        flap(&mut soak, minute, 30);
        let judgement = of(&soak);
        assert_eq!(Verdict::Fail, judgement.verdict, "{judgement:#?}");
        let first = judgement.evidence.first.as_ref().unwrap();
        assert_eq!((minute as u64 * 60_000, phase), (first.at_ms, first.phase));
        let event = soak.plan.chaos.iter().find(|event| Phase::from(event.chaos) == phase).unwrap();
        let (well_ms, since_ms) = (event.at_ms + 4_000, minute as u64 * 60_000);
        let (last_ms, answer) = (since_ms + 24_000, Some(FLAPPING.to_owned()));
        let relapse = Relapse { well_ms, unready: 30, since_ms, last_ms, answer, is_over: true };
        assert_eq!(Some(relapse.to_string()), first.answer);
        assert_eq!(1, judgement.evidence.over);
        assert!(is_already_certain(Kpi::ChaosRecovery, &soak.targets, &soak.history()));
        let others = soak.judge().kpis.into_iter().filter(|other| other.verdict != Verdict::Pass);
        assert_eq!(vec!["chaos_recovery"], others.map(|other| other.name).collect::<Vec<_>>());
    }
}

#[test]
fn the_way_back_ends_with_the_last_probe_that_was_not_ready() {
    let mut soak = Soak::healthy(Suite::Full);
    flap(&mut soak, 76, 30);
    // The last that is on record was at T+76:24, and well was said at T+75:04, after four seconds.
    assert_eq!(Some(84.0), of(&soak).value);
    let reports = soak.judge().chaos;
    assert_eq!(
        vec![Some(4_000), Some(84_000), Some(4_000)],
        reports.iter().map(|it| it.recovery_ms).collect::<Vec<_>>()
    );
    // Where none is on record, the counters tell all the same.
    soak.incidents.retain(|incident| !matches!(incident.finding, Finding::NotReady { .. }));
    let judgement = of(&soak);
    assert_eq!((Verdict::Fail, Some(60.0)), (judgement.verdict, judgement.value));
    assert!(judgement.evidence.first.unwrap().answer.unwrap().contains("not ready 30 times"));
}

#[test]
fn the_order_of_records_does_not_matter_to_a_relapse() {
    let mut soak = Soak::healthy(Suite::Full);
    in_tens(&mut soak, 76);
    flap(&mut soak, 77, 30);
    take(ten(&mut soak, 4_570_000), Counter::ReadyOk, 5);
    let in_order = of(&soak);
    soak.intervals.reverse();
    soak.incidents.reverse();
    assert_eq!(in_order, of(&soak));
}

#[test]
fn a_probe_or_two_that_went_astray_are_no_relapse() {
    let healthy = of(&Soak::healthy(Suite::Full));
    for unready in [1, 2] {
        let mut soak = Soak::healthy(Suite::Full);
        flap(&mut soak, 76, unready);
        assert_eq!(healthy, of(&soak), "{unready} in the window");
    }
    let mut soak = Soak::healthy(Suite::Full);
    flap(&mut soak, 76, 3);
    assert_eq!(Verdict::Fail, of(&soak).verdict, "three in the window");
}

#[test]
fn what_came_before_it_was_said_to_be_well_is_the_event_itself() {
    let healthy = of(&Soak::healthy(Suite::Full));
    let mut soak = Soak::healthy(Suite::Full);
    flap(&mut soak, 75, 30);
    assert_eq!(healthy, of(&soak));
}

#[test]
fn a_probe_that_was_sent_before_tells_of_the_time_before() {
    let flapping = |round_trip_us: Option<u64>, pace: f64| {
        let mut soak = Soak::healthy(Suite::Full);
        soak.plan.pace = pace;
        in_tens(&mut soak, 75);
        let interval = ten(&mut soak, 4_510_000);
        take(interval, Counter::ReadyOk, 10);
        match round_trip_us {
            Some(us) => answered_within(interval, us),
            None => drop(interval.timings.remove(&Timing::ReadyRoundTrip)),
        }
        // Six seconds after it was said to be well, and well from T+75:20 on.
        noted(&of(&soak)).is_some()
    };
    assert!(flapping(Some(2_000_000), 1.0), "two seconds before, it was well");
    assert!(!flapping(Some(2_000_000), 10.0), "at this pace twenty scenario seconds before, it was not");
    assert!(flapping(Some(2_000), 10.0), "and these did not take long");
    assert!(!flapping(None, 10.0), "how long they took is not known");
}

#[test]
fn a_relapse_that_was_over_within_the_target_is_green_and_a_note_tells_of_it() {
    let mut soak = Soak::healthy(Suite::Full);
    in_tens(&mut soak, 75);
    take(ten(&mut soak, 4_520_000), Counter::ReadyOk, 5);
    let judgement = of(&soak);
    assert_eq!((Verdict::Pass, Some(20.0), 0), (judgement.verdict, judgement.value, judgement.evidence.over));
    let (well_ms, since_ms) = (4_504_000, 4_520_000);
    let relapse = Relapse { well_ms, unready: 5, since_ms, last_ms: since_ms, answer: None, is_over: true };
    assert_eq!([Note::Relapsed { chaos: Chaos::GatewayRestart, relapse }], *judgement.evidence.notes);
}

#[test]
fn a_window_of_two_real_seconds_that_was_bad_to_its_end_is_green_where_the_gateway_was_well_from_then_on() {
    let mut soak = Soak::healthy(Suite::Full);
    soak.plan.pace = 60.0;
    in_tens(&mut soak, 76);
    (0..6).for_each(|n| take(ten(&mut soak, 4_560_000 + n * 10_000), Counter::ReadyOk, 5));
    let judgement = of(&soak);
    // Not ready until T+76:50 at the least.
    assert_eq!((Verdict::Pass, Some(5.767)), (judgement.verdict, judgement.value));
    let told = noted(&judgement).map(|relapse| (relapse.unready, relapse.since_ms));
    assert_eq!(Some((30, 76 * 60_000)), told, "{judgement:#?}");
}

#[test]
fn a_relapse_that_nobody_saw_the_end_of_fails_however_short_it_was() {
    let flaps_to = |minutes: std::ops::Range<usize>| {
        let mut soak = Soak::healthy(Suite::Full).each(|interval| answered_within(interval, 2_000));
        soak.plan.pace = 120.0;
        minutes.for_each(|minute| take(soak.minute(minute), Counter::ReadyOk, 30));
        soak
    };
    // Until the next event, and until the end of the record.
    let judgement = of(&flaps_to(77..90));
    assert_eq!(Verdict::Fail, judgement.verdict, "{judgement:#?}");
    assert!(judgement.value.unwrap() < 30.0);
    let [Note::Fault(Fault::RelapsedForGood { chaos, relapse })] = &judgement.reason[..] else {
        panic!("{judgement:#?}")
    };
    assert_eq!((Chaos::GatewayRestart, 4_504_000), (*chaos, relapse.well_ms));
    assert_eq!(77 * 60_000, judgement.evidence.first.unwrap().at_ms);
    let cut = flaps_to(77..78).cut_at(78 * 60_000);
    assert_eq!(Verdict::Fail, of(&cut).verdict);
    // It may be well yet.
    assert!(!is_already_certain(Kpi::ChaosRecovery, &cut.targets, &cut.history()));
    assert_eq!(None, cut.judge().chaos[1].recovery_ms);
    // One minute in which all was well is enough to have seen it.
    assert_eq!(Verdict::Unproven, of(&flaps_to(77..78).cut_at(79 * 60_000)).verdict);
    assert_eq!(Verdict::Pass, of(&flaps_to(77..89)).verdict);
}

#[test]
fn a_relapse_is_followed_out_of_its_window_until_the_gateway_is_well() {
    let value = |minutes: &[usize]| {
        let mut soak = Soak::healthy(Suite::Full);
        minutes.iter().for_each(|minute| take(soak.minute(*minute), Counter::ReadyOk, 5));
        of(&soak).value
    };
    // The window is over at T+77.
    assert_eq!(Some(240.0), value(&[76, 77, 78, 79]));
    assert_eq!(Some(60.0), value(&[76, 78, 79]), "what comes after it was well is of another matter");
    assert_eq!(Some(4.0), value(&[78, 79]));
}

#[test]
fn all_of_a_window_is_looked_at_also_where_the_gateway_was_well_in_between() {
    let mut soak = Soak::healthy(Suite::Full);
    in_tens(&mut soak, 76);
    take(ten(&mut soak, 4_570_000), Counter::ReadyOk, 2);
    take(ten(&mut soak, 4_600_000), Counter::ReadyOk, 2);
    let judgement = of(&soak);
    assert_eq!((Verdict::Fail, Some(100.0)), (judgement.verdict, judgement.value));
    let (well_ms, since_ms, last_ms) = (4_504_000, 4_570_000, 4_600_000);
    let relapse = Relapse { well_ms, unready: 4, since_ms, last_ms, answer: None, is_over: true };
    assert_eq!(Some(relapse.to_string()), judgement.evidence.first.unwrap().answer);
    // The second time to the end of the record.
    let cut = soak.cut_at(4_610_000);
    assert!(matches!(of(&cut).reason[..], [Note::Fault(Fault::RelapsedForGood { .. })]));
}

#[test]
fn two_intervals_of_the_same_ten_seconds_are_one_look() {
    let mut soak = Soak::healthy(Suite::Full);
    in_tens(&mut soak, 75);
    let whole = ten(&mut soak, 4_520_000);
    take(whole, Counter::ReadyOk, 4);
    // A part of what was counted in them was sent five seconds before, and a part a minute.
    let mut other = whole.clone();
    answered_within(whole, 5_000_000);
    answered_within(&mut other, 60_000_000);
    let unready = |soak: &Soak| noted(&of(soak)).map(|relapse| relapse.unready);
    assert_eq!(Some(4), unready(&soak));
    soak.intervals.push(other.clone());
    assert_eq!(None, unready(&soak), "some of them were sent before it was said to be well");
    answered_within(&mut other, 2_000);
    *soak.intervals.last_mut().unwrap() = other;
    assert_eq!(Some(8), unready(&soak));
}

#[test]
fn what_another_event_does_is_no_relapse() {
    let mut soak = Soak::healthy(Suite::Full);
    // The second restart comes while the window of the first is open.
    for incident in &mut soak.incidents {
        let chaos = match &incident.finding {
            Finding::ChaosInjected { chaos, .. } | Finding::ChaosRecovered { chaos, .. } => *chaos,
            _ => continue,
        };
        if chaos == Chaos::GatewayRestart {
            incident.at_ms -= 29 * 60_000;
        }
    }
    flap(&mut soak, 46, 30);
    soak.incidents.retain(|incident: &Incident| !matches!(incident.finding, Finding::NotReady { .. }));
    assert_eq!(Some(4.0), of(&soak).value);
}
