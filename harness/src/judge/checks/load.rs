//! Whether the gateway got the load of the plan: a verdict on another load says little of it.

use crate::{
    catalog::{HarnessCheck, Kpi, Unit, Workload},
    history::{History, Scope, limit_us},
    journal::Counter,
    judge::{
        Fault, Judged, LatePart, LateStarts, Note, Targets, UnprovenReason,
        kpi::{
            case::Case,
            latency,
            lateness::{self, Lateness},
            missing_samples,
            quantiles::over_limit,
        },
        stats::as_value,
        verdict::assessment::{Assessment, is_too_few, percent},
    },
    plan::Plan,
};

/// Maximum share of throttled requests, percent. With more, the load is not the load of the plan.
const THROTTLED_PERCENT_MAX: f64 = 10.0;
/// Maximum share of the plan for which the harness may stand still.
const STALLED_PERCENT_MAX: f64 = 1.0;
/// It may stand still for this real time at any pace.
const STALLED_REAL_MS: u64 = 5_000;

/// Planned starts of W1 to W6 happened, and none was late in a way that could have changed a verdict
/// ([`crate::judge::kpi::lateness`]). Of the two conditions the judgement shows the one that is missed.
pub(crate) fn delivered(plan: &Plan, targets: &Targets, history: &History) -> Assessment {
    let (name, target) = (HarnessCheck::LoadDelivered.name(), targets.load_delivered());
    let mut found = Assessment::new(Judged::Harness, name, Unit::Percent, target, "planned starts");
    let played = Workload::of(plan.suite).filter(|workload| !workload.is_of_moments());
    let (mut planned, mut started) = (0, 0);
    for workload in played {
        let cycles = plan.cycles(workload);
        // Starts beyond the plan do not replace missing ones.
        let of_plan = history.cycles(workload).started.min(cycles);
        planned += cycles;
        started += of_plan;
        if of_plan < cycles {
            found.note(Note::StartsMissing { workload, started: of_plan, planned: cycles });
        }
    }
    found.promised = planned;
    found.samples = started;
    found.value = if history.is_empty() { None } else { percent(started, planned) };
    found.evidence.over = planned - started;
    if found.is_missed() {
        let early = missing_samples::of_early_end(plan, history);
        found.fail(early.unwrap_or(Fault::StartsMissed { started, planned }.into()));
        return found;
    }

    let [throttled, requests] =
        [Counter::RequestsThrottled, Counter::Requests].map(|counter| history.totals.counter(counter, Scope::All));
    found.note_count(throttled, |requests| Note::RequestsThrottled { requests });
    if let Some(percent) = percent(throttled, requests).filter(|percent| *percent > THROTTLED_PERCENT_MAX) {
        // Throttled requests are no load, and the other samples show little of the planned load.
        found.withdraw(UnprovenReason::LoadThrottled { throttled, requests, percent });
        return found;
    }

    let lateness = Lateness::of(history, targets, Scope::All);
    let starts = lateness.starts.len();
    if is_too_few(starts, plan.runs.count()) {
        found.withdraw(UnprovenReason::LatenessUnmeasured { measured: starts, started });
        return found;
    }
    found.note(Note::StartLateness { p99_ms: lateness.at_ms(LatePart::Starts, 0.99), starts });
    found.evidence.notes.extend(lateness.notes());
    found.evidence.notes.extend(history.timeline.stalls.iter().map(lateness::stood_still));
    let Some((part, faults)) = harm(plan, targets, history) else { return found };
    found.fault = faults;
    let p99_ms = lateness.at_ms(part, 0.99);
    if !targets.start_lateness().is_met_by(p99_ms) {
        (found.unit, found.target, found.value) = (Unit::Millis, targets.start_lateness(), Some(p99_ms));
        if part == LatePart::Reading {
            "events".clone_into(&mut found.evidence.sample_name);
            (found.samples, found.promised) = (lateness.reading.len(), lateness.reading.len());
        }
        let limit_us = limit_us(targets.start_lateness().limit());
        over_limit(&mut found, history, part.timing(), Scope::All, limit_us);
    }
    found
}

/// Why the harness's lateness makes the soak worth less, and the part that was late; none where it could not have
/// changed a verdict.
fn harm(plan: &Plan, targets: &Targets, history: &History) -> Option<(LatePart, Vec<Note>)> {
    let stall = history.timeline.stalls.iter().copied().max_by_key(|(_, stalled_ms)| *stalled_ms);
    let starts_late = |harm| Note::from(Fault::StartsLate { harm, stall });
    let too_long = stood_still_for_long(plan, history.timeline.stalled_ms);
    if let Some(harm) = Lateness::of(history, targets, Scope::All).starved().or(too_long) {
        return Some((LatePart::Starts, vec![starts_late(harm)]));
    }
    let late_part = |kpi: Kpi| {
        let case = Case { kpi, plan, targets, history };
        let observed = latency::observed(case);
        let explained = observed.and_then(|(ms, lateness)| lateness.explains(case.quantile(), ms, targets.target(kpi)));
        explained.map(|(part, _)| part).or_else(|| latency::is_read_late(case).then_some(LatePart::Reading))
    };
    let decided: Vec<(LatePart, Kpi)> =
        latency::OBSERVED.iter().filter_map(|(kpi, ..)| Some((late_part(*kpi)?, *kpi))).collect();
    let missed = |by: LatePart| {
        let kpis: Vec<Kpi> = decided.iter().filter(|(part, _)| *part == by).map(|(_, kpi)| *kpi).collect();
        Some(kpis).filter(|kpis| !kpis.is_empty())
    };
    let streams = plan.scenario.streams.count;
    let reading = missed(LatePart::Reading).map(|kpis| Fault::StreamsReadLate { streams, kpis }.into());
    let starts = missed(LatePart::Starts).map(|kpis| starts_late(LateStarts::Decisive { kpis }));
    let part = if starts.is_some() { LatePart::Starts } else { LatePart::Reading };
    let faults: Vec<Note> = reading.into_iter().chain(starts).collect();
    (!faults.is_empty()).then_some((part, faults))
}

fn stood_still_for_long(plan: &Plan, stalled_ms: u64) -> Option<LateStarts> {
    let percent = as_value(stalled_ms) * plan.pace / as_value(plan.duration_ms.max(1)) * 100.0;
    let is_long = stalled_ms > STALLED_REAL_MS && percent > STALLED_PERCENT_MAX;
    is_long.then_some(LateStarts::StoodStill { percent, stalled_ms })
}
