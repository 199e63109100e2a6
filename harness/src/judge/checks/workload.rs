//! Whether a workload was played as planned. What the gateway made of it is the KPIs' business.

use crate::{
    catalog::{Phase, Target, Unit, Workload},
    history::{History, Violation},
    judge::{
        Judged, Judgement, Note, Reason,
        kpi::{chaos, missing_samples},
        verdict::assessment::{Assessment, percent},
    },
    plan::{Plan, moment},
};

/// The share of its planned cycles that a workload must have played to their end, percent.
///
/// All of them, but for probes and scrapes: a probe is dropped rather than queued when too many are under way, since a
/// gateway that hangs must not leave us with a thousand open requests.
const fn target(workload: Workload) -> Target {
    match workload {
        Workload::Availability | Workload::Metrics => Target::AtLeast(99.0),
        _ => Target::AtLeast(100.0),
    }
}

/// A worker that panicked so often is not to be trusted, even where it went on each time.
const PANICS_MAX: u64 = 5;

/// Judges one workload.
pub(in crate::judge) fn judge(workload: Workload, plan: &Plan, history: &History) -> Judgement {
    let name = workload.name();
    let mut found = Assessment::new(Judged::Workload, name, Unit::Percent, target(workload), "cycles");
    let cycles = history.cycles(workload);
    found.promised = plan.cycles(workload) - lost_in_holes(workload, plan, history);
    // Cycles beyond the plan make none good that is missing.
    found.samples = cycles.finished.min(cycles.started).min(found.promised);
    found.value = if history.is_empty() { None } else { percent(found.samples, found.promised) };
    found.evidence.over = found.promised - found.samples;
    if cycles.started != cycles.finished {
        let (started, finished) = (cycles.started, cycles.finished);
        found.evidence.notes.push(Note::CyclesUnfinished { started, finished });
    }
    if !history.is_empty() {
        found.fault = fault(&mut found, workload, plan, history).map(Reason::Text);
    }
    missing_samples::into_judgement(found, plan, history)
}

/// Probes and scrapes that were due while no session was there: a sample of a moment cannot be made up for. Holes are
/// judged by `full_duration`, once.
fn lost_in_holes(workload: Workload, plan: &Plan, history: &History) -> u64 {
    match workload {
        Workload::Availability | Workload::Metrics => {
            let every_ms = (plan.duration_ms / plan.cycles(workload).max(1)).max(1);
            // A hole begins and ends between two of them.
            let around = 2 * history.timeline.holes.len() as u64;
            let in_all = (history.timeline.holes_ms / every_ms).saturating_add(around);
            let lost = if history.timeline.holes_ms == 0 { 0 } else { in_all };
            lost.min(plan.cycles(workload))
        }
        _ => 0,
    }
}

/// The reason why the workload was not played as planned.
fn fault(found: &mut Assessment, workload: Workload, plan: &Plan, history: &History) -> Option<String> {
    let worker = history.timeline.workers.get(workload.name());
    if let Some(worker) = worker.filter(|worker| worker.panics > 0) {
        let panics = worker.panics;
        let (at_ms, message) = worker.last_panic.clone().unwrap_or_default();
        if panics > 1 {
            found.evidence.notes.push(Note::WorkerPanicked { panics, last_ms: at_ms });
        }
        found.offenders(vec![Violation {
            at_ms,
            phase: Phase::Steady,
            subject: "its worker panicked".to_owned(),
            value: None,
            answer: Some(message),
        }]);
    }
    if let Some(at_ms) = worker.and_then(|worker| worker.gave_up_ms) {
        let at = moment(at_ms);
        let last = worker.and_then(|worker| worker.last_panic.as_ref()).map_or("", |(_, message)| message);
        return Some(format!("its worker panicked too often, and was given up at {at}: {last}"));
    }
    if let Some(worker) = worker.filter(|worker| worker.panics >= PANICS_MAX) {
        let (panics, (_, message)) = (worker.panics, worker.last_panic.clone().unwrap_or_default());
        return Some(format!("its worker panicked {panics} times, the last time: {message}"));
    }
    let is_short = found.value.is_none_or(|value| !found.target.is_met_by(value));
    if is_short {
        let early = missing_samples::of_early_end(plan, history);
        return Some(early.unwrap_or_else(|| "not every cycle that was due took place".to_owned()));
    }
    if !worker.is_some_and(|worker| worker.is_done) {
        return Some("its worker was not seen to end as planned".to_owned());
    }
    let empty = if workload == Workload::Chaos { chaos::unproven_events(plan, history) } else { Vec::new() };
    let told = chaos::in_words(&empty)?;
    found.evidence.over = empty.len() as u64;
    found.offenders(empty);
    Some(told)
}
