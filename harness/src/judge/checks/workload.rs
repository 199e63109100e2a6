//! Whether a workload was played as planned. KPIs judge the response of the gateway.

use crate::{
    catalog::{Phase, Target, Unit, Workload},
    history::{History, Violation},
    judge::{
        Fault, Judged, Judgement, Note, UnprovenReason,
        kpi::{chaos, missing_samples},
        verdict::assessment::{Assessment, percent},
    },
    plan::Plan,
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
        found.fault = faults(&mut found, workload, plan, history);
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

fn faults(found: &mut Assessment, workload: Workload, plan: &Plan, history: &History) -> Vec<Note> {
    let worker = history.timeline.workers.get(workload.name()).cloned().unwrap_or_default();
    let (panics, (last_ms, message)) = (worker.panics, worker.last_panic.unwrap_or_default());
    if panics > 1 {
        found.note(Note::WorkerPanicked { panics, last_ms });
    }
    if panics > 0 {
        let at = Violation::at(last_ms, Phase::Steady, "its worker panicked");
        found.offenders(vec![Violation { answer: Some(message.clone()), ..at }]);
    }
    let fault = match worker.gave_up_ms {
        Some(at_ms) => Fault::WorkerGivenUp { at_ms, message },
        None if panics >= PANICS_MAX => Fault::PanicsTooMany { panics, message },
        None if !found.is_met() => {
            return vec![missing_samples::of_early_end(plan, history).unwrap_or(Fault::CyclesMissed.into())];
        }
        None if !worker.is_done => Fault::WorkerUnended,
        None if workload == Workload::Chaos => return unproven_events(found, plan, history),
        None => return Vec::new(),
    };
    vec![fault.into()]
}

fn unproven_events(found: &mut Assessment, plan: &Plan, history: &History) -> Vec<Note> {
    let events = chaos::unproven_events(plan, history);
    if !events.is_empty() {
        found.evidence.over = events.len() as u64;
        found.offenders(events.clone());
    }
    events.into_iter().map(|event| UnprovenReason::ChaosUnproven(event).into()).collect()
}
