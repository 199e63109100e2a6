//! W6: what became of each event, whether it proves anything, and how soon the gateway was well again.

use super::{ChaosReport, Digest, Offender, PhaseValue, Target, conclude::Findings, kpi::Case};
use crate::plan::{Phase, Plan, PlannedChaos, moment};

/// What became of a planned event.
pub(super) fn report(event: &PlannedChaos, digest: &Digest) -> ChaosReport {
    let story = digest.story.chaos.get(&event.chaos).cloned().unwrap_or_default();
    let (injected, seen) = (story.injected, story.seen);
    ChaosReport {
        chaos: event.chaos,
        at_ms: injected.as_ref().map_or(event.at_ms, |(at_ms, ..)| *at_ms),
        accepted: injected.as_ref().is_some_and(|(_, accepted, _)| *accepted),
        injected: injected.map(|(.., answer)| answer),
        effective: seen.as_ref().map(|(_, effective, _)| *effective),
        evidence: seen.map(|(.., evidence)| evidence),
        recovery_ms: story.recovered.map(|(_, recovery_ms)| recovery_ms),
    }
}

/// `chaos_recovery`: the slowest event, from injection to ready and every stream back, seconds. An event after which
/// the gateway was not well again while we looked fails.
pub(super) fn recovery(case: Case<'_>) -> Findings {
    let mut found = case.open("chaos events");
    found.one_is_proof = true;
    let mut faults: Vec<String> = Vec::new();
    let mut slow: Vec<Offender> = Vec::new();
    for event in &case.plan.chaos {
        let Some(story) = case.digest.story.chaos.get(&event.chaos) else { continue };
        let phase = Phase::from(event.chaos);
        let (at_ms, seconds, what) = if let Some((at_ms, waited_ms, answer)) = &story.not_recovered {
            let (chaos, waited) = (event.chaos, seconds(*waited_ms));
            faults.push(format!("the gateway was not well {waited:.0} s after {chaos}: {answer}"));
            (*at_ms, waited, Some(answer.clone()))
        } else if let Some((at_ms, recovery_ms)) = story.recovered {
            (at_ms, seconds(recovery_ms), None)
        } else {
            continue;
        };
        found.samples += 1;
        found.value = Some(found.value.map_or(seconds, |slowest: f64| slowest.max(seconds)));
        found.evidence.by_phase.push(PhaseValue { phase, value: seconds, samples: 1 });
        if what.is_some() || !found.target.is_met_by(seconds) {
            let subject = event.chaos.name().to_owned();
            let answer = what.or_else(|| story.injected.as_ref().map(asked));
            slow.push(Offender { at_ms, phase, subject, value: Some(seconds), answer });
        }
    }
    found.evidence.over = slow.len() as u64;
    found.fault = (!faults.is_empty()).then(|| faults.join("; "));
    found.evidence.first = slow.iter().min_by_key(|offender| offender.at_ms).cloned();
    slow.sort_by(|a, b| b.value.unwrap_or(0.0).total_cmp(&a.value.unwrap_or(0.0)));
    found.evidence.worst = slow;
    found
}

/// When the gateway was asked to be disturbed, and what it answered.
fn asked((at_ms, _, answer): &(u64, bool, String)) -> String {
    format!("asked for at {}: {answer}", moment(*at_ms))
}

/// Events that prove nothing, in one line; none where there are none.
pub(super) fn in_words(empty: &[Offender]) -> Option<String> {
    let told = empty
        .iter()
        .map(|offender| format!("{} {}", offender.subject, offender.answer.as_deref().unwrap_or("proves nothing")));
    let told: Vec<String> = told.collect();
    (!told.is_empty()).then(|| told.join("; "))
}

/// Whether an event was recovered from too slowly, or not at all.
pub(super) fn is_too_slow(digest: &Digest, target: Target) -> bool {
    digest.story.chaos.values().any(|story| {
        let slow = story.recovered.is_some_and(|(_, recovery_ms)| !target.is_met_by(seconds(recovery_ms)));
        slow || story.not_recovered.is_some()
    })
}

/// The events that prove nothing: not accepted, or without the effect that they should have; in words. Chaos that did
/// nothing proves nothing.
pub(super) fn unproven_events(plan: &Plan, digest: &Digest) -> Vec<Offender> {
    let empty = |event: &PlannedChaos| {
        let report = report(event, digest);
        let answer = match (&report.injected, report.accepted, report.effective, &report.evidence) {
            (None, ..) => "was never injected".to_owned(),
            (Some(answer), false, ..) => format!("was not accepted: {answer}"),
            (Some(_), true, None, _) => "was accepted, and nobody saw what it did".to_owned(),
            (Some(_), true, Some(false), evidence) => {
                let evidence = evidence.as_deref().unwrap_or("nothing was measured");
                format!("was accepted, and had no effect: {evidence}")
            }
            (Some(_), true, Some(true), _) => return None,
        };
        let subject = event.chaos.name().to_owned();
        Some(Offender { at_ms: report.at_ms, phase: event.chaos.into(), subject, value: None, answer: Some(answer) })
    };
    plan.chaos.iter().filter_map(empty).collect()
}

#[expect(clippy::cast_precision_loss, reason = "no recovery takes 285 thousand years")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1_000.0
}
