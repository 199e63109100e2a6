//! W6: what became of each event, whether it proves anything, and how soon the gateway was well again.

use serde::{Deserialize, Serialize};

use crate::{
    catalog::{Chaos, Phase, Target},
    history::{ChaosRecord, History, Relapse, Violation},
    judge::{Note, PhaseValue, kpi::case::Case, verdict::assessment::Assessment},
    plan::{Plan, PlannedChaos, moment},
};

/// The outcome of one planned chaos event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChaosReport {
    /// Which.
    pub chaos: Chaos,
    /// When it was injected, or else due; scenario milliseconds.
    pub at_ms: u64,
    /// The gateway's answer, where it was asked.
    pub injected: Option<String>,
    /// Whether the gateway said yes.
    pub accepted: bool,
    /// Whether it was seen to have its effect; none where nobody looked.
    pub effective: Option<bool>,
    /// The measurements of its effect, in words.
    pub evidence: Option<String>,
    /// From injection to ready and every stream back, and to where it stayed so, real milliseconds; none where that did
    /// not happen.
    pub recovery_ms: Option<u64>,
}

/// The outcome of a planned event.
pub(in crate::judge) fn report(event: &PlannedChaos, history: &History) -> ChaosReport {
    let record = history.timeline.chaos.get(&event.chaos).cloned().unwrap_or_default();
    let back = way_back(history, &record).filter(WayBack::is_well);
    let (injected, seen) = (record.injected, record.seen);
    ChaosReport {
        chaos: event.chaos,
        at_ms: injected.as_ref().map_or(event.at_ms, |(at_ms, ..)| *at_ms),
        accepted: injected.as_ref().is_some_and(|(_, accepted, _)| *accepted),
        injected: injected.map(|(.., answer)| answer),
        effective: seen.as_ref().map(|(_, effective, _)| *effective),
        evidence: seen.map(|(.., evidence)| evidence),
        recovery_ms: back.map(|back| back.took_ms),
    }
}

/// `chaos_recovery`: the slowest event, from injection to ready and every stream back, seconds. An event after which
/// the gateway was not well again while we looked fails.
///
/// A gateway that was said to be well, and was not ready afterwards, was not well: its way back ends with the last probe
/// that was not answered ready, in the window or going on after it. It is held against the target as any other is, in real
/// time: a compressed soak has windows of a real second, and a gateway that was well after two is as good as one that was
/// well after two at any other pace. So a window that was bad to its end is no failure by itself; a note tells of it. But
/// the end must have been seen: where no interval came after it in which every probe was answered ready, before another
/// event or the end of the record, it fails however short it was.
pub(in crate::judge) fn recovery(case: Case<'_>) -> Assessment {
    let mut found = case.open("chaos events");
    found.one_is_proof = true;
    let mut faults: Vec<String> = Vec::new();
    let mut slow: Vec<Violation> = Vec::new();
    for event in &case.plan.chaos {
        let Some(record) = case.history.timeline.chaos.get(&event.chaos) else { continue };
        let (chaos, phase) = (event.chaos, Phase::from(event.chaos));
        let at_fault;
        let mut relapse = None;
        let (at_ms, seconds, answer) = if let Some((at_ms, waited_ms, answer)) = &record.not_recovered {
            let waited = seconds(*waited_ms);
            at_fault = Some(format!("the gateway was not well {waited:.0} s after {chaos}: {answer}"));
            (*at_ms, waited, Some(answer.clone()))
        } else if let Some(back) = way_back(case.history, record) {
            relapse = back.relapse;
            at_fault = relapse
                .as_ref()
                .filter(|relapse| !relapse.is_over)
                .map(|relapse| format!("the gateway was not seen to be well again after {chaos}: it {relapse}"));
            let at_ms = relapse.as_ref().map_or(back.well_ms, |relapse| relapse.since_ms);
            (at_ms, seconds(back.took_ms), relapse.as_ref().map(Relapse::to_string))
        } else {
            continue;
        };
        found.samples += 1;
        found.value = Some(found.value.map_or(seconds, |slowest: f64| slowest.max(seconds)));
        found.evidence.by_phase.push(PhaseValue { phase, value: seconds, samples: 1 });
        if at_fault.is_some() || !found.target.is_met_by(seconds) {
            let subject = chaos.name().to_owned();
            let answer = answer.or_else(|| record.injected.as_ref().map(asked));
            slow.push(Violation { at_ms, phase, subject, value: Some(seconds), answer });
        } else if let Some(relapse) = relapse {
            found.evidence.notes.push(Note::Relapsed { chaos, relapse });
        }
        faults.extend(at_fault);
    }
    found.evidence.over = slow.len() as u64;
    found.fault = (!faults.is_empty()).then(|| faults.join("; ").into());
    found.evidence.first = slow.iter().min_by_key(|offender| offender.at_ms).cloned();
    slow.sort_by(|a, b| b.value.unwrap_or(0.0).total_cmp(&a.value.unwrap_or(0.0)));
    found.evidence.worst = slow;
    found
}

/// The way back from an event after which the gateway was said to be well.
struct WayBack {
    /// When that was said.
    well_ms: u64,
    /// How long it was, to the last probe that was not answered ready where there was a relapse; real milliseconds.
    took_ms: u64,
    relapse: Option<Relapse>,
}

impl WayBack {
    /// Whether the gateway was seen to be well at its end.
    fn is_well(&self) -> bool {
        self.relapse.as_ref().is_none_or(|relapse| relapse.is_over)
    }
}

/// The way back from an event; none where the gateway was not said to be well again.
fn way_back(history: &History, record: &ChaosRecord) -> Option<WayBack> {
    let (well_ms, recovery_ms) = record.recovered?;
    // What another event does to the gateway is no relapse.
    let injected =
        history.timeline.chaos.values().filter_map(|other| other.injected.as_ref().map(|(at_ms, ..)| *at_ms));
    let until_ms = injected.filter(|at_ms| *at_ms > well_ms).min().unwrap_or(u64::MAX);
    let relapse = history.series.readiness.relapse(well_ms, until_ms);
    let more_ms = relapse.as_ref().map_or(0, |relapse| history.series.readiness.real_ms(well_ms, relapse.last_ms));
    Some(WayBack { well_ms, took_ms: recovery_ms.saturating_add(more_ms), relapse })
}

/// When the gateway was asked to be disturbed, and what it answered.
fn asked((at_ms, _, answer): &(u64, bool, String)) -> String {
    format!("asked for at {}: {answer}", moment(*at_ms))
}

/// Events that prove nothing, in one line; none where there are none.
pub(in crate::judge) fn in_words(empty: &[Violation]) -> Option<String> {
    let description = empty
        .iter()
        .map(|offender| format!("{} {}", offender.subject, offender.answer.as_deref().unwrap_or("proves nothing")));
    let description: Vec<String> = description.collect();
    (!description.is_empty()).then(|| description.join("; "))
}

/// Whether an event was recovered from too slowly, or not at all.
pub(in crate::judge) fn is_too_slow(history: &History, target: Target) -> bool {
    history.timeline.chaos.values().any(|record| {
        let slow = way_back(history, record).is_some_and(|back| !target.is_met_by(seconds(back.took_ms)));
        slow || record.not_recovered.is_some()
    })
}

/// The events that prove nothing: not accepted, or without the effect that they should have; in words. Chaos that did
/// nothing proves nothing.
pub(in crate::judge) fn unproven_events(plan: &Plan, history: &History) -> Vec<Violation> {
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
        let subject = event.chaos.name().to_owned();
        Some(Violation { at_ms: report.at_ms, phase: event.chaos.into(), subject, value: None, answer: Some(answer) })
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
    ms as f64 / 1_000.0
}
