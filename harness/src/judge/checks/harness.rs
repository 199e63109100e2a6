//! The checks on the harness itself: a verdict on a gateway is worth as much as these.

use crate::{
    catalog::{HarnessCheck, Phase, Target, Unit},
    history::{History, Violation, WORST_MAX},
    journal::EndReason,
    judge::{
        Fault, Judged, Judgement, Note, Targets,
        checks::load,
        kpi::{drift, missing_samples},
        stats::as_value,
        verdict::assessment::{Assessment, percent},
    },
    plan::{Plan, moment},
};

/// The maximum lateness of a heartbeat, real time: a machine that prints no line within it cannot keep a plan.
const HEARTBEAT_LATE_REAL_MS: f64 = 5_000.0;
/// Holes of this much real time are allowed at any pace: the start of a session takes as long.
const HOLE_REAL_MS: f64 = 5_000.0;
/// The share of the plan before whose end the session may end, percent: the last interval may be cut short.
const CUT_PERCENT_MAX: f64 = 1.0;

pub(crate) fn judge(check: HarnessCheck, plan: &Plan, targets: &Targets, history: &History) -> Judgement {
    let found = match check {
        HarnessCheck::NoFatalErrors => no_fatal_errors(plan, history),
        HarnessCheck::Heartbeats => heartbeats(plan, history),
        HarnessCheck::FullDuration => full_duration(plan, targets, history),
        HarnessCheck::LoadDelivered => load::delivered(plan, targets, history),
        HarnessCheck::SelfDrift => drift::of_harness(plan, targets, history),
    };
    missing_samples::into_judgement(found, plan, history)
}

fn open(check: HarnessCheck, unit: Unit, target: Target, sample_name: &str) -> Assessment {
    Assessment::new(Judged::Harness, check.name(), unit, target, sample_name)
}

/// Nothing stopped the session, and its end is on record.
fn no_fatal_errors(plan: &Plan, history: &History) -> Assessment {
    let mut found = open(HarnessCheck::NoFatalErrors, Unit::Count, Target::AtMost(0.0), "ends");
    found.promised = 1;
    if !history.is_empty() {
        let ended_fatally = history.timeline.end().is_some_and(|end| end.reason == EndReason::Fatal);
        let count = history.timeline.fatal_count.max(u64::from(ended_fatally));
        found.one_is_proof = true;
        found.samples = u64::from(history.timeline.end().is_some());
        found.value = Some(as_value(count));
        found.evidence.over = count;
        if let Some((at_ms, message)) = &history.timeline.fatal {
            found.offenders(vec![violation(*at_ms, "the session", message.clone())]);
        }
        if ended_fatally || history.timeline.end().is_none() {
            found.fault.extend(missing_samples::of_early_end(plan, history));
        }
    }
    found
}

fn violation(at_ms: u64, subject: impl Into<String>, answer: String) -> Violation {
    Violation { answer: Some(answer), ..Violation::at(at_ms, Phase::Steady, subject) }
}

/// Every planned heartbeat came, and none was late.
fn heartbeats(plan: &Plan, history: &History) -> Assessment {
    let planned = plan.heartbeats_ms.count();
    let target = Target::AtLeast(as_value(planned));
    let mut found = open(HarnessCheck::Heartbeats, Unit::Count, target, "heartbeats");
    found.promised = planned;
    let late_ms = real(HEARTBEAT_LATE_REAL_MS, plan);
    let heartbeats = history.timeline.heartbeats.iter();
    let wrong = heartbeats.filter_map(|(due_ms, came_ms)| {
        let answer = match came_ms {
            None => "did not come".to_owned(),
            Some(came_ms) if came_ms.saturating_sub(*due_ms) > late_ms => format!("came at {}", moment(*came_ms)),
            Some(_) => return None,
        };
        Some(violation(*due_ms, "heartbeat", answer))
    });
    let wrong: Vec<Violation> = wrong.collect();
    if !history.is_empty() {
        found.samples = planned.saturating_sub(wrong.len() as u64);
        found.value = Some(as_value(found.samples));
        found.evidence.over = wrong.len() as u64;
        // Heartbeats that did not come are no lack of samples: their absence is judged.
        if !wrong.is_empty() {
            found.fail(missing_samples::of_early_end(plan, history).unwrap_or(Fault::HeartbeatsMissed.into()));
        }
        found.offenders(wrong.into_iter().take(WORST_MAX + 1).collect());
    }
    found
}

/// The plan was played to its end, with holes under a hundredth of it or five real seconds.
fn full_duration(plan: &Plan, targets: &Targets, history: &History) -> Assessment {
    let mut found = open(HarnessCheck::FullDuration, Unit::YesNo, Target::AtLeast(1.0), "scenario minutes");
    found.promised = plan.duration_ms / 60_000;
    if history.is_empty() {
        return found;
    }
    let holes_ms = history.timeline.holes_ms;
    let holes_percent = percent(holes_ms, plan.duration_ms).unwrap_or(0.0);
    let too_many = holes_percent > targets.holes_percent_max() && holes_ms > real(HOLE_REAL_MS, plan);
    let played_percent = percent(history.timeline.scenario_ms(), plan.duration_ms).unwrap_or(100.0);
    let is_cut = played_percent < 100.0 - CUT_PERCENT_MAX;
    found.samples = history.timeline.scenario_ms().min(plan.duration_ms).saturating_sub(holes_ms).div_ceil(60_000);
    found.note_count(holes_ms, |holes_ms| Note::HolesInPlan { holes_ms, percent: holes_percent });
    let hole = |(from_ms, to_ms, why): &(u64, u64, String)| {
        violation(*from_ms, format!("a hole to {}", moment(*to_ms)), why.clone())
    };
    found.offenders(history.timeline.holes.iter().map(hole).collect());
    let fault = missing_samples::of_early_end(plan, history)
        .or_else(|| is_cut.then(|| Fault::RecordCut { at_ms: history.timeline.scenario_ms() }.into()))
        .or_else(|| too_many.then(|| Fault::HolesTooLong { percent: holes_percent }.into()));
    found.fault.extend(fault);
    found.value = Some(if found.fault.is_empty() { 1.0 } else { 0.0 });
    found
}

/// Real milliseconds as scenario milliseconds of the plan; ten scenario seconds, an interval, at least.
fn real(real_ms: f64, plan: &Plan) -> u64 {
    (real_ms * plan.pace).max(10_000.0) as u64
}
