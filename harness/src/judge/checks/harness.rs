//! What is judged about the harness itself: a verdict on a gateway is worth as much as these.

use crate::{
    catalog::{HarnessCheck, Phase, Target, Unit, Workload},
    journal::{Counter, EndReason, Timing},
    judge::{
        Digest, Judged, Judgement, Scope, Targets, Violation,
        kpi::{
            drift,
            lateness::{self, Lateness},
            missing_samples,
        },
        verdict::assessment::{Assessment, is_too_few, percent},
    },
    plan::{Plan, moment},
};

/// A heartbeat may be so late in real time: a machine that cannot print a line within it cannot keep a plan either.
const HEARTBEAT_LATE_REAL_MS: f64 = 5_000.0;
/// Holes of this much real time are allowed whatever the pace: it takes as long to start a session again.
const HOLE_REAL_MS: f64 = 5_000.0;
/// The session may end so much before the plan, percent of it: the last interval may be cut short.
const CUT_PERCENT_MAX: f64 = 1.0;
/// Where more requests than this are told to come later, percent of all, what was played is not the load that was planned.
const THROTTLED_PERCENT_MAX: f64 = 10.0;

/// Makes one check.
pub(in crate::judge) fn judge(check: HarnessCheck, plan: &Plan, targets: &Targets, digest: &Digest) -> Judgement {
    match check {
        HarnessCheck::NoFatalErrors => no_fatal_errors(plan, digest),
        HarnessCheck::Heartbeats => heartbeats(plan, digest),
        HarnessCheck::FullDuration => full_duration(plan, targets, digest),
        HarnessCheck::LoadDelivered => load_delivered(plan, targets, digest),
        HarnessCheck::SelfDrift => drift::of_harness(plan, targets, digest),
    }
}

fn open(check: HarnessCheck, unit: Unit, target: Target, sample_name: &str) -> Assessment {
    Assessment::new(Judged::Harness, check.name(), unit, target, sample_name)
}

/// Nothing stopped the session, and it lived to say so.
fn no_fatal_errors(plan: &Plan, digest: &Digest) -> Judgement {
    let mut found = open(HarnessCheck::NoFatalErrors, Unit::Count, Target::AtMost(0.0), "ends");
    found.promised = 1;
    if !digest.is_empty() {
        let ended_fatally = digest.end().is_some_and(|end| end.reason == EndReason::Fatal);
        let count = digest.story.fatal_count.max(u64::from(ended_fatally));
        found.one_is_proof = true;
        found.samples = u64::from(digest.end().is_some());
        found.value = Some(as_value(count));
        found.evidence.over = count;
        if let Some((at_ms, message)) = &digest.story.fatal {
            let subject = "the session".to_owned();
            let answer = Some(message.clone());
            found.offenders(vec![Violation { at_ms: *at_ms, phase: Phase::Steady, subject, value: None, answer }]);
        }
        if ended_fatally || digest.end().is_none() {
            found.fault = missing_samples::of_early_end(plan, digest);
        }
    }
    missing_samples::conclude(found, plan, digest)
}

/// Every planned heartbeat came, and none was late.
fn heartbeats(plan: &Plan, digest: &Digest) -> Judgement {
    let planned = plan.heartbeats_ms.len() as u64;
    let target = Target::AtLeast(as_value(planned));
    let mut found = open(HarnessCheck::Heartbeats, Unit::Count, target, "heartbeats");
    found.promised = planned;
    let late_ms = real(HEARTBEAT_LATE_REAL_MS, plan);
    let heartbeats = digest.story.heartbeats.iter();
    let wrong = heartbeats.filter_map(|(due_ms, came_ms)| {
        let answer = match came_ms {
            None => "did not come".to_owned(),
            Some(came_ms) if came_ms.saturating_sub(*due_ms) > late_ms => format!("came at {}", moment(*came_ms)),
            Some(_) => return None,
        };
        let subject = "heartbeat".to_owned();
        Some(Violation { at_ms: *due_ms, phase: Phase::Steady, subject, value: None, answer: Some(answer) })
    });
    let wrong: Vec<Violation> = wrong.collect();
    if !digest.is_empty() {
        found.samples = planned.saturating_sub(wrong.len() as u64);
        found.value = Some(as_value(found.samples));
        found.evidence.over = wrong.len() as u64;
        // Heartbeats that did not come are no lack of samples: they are what is judged.
        found.fault = wrong.first().map(|_| {
            let late = "not every heartbeat came within five seconds".to_owned();
            missing_samples::of_early_end(plan, digest).unwrap_or(late)
        });
        found.offenders(wrong.into_iter().take(crate::judge::record::phase_totals::WORST_MAX + 1).collect());
    }
    missing_samples::conclude(found, plan, digest)
}

/// The plan was played to its end, with holes under a hundredth of it or five real seconds.
fn full_duration(plan: &Plan, targets: &Targets, digest: &Digest) -> Judgement {
    let mut found = open(HarnessCheck::FullDuration, Unit::YesNo, Target::AtLeast(1.0), "scenario minutes");
    found.promised = plan.duration_ms / 60_000;
    if digest.is_empty() {
        return missing_samples::conclude(found, plan, digest);
    }
    let holes_ms = digest.story.holes_ms;
    let holes_percent = percent(holes_ms, plan.duration_ms).unwrap_or(0.0);
    let too_many = holes_percent > targets.holes_percent_max() && holes_ms > real(HOLE_REAL_MS, plan);
    let played_percent = percent(digest.scenario_ms(), plan.duration_ms).unwrap_or(100.0);
    let is_cut = played_percent < 100.0 - CUT_PERCENT_MAX;
    found.samples = digest.scenario_ms().min(plan.duration_ms).saturating_sub(holes_ms).div_ceil(60_000);
    if holes_ms > 0 {
        let seconds = holes_ms.div_ceil(1_000);
        found.evidence.notes.push(format!("{seconds} s of the scenario, {holes_percent:.1} %, were not played"));
    }
    let hole = |(from_ms, to_ms, why): &(u64, u64, String)| Violation {
        at_ms: *from_ms,
        phase: Phase::Steady,
        subject: format!("a hole to {}", moment(*to_ms)),
        value: None,
        answer: Some(why.clone()),
    };
    found.offenders(digest.story.holes.iter().map(hole).collect());
    found.fault = missing_samples::of_early_end(plan, digest)
        .or_else(|| is_cut.then(|| format!("the record stops at {}", moment(digest.scenario_ms()))))
        .or_else(|| too_many.then(|| format!("holes take {holes_percent:.1} % of the plan")));
    found.value = Some(if found.fault.is_some() { 0.0 } else { 1.0 });
    missing_samples::conclude(found, plan, digest)
}

/// Planned starts of W1 to W6 happened, and none was late in a way that could have changed a verdict ([`lateness`]). Of the two
/// conditions the judgement shows the one that is missed.
fn load_delivered(plan: &Plan, targets: &Targets, digest: &Digest) -> Judgement {
    let check = HarnessCheck::LoadDelivered;
    let mut found = open(check, Unit::Percent, targets.load_delivered(), "planned starts");
    let played = Workload::of(plan.suite).filter(|w| !matches!(w, Workload::Availability | Workload::Metrics));
    let (mut planned, mut started) = (0, 0);
    for workload in played {
        // Starts beyond the plan make none good that is missing elsewhere.
        let of_plan = digest.cycles(workload).started.min(plan.cycles(workload));
        planned += plan.cycles(workload);
        started += of_plan;
        if of_plan < plan.cycles(workload) {
            let note = format!("{workload} started {of_plan} of {}", plan.cycles(workload));
            found.evidence.notes.push(note);
        }
    }
    found.promised = planned;
    found.samples = started;
    found.value = if digest.is_empty() { None } else { percent(started, planned) };
    found.evidence.over = planned - started;
    let is_short = found.value.is_some_and(|value| !found.target.is_met_by(value));
    if is_short {
        let early = missing_samples::of_early_end(plan, digest);
        found.fault = Some(early.unwrap_or_else(|| format!("{started} of {planned} planned starts happened")));
        return missing_samples::conclude(found, plan, digest);
    }

    let (throttled, requests) =
        (digest.counter(Counter::RequestsThrottled, Scope::All), digest.counter(Counter::Requests, Scope::All));
    if throttled > 0 {
        found.evidence.notes.push(format!("{throttled} times a request was told to come later (409, 429)"));
    }
    if let Some(share) = percent(throttled, requests).filter(|share| *share > THROTTLED_PERCENT_MAX) {
        // What waits is no load, and what was measured of the rest says little of the load that was planned.
        found.lack = Some(format!(
            "{throttled} of {requests} requests, {share:.0} %, were told to come later: the gateway's plan does not allow \
             this load; raise its limits, or lower the rates in soak.toml"
        ));
        found.value = None;
        return missing_samples::conclude(found, plan, digest);
    }

    let lateness = Lateness::of(digest, targets);
    if is_too_few(lateness.starts(), plan.runs.len() as u64) {
        found.lack = Some(format!("how late they were was measured for {} of {started} starts", lateness.starts()));
        found.value = None;
        return missing_samples::conclude(found, plan, digest);
    }
    let (p99_ms, starts) = (lateness.at_ms(0.99), lateness.starts());
    found.evidence.notes.push(format!("the p99 of lateness is {p99_ms:.1} ms over {starts} starts"));
    found.evidence.notes.extend(lateness.note());
    found.evidence.notes.extend(digest.story.stalls.iter().map(lateness::stood_still));
    found.fault = lateness::harm(plan, targets, digest);
    if found.fault.is_some() && !targets.start_lateness().is_met_by(p99_ms) {
        (found.unit, found.target, found.value) = (Unit::Millis, targets.start_lateness(), Some(p99_ms));
        let limit_us = crate::judge::record::digest::limit_us(targets.start_lateness().limit());
        found.evidence.over = lateness.late();
        found.evidence.first =
            crate::judge::kpi::quantiles::first_over(digest, Timing::StartLateness, Scope::All, limit_us);
        found.evidence.worst =
            crate::judge::kpi::quantiles::worst_over(digest, Timing::StartLateness, Scope::All, limit_us);
    }
    missing_samples::conclude(found, plan, digest)
}

/// Real milliseconds as scenario milliseconds of the plan; ten scenario seconds, an interval, at least.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative, and `as` saturates")]
fn real(real_ms: f64, plan: &Plan) -> u64 {
    (real_ms * plan.pace).max(10_000.0) as u64
}

#[expect(clippy::cast_precision_loss, reason = "a handful")]
fn as_value(count: u64) -> f64 {
    count as f64
}
