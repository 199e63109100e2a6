//! Whether a workload was played as planned. KPIs judge the response of the gateway.

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

/// A worker with this number of panics is not trusted, even where it went on each time.
const PANICS_MAX: u64 = 5;

pub(crate) fn judge(workload: Workload, plan: &Plan, history: &History) -> Judgement {
    // All planned cycles must have ended, but for probes and scrapes: a probe is dropped rather than queued when too
    // many are under way, since a gateway that hangs must not leave us with a thousand open requests.
    let target = Target::AtLeast(if workload.is_of_moments() { 99.0 } else { 100.0 });
    let mut found = Assessment::new(Judged::Workload, workload.name(), Unit::Percent, target, "cycles");
    let cycles = history.cycles(workload);
    found.promised = plan.cycles(workload) - lost_in_holes(workload, plan, history);
    // Cycles beyond the plan do not replace missing ones.
    found.samples = cycles.finished.min(cycles.started).min(found.promised);
    found.value = if history.is_empty() { None } else { percent(found.samples, found.promised) };
    found.evidence.over = found.promised - found.samples;
    if cycles.started != cycles.finished {
        found.note(Note::CyclesUnfinished { started: cycles.started, finished: cycles.finished });
    }
    if !history.is_empty() {
        found.fault = fault(&mut found, workload, plan, history).map(Reason::Text);
    }
    missing_samples::into_judgement(found, plan, history)
}

/// The probes and scrapes that were due while there was no session: a sample of a moment cannot be made later. Holes
/// are judged by `full_duration`, once.
fn lost_in_holes(workload: Workload, plan: &Plan, history: &History) -> u64 {
    let holes_ms = history.timeline.holes_ms;
    if !workload.is_of_moments() || holes_ms == 0 {
        return 0;
    }
    let every_ms = (plan.duration_ms / plan.cycles(workload).max(1)).max(1);
    // A hole begins and ends between two of them.
    let around = 2 * history.timeline.holes.len() as u64;
    (holes_ms / every_ms).saturating_add(around).min(plan.cycles(workload))
}

fn fault(found: &mut Assessment, workload: Workload, plan: &Plan, history: &History) -> Option<String> {
    let worker = history.timeline.workers.get(workload.name()).cloned().unwrap_or_default();
    let (panics, (last_ms, message)) = (worker.panics, worker.last_panic.unwrap_or_default());
    if panics > 1 {
        found.note(Note::WorkerPanicked { panics, last_ms });
    }
    if panics > 0 {
        let at = Violation::at(last_ms, Phase::Steady, "its worker panicked");
        found.offenders(vec![Violation { answer: Some(message.clone()), ..at }]);
    }
    if let Some(at) = worker.gave_up_ms.map(moment) {
        return Some(format!("its worker panicked too often, and was given up at {at}: {message}"));
    }
    if panics >= PANICS_MAX {
        return Some(format!("its worker panicked {panics} times, the last time: {message}"));
    }
    if !found.is_met() {
        let early = missing_samples::of_early_end(plan, history);
        return Some(early.unwrap_or_else(|| "not every cycle that was due took place".to_owned()));
    }
    if !worker.is_done {
        return Some("its worker was not seen to end as planned".to_owned());
    }
    let empty = if workload == Workload::Chaos { chaos::unproven_events(plan, history) } else { Vec::new() };
    let description = chaos::in_words(&empty)?;
    found.evidence.over = empty.len() as u64;
    found.offenders(empty);
    Some(description)
}
