//! W6: the outcome of each event, whether it proves anything, and the time of recovery.

use serde::{Deserialize, Serialize};

use crate::{
    catalog::{Chaos, Phase, Target},
    history::{ChaosRecord, History, Relapse, Violation},
    judge::{Fault, Note, PhaseValue, kpi::case::Case, stats::as_value, verdict::assessment::Assessment},
    plan::{Plan, PlannedChaos, moment},
};

/// The outcome of one planned chaos event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChaosReport {
    pub(crate) chaos: Chaos,
    /// When it was injected, or else due; scenario milliseconds.
    pub(crate) at_ms: u64,
    /// The gateway's answer to the injection.
    pub(crate) injected: Option<String>,
    pub(crate) accepted: bool,
    /// Whether it had its effect; none where that was not measured.
    pub(crate) effective: Option<bool>,
    pub(crate) evidence: Option<String>,
    /// From injection to ready and every stream back for good, real milliseconds; none where that did not happen.
    pub(crate) recovery_ms: Option<u64>,
}

pub(crate) fn report(event: &PlannedChaos, history: &History) -> ChaosReport {
    let record = history.timeline.chaos.get(&event.chaos).cloned().unwrap_or_default();
    let is_over = |recovery: &ChaosRecovery| recovery.relapse.as_ref().is_none_or(|relapse| relapse.is_over);
    let recovery = recovery_of(history, &record).filter(is_over);
    let (injected, seen) = (record.injected, record.seen);
    ChaosReport {
        chaos: event.chaos,
        at_ms: injected.as_ref().map_or(event.at_ms, |(at_ms, ..)| *at_ms),
        accepted: injected.as_ref().is_some_and(|(_, accepted, _)| *accepted),
        injected: injected.map(|(.., answer)| answer),
        effective: seen.as_ref().map(|(_, effective, _)| *effective),
        evidence: seen.map(|(.., evidence)| evidence),
        recovery_ms: recovery.map(|recovery| recovery.took_ms),
    }
}

/// `chaos_recovery`: the slowest event, from injection to ready and every stream back, seconds. An event without
/// recovery while S2 waited fails.
///
/// A gateway that had recovered, and was not ready afterwards, had not: its recovery ends with the last probe that was
/// not answered ready, in the window or directly after it. It is compared with the target in real time, at any pace: a
/// compressed soak has windows of a real second. So a window that was bad to its end is no failure by itself; a note
/// shows it. But where no later interval has only ready probes, before another event or the end of the record, it fails
/// however short it was.
pub(crate) fn recovery(case: Case<'_>) -> Assessment {
    let mut found = case.open("chaos events");
    found.one_is_proof = true;
    let mut slow: Vec<Violation> = Vec::new();
    for event in &case.plan.chaos {
        let Some(record) = case.history.timeline.chaos.get(&event.chaos) else { continue };
        let (chaos, phase) = (event.chaos, Phase::from(event.chaos));
        let (mut fault, mut relapse) = (None, None);
        let (at_ms, seconds, answer) = if let Some((at_ms, waited_ms, answer)) = &record.not_recovered {
            fault = Some(Fault::NotRecovered { chaos, waited_ms: *waited_ms, answer: answer.clone() });
            (*at_ms, seconds(*waited_ms), Some(answer.clone()))
        } else if let Some(recovery) = recovery_of(case.history, record) {
            relapse = recovery.relapse;
            if let Some(relapse) = relapse.as_ref().filter(|relapse| !relapse.is_over) {
                fault = Some(Fault::RelapsedForGood { chaos, relapse: relapse.clone() });
            }
            let at_ms = relapse.as_ref().map_or(recovery.well_ms, |relapse| relapse.since_ms);
            (at_ms, seconds(recovery.took_ms), relapse.as_ref().map(Relapse::to_string))
        } else {
            continue;
        };
        found.samples += 1;
        found.value = Some(found.value.map_or(seconds, |slowest: f64| slowest.max(seconds)));
        found.evidence.by_phase.push(PhaseValue { phase, value: seconds, samples: 1 });
        if fault.is_some() || !found.target.is_met_by(seconds) {
            let asked = |(at_ms, _, answer): &(u64, bool, String)| format!("asked for at {}: {answer}", moment(*at_ms));
            let answer = answer.or_else(|| record.injected.as_ref().map(asked));
            slow.push(Violation { value: Some(seconds), answer, ..Violation::at(at_ms, phase, chaos.name()) });
        } else if let Some(relapse) = relapse {
            found.note(Note::Relapsed { chaos, relapse });
        }
        found.fault.extend(fault.map(Note::Fault));
    }
    found.evidence.over = slow.len() as u64;
    found.evidence.first = slow.iter().min_by_key(|offender| offender.at_ms).cloned();
    slow.sort_by(|a, b| Violation::by_value(b, a));
    found.evidence.worst = slow;
    found
}

struct ChaosRecovery {
    /// When it was recorded.
    well_ms: u64,
    /// Its time, to the last probe that was not answered ready where there was a relapse; real milliseconds.
    took_ms: u64,
    relapse: Option<Relapse>,
}

fn recovery_of(history: &History, record: &ChaosRecord) -> Option<ChaosRecovery> {
    let (well_ms, recovery_ms) = record.recovered?;
    // The effect of another event is no relapse.
    let injected =
        history.timeline.chaos.values().filter_map(|other| other.injected.as_ref().map(|(at_ms, ..)| *at_ms));
    let until_ms = injected.filter(|at_ms| *at_ms > well_ms).min().unwrap_or(u64::MAX);
    let relapse = history.series.readiness.relapse(well_ms, until_ms);
    let more_ms = relapse.as_ref().map_or(0, |relapse| history.series.readiness.real_ms(well_ms, relapse.last_ms));
    Some(ChaosRecovery { well_ms, took_ms: recovery_ms.saturating_add(more_ms), relapse })
}

pub(crate) fn is_too_slow(history: &History, target: Target) -> bool {
    history.timeline.chaos.values().any(|record| {
        let recovery = recovery_of(history, record);
        record.not_recovered.is_some() || recovery.is_some_and(|recovery| !target.is_met_by(seconds(recovery.took_ms)))
    })
}

/// The events that prove nothing, with the reason: not accepted, or without their effect.
pub(crate) fn unproven_events(plan: &Plan, history: &History) -> Vec<Violation> {
    let empty = |event: &PlannedChaos| {
        let report = report(event, history);
        let answer = match (&report.injected, report.accepted, report.effective, &report.evidence) {
            (None, ..) => "was never injected".to_owned(),
            (Some(answer), false, ..) => format!("was not accepted: {answer}"),
            (Some(_), true, None, _) => "was accepted, and nobody saw what it did".to_owned(),
            (Some(_), true, Some(false), evidence) => {
                let evidence = evidence.as_deref().unwrap_or("nothing was measured");
                format!("was accepted, and had no effect: {evidence}{}", what_would_do(event.chaos))
            }
            (Some(_), true, Some(true), _) => return None,
        };
        let at = Violation::at(report.at_ms, event.chaos.into(), event.chaos.name());
        Some(Violation { answer: Some(answer), ..at })
    };
    plan.chaos.iter().filter_map(empty).collect()
}

/// The observations that count as an effect, and the settings for a gateway that shows none.
fn what_would_do(chaos: Chaos) -> String {
    if chaos == Chaos::Latency {
        return String::new();
    }
    format!(
        "; an effect would be a readiness probe that is not answered 200, a workspace stream that drops, or the reads of an \
         agent or of the registry failing three times in a row. A gateway that shows none of these, healthy as it may be, \
         cannot be seen to restart: in soak.toml, [w6_light_chaos.{chaos}] lever = \"none\" with a reason leaves the event \
         out, and limits.restart_effect in the dialect says how long an effect may take"
    )
}

fn seconds(ms: u64) -> f64 {
    as_value(ms) / 1_000.0
}
