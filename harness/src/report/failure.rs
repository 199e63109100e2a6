//! The text of a red judgement, for a reader of a CI log.

use std::path::Path;

use super::{
    RunFolder,
    notes::{note_text, reason_text},
    number,
    title::title,
};
use crate::{
    catalog::{Phase, Suite, Unit},
    history::Violation,
    journal::clip,
    judge::{Judged, Judgement, Verdict},
    plan::moment,
};

/// Violations in lines of their own.
const MORE_TOLD_MAX: usize = 3;
const NOTES_TOLD_MAX: usize = 5;

/// The text of a failed trial: value and target, samples, the first and the worst violations, and the path of the
/// results. `folder` is the folder of the soak; other words that say where to read on are kept as they are.
///
/// A waived or green judgement has no failure. A judgement that is good so far is unproven while the soak goes on.
pub(crate) fn failure_text(judgement: &Judgement, suite: Suite, folder: &str) -> String {
    let reason = reason_text(&judgement.reason).map(|reason| clip(&reason));
    let mut lines = vec![headline(judgement, reason.as_deref())];
    lines.extend(reason.filter(|_| judgement.verdict == Verdict::Fail && is_missed(judgement)));
    lines.push(extent(judgement));
    lines.extend(offenders(judgement));
    lines.extend(judgement.evidence.notes.iter().take(NOTES_TOLD_MAX).map(|note| clip(&note_text(note))));
    lines.push(results_path(suite, folder));
    lines.retain(|line| !line.is_empty());
    lines.join("\n  ")
}

fn headline(judgement: &Judgement, reason: Option<&str>) -> String {
    let title = title(judgement);
    match (judgement.verdict, judgement.value) {
        (Verdict::Pass, value) => {
            let value = value.map_or_else(String::new, |value| format!(" is {} so far, and", shown(value, judgement)));
            format!("{title}{value} is unproven: the soak goes on")
        }
        (Verdict::Unproven, _) => {
            let reason = reason.map_or_else(String::new, |reason| format!("; {reason}"));
            format!("{title} is unproven: {}{reason}", samples(judgement))
        }
        (Verdict::Fail, Some(value)) if is_missed(judgement) => {
            let (value, target) = (shown(value, judgement), number::target(judgement.target, judgement.unit));
            let is = if judgement.kind == Judged::Workload { "is played to" } else { "is" };
            format!("{title} {is} {value}; the target is {target}")
        }
        // The value alone would look green, or is no evidence: the reason is the headline.
        (Verdict::Fail, _) => {
            let reason = reason.unwrap_or("no reason is known");
            let failed = if judgement.kind == Judged::Harness { &judgement.name } else { &title };
            format!("{failed} failed: {reason}")
        }
    }
}

fn shown(value: f64, of: &Judgement) -> String {
    number::value(value, of.unit, of.target)
}

/// Whether value and target alone show that the judgement failed.
fn is_missed(judgement: &Judgement) -> bool {
    judgement.unit != Unit::YesNo && judgement.value.is_some_and(|value| !judgement.target.is_met_by(value))
}

/// `108 of 345 runs`, or `108 runs` where the plan promised no more.
fn samples(judgement: &Judgement) -> String {
    let name = &judgement.evidence.sample_name;
    let samples = number::count(judgement.samples);
    match judgement.promised {
        promised if judgement.samples < promised => format!("{samples} of {} {name}", number::count(promised)),
        _ => format!("{samples} {name}"),
    }
}

/// The samples, the bad ones, and the value in each phase. An unproven headline has its samples.
fn extent(judgement: &Judgement) -> String {
    let evidence = &judgement.evidence;
    let mut parts = match (judgement.verdict, judgement.value) {
        (Verdict::Unproven, Some(value)) if judgement.samples > 0 => {
            vec![format!("so far {}", shown(value, judgement))]
        }
        (Verdict::Unproven, _) => return String::new(),
        // "1 of 1" is no information.
        _ if judgement.promised <= 1 && judgement.kind == Judged::Harness => return String::new(),
        _ => vec![samples(judgement)],
    };
    if evidence.over > 0 {
        let bad = if matches!(judgement.unit, Unit::Millis | Unit::Seconds) { "over target" } else { "bad" };
        parts.push(format!("{} {bad}", number::count(evidence.over)));
    }
    if evidence.by_phase.len() > 1 || evidence.by_phase.iter().any(|value| value.phase != Phase::Steady) {
        let phases = evidence.by_phase.iter();
        parts.extend(
            phases.map(|of| format!("{} {} ({})", of.phase, shown(of.value, judgement), number::count(of.samples))),
        );
    }
    parts.join(", ")
}

/// The first violation and the worst; further ones in lines of their own.
fn offenders(judgement: &Judgement) -> Vec<String> {
    let worst = &judgement.evidence.worst;
    let first = judgement.evidence.first.as_ref();
    let has_values = worst.iter().any(|offender| offender.value.is_some());
    let is_latency = matches!(judgement.unit, Unit::Millis | Unit::Seconds);
    let over = if has_values || is_latency { "first over at" } else { "first at" };
    let first_line = first.map(|first| format!("{over} {}", describe(first)));
    let mut rest = worst.iter().filter(|offender| Some(*offender) != first);
    let worst_line = if has_values { rest.next() } else { None };
    let worst_line = worst_line.map(|offender| format!("worst {}", valued(offender, judgement)));
    let more = rest.take(MORE_TOLD_MAX).map(|offender| format!("then {}", valued(offender, judgement)));
    // One line if both are short, as most are.
    let head = match (first_line, worst_line) {
        (Some(first), Some(worst)) if first.chars().count() + worst.chars().count() <= 160 => {
            vec![format!("{first}; {worst}")]
        }
        (first, worst) => first.into_iter().chain(worst).collect(),
    };
    head.into_iter().chain(more).collect()
}

/// `2,540 ms at T+61:40, run 9c1e`, or without a value `at T+61:40, …`.
fn valued(offender: &Violation, judgement: &Judgement) -> String {
    let value = offender.value.map_or_else(String::new, |value| shown(value, judgement) + " ");
    format!("{value}at {}", describe(offender))
}

/// Moment, subject, chaos window and answer.
fn describe(Violation { at_ms, subject, phase, answer, .. }: &Violation) -> String {
    let who = if subject.is_empty() { String::new() } else { format!(", {}", clip(subject)) };
    let is_in_window = *phase != Phase::Steady && subject != phase.name();
    let window = if is_in_window { format!(", in the {phase} window") } else { String::new() };
    let answer = answer.as_ref().map_or_else(String::new, |answer| format!(": {}", clip(answer)));
    format!("{}{who}{window}{answer}", moment(*at_ms))
}

fn results_path(suite: Suite, folder: &str) -> String {
    let known = RunFolder::from_path(Path::new(folder)).filter(|known| known.suite() == suite);
    known.map_or_else(|| folder.to_owned(), |known| known.results().display().to_string())
}
