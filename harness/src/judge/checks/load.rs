//! Whether the gateway got the load of the plan: a verdict on another load says little of it.

use crate::{
    catalog::{HarnessCheck, Kpi, Unit, Workload},
    history::{History, Scope, limit_us},
    journal::Counter,
    judge::{
        Judged, Judgement, Note, Reason, Targets,
        kpi::{
            case::Case,
            latency,
            lateness::{self, LatePart, Lateness, as_ms},
            missing_samples,
            quantiles::{first_over, worst_over},
        },
        verdict::assessment::{Assessment, is_too_few, percent},
    },
    plan::Plan,
};

/// Maximum share of requests that are throttled, percent. With more, the load that was played is not the load of the plan.
const THROTTLED_PERCENT_MAX: f64 = 10.0;
/// The harness may stand still for this share of the plan.
const STALLED_PERCENT_MAX: f64 = 1.0;
/// It may stand still for this long whatever the pace is, real time.
const STALLED_REAL_MS: u64 = 5_000;
/// Planned starts of W1 to W6 happened, and none was late in a way that could have changed a verdict ([`crate::judge::kpi::lateness`]). Of the two
/// conditions the judgement shows the one that is missed.
pub(in crate::judge::checks) fn delivered(plan: &Plan, targets: &Targets, history: &History) -> Judgement {
    let (name, target) = (HarnessCheck::LoadDelivered.name(), targets.load_delivered());
    let mut found = Assessment::new(Judged::Harness, name, Unit::Percent, target, "planned starts");
    let played = Workload::of(plan.suite).filter(|w| !matches!(w, Workload::Availability | Workload::Metrics));
    let (mut planned, mut started) = (0, 0);
    for workload in played {
        // Starts beyond the plan make none good that is missing elsewhere.
        let of_plan = history.cycles(workload).started.min(plan.cycles(workload));
        planned += plan.cycles(workload);
        started += of_plan;
        if of_plan < plan.cycles(workload) {
            let planned = plan.cycles(workload);
            found.evidence.notes.push(Note::StartsMissing { workload, started: of_plan, planned });
        }
    }
    found.promised = planned;
    found.samples = started;
    found.value = if history.is_empty() { None } else { percent(started, planned) };
    found.evidence.over = planned - started;
    let is_short = found.value.is_some_and(|value| !found.target.is_met_by(value));
    if is_short {
        let early = missing_samples::of_early_end(plan, history);
        found.fault = Some(early.unwrap_or_else(|| format!("{started} of {planned} planned starts happened")).into());
        return missing_samples::into_judgement(found, plan, history);
    }

    let (throttled, requests) = (
        history.totals.counter(Counter::RequestsThrottled, Scope::All),
        history.totals.counter(Counter::Requests, Scope::All),
    );
    if throttled > 0 {
        found.evidence.notes.push(Note::RequestsThrottled { requests: throttled });
    }
    if let Some(share) = percent(throttled, requests).filter(|share| *share > THROTTLED_PERCENT_MAX) {
        // What waits is no load, and what was measured of the rest says little of the load that was planned.
        let why = format!(
            "{throttled} of {requests} requests, {share:.0} %, were told to come later: the gateway's plan does not allow \
             this load; raise its limits, or lower the rates in soak.toml"
        );
        found.lack.push(why.into());
        found.value = None;
        return missing_samples::into_judgement(found, plan, history);
    }

    let lateness = Lateness::of(history, targets, Scope::All);
    if is_too_few(lateness.starts(), plan.runs.count()) {
        let measured = lateness.starts();
        found.lack.push(format!("how late they were was measured for {measured} of {started} starts").into());
        found.value = None;
        return missing_samples::into_judgement(found, plan, history);
    }
    let (p99_ms, starts) = (lateness.at_ms(LatePart::Starts, 0.99), lateness.starts());
    found.evidence.notes.push(Note::StartLateness { p99_ms, starts });
    found.evidence.notes.extend(lateness.note());
    found.evidence.notes.extend(lateness.note_of_reading());
    found.evidence.notes.extend(history.timeline.stalls.iter().map(lateness::stood_still));
    let Some((part, fault)) = harm(plan, targets, history) else {
        return missing_samples::into_judgement(found, plan, history);
    };
    found.fault = Some(fault);
    let p99_ms = lateness.at_ms(part, 0.99);
    if !targets.start_lateness().is_met_by(p99_ms) {
        (found.unit, found.target, found.value) = (Unit::Millis, targets.start_lateness(), Some(p99_ms));
        if part == LatePart::Reading {
            "events".clone_into(&mut found.evidence.sample_name);
            (found.samples, found.promised) = (lateness.events(), lateness.events());
        }
        let limit_us = limit_us(targets.start_lateness().limit());
        found.evidence.over = lateness.late(part);
        found.evidence.first = first_over(history, part.timing(), Scope::All, limit_us);
        found.evidence.worst = worst_over(history, part.timing(), Scope::All, limit_us);
    }
    missing_samples::into_judgement(found, plan, history)
}

/// Why the harness's lateness makes the soak worth less, and the part that was late; none where it could not have changed a
/// verdict.
fn harm(plan: &Plan, targets: &Targets, history: &History) -> Option<(LatePart, Reason)> {
    let too_long = stood_still_for_long(plan, history.timeline.stalled_ms);
    if let Some(harm) = Lateness::of(history, targets, Scope::All).starved().or(too_long) {
        return Some((LatePart::Starts, explained(&harm, history)));
    }
    let late_part = |kpi: Kpi| {
        let case = Case { kpi, plan, targets, history };
        let lateness = Lateness::of(history, targets, latency::observed_scope(kpi));
        let observed_ms = latency::observed_ms(case);
        let explained = observed_ms.and_then(|ms| lateness.explains(case.quantile(), ms, targets.target(kpi)));
        explained.map(|(part, _)| part).or_else(|| latency::is_read_late(case).then_some(LatePart::Reading))
    };
    let decided: Vec<(LatePart, &str)> =
        latency::observed_kpis().filter_map(|kpi| Some((late_part(kpi)?, kpi.name()))).collect();
    let missed = |by: LatePart| {
        let names: Vec<&str> = decided.iter().filter(|(part, _)| *part == by).map(|(_, name)| *name).collect();
        (!names.is_empty()).then(|| format!("may be why {} missed the target", names.join(" and ")))
    };
    let starts = missed(LatePart::Starts).map(|missed| format!("planned starts were late, which {missed}"));
    let reading = missed(LatePart::Reading).map(|missed| {
        let streams = plan.scenario.streams.count;
        format!("this machine read {streams} streams late, which {missed}: it needs more processors, or fewer streams")
    });
    match (starts, reading) {
        (Some(starts), Some(reading)) => Some((LatePart::Starts, explained(&format!("{reading}; {starts}"), history))),
        (Some(starts), None) => Some((LatePart::Starts, explained(&starts, history))),
        (None, reading) => Some((LatePart::Reading, Reason::Text(reading?))),
    }
}

/// Lateness, and when the session stood still for longest, if it did.
fn explained(harm: &str, history: &History) -> Reason {
    let longest = history.timeline.stalls.iter().max_by_key(|(_, stalled_ms)| *stalled_ms);
    match longest {
        Some(stall) => Reason::Explained(harm.to_owned(), lateness::stood_still(stall)),
        None => Reason::Text(format!("{harm}: is the machine busy with something else?")),
    }
}

fn stood_still_for_long(plan: &Plan, stalled_ms: u64) -> Option<String> {
    let share = as_ms(stalled_ms) * plan.pace / as_ms(plan.duration_ms.max(1)) * 100.0;
    let seconds = as_ms(stalled_ms) / 1_000.0;
    (stalled_ms > STALLED_REAL_MS && share > STALLED_PERCENT_MAX)
        .then(|| format!("for {share:.0} % of the plan, {seconds:.0} s in all, nothing was started"))
}
