//! The text of a red judgement, for a person who reads it in a CI log, with nothing else at hand.

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

/// Of the worst, those told after the first line of them.
const MORE_TOLD_MAX: usize = 3;
const NOTES_TOLD_MAX: usize = 5;

/// The text of a failed trial: value against target, how many samples, when it first went wrong, the worst by name, in
/// or out of a chaos window, and where the results are. `folder` is the folder of the soak; other words that say where to
/// read on stand as they are.
///
/// A waived or green judgement has no failure. What is good so far is unproven while the soak goes on, and the text says so.
#[must_use]
pub fn failure_text(judgement: &Judgement, suite: Suite, folder: &str) -> String {
    let mut lines = vec![headline(judgement)];
    if judgement.verdict == Verdict::Fail && is_missed(judgement) {
        lines.extend(reason_text(&judgement.reason).map(|reason| clip(&reason)));
    }
    lines.push(extent(judgement));
    lines.extend(offenders(judgement));
    lines.extend(judgement.evidence.notes.iter().take(NOTES_TOLD_MAX).map(|note| clip(&note_text(note))));
    lines.push(results_path(suite, folder));
    lines.retain(|line| !line.is_empty());
    lines.join("\n  ")
}

fn headline(judgement: &Judgement) -> String {
    let title = title(judgement);
    let target = number::target(judgement.target, judgement.unit);
    let reason = reason_text(&judgement.reason).map(|reason| clip(&reason));
    match (judgement.verdict, judgement.value) {
        (Verdict::Pass, value) => {
            let value = value.map(|value| number::value(value, judgement.unit, judgement.target));
            let value = value.map_or_else(String::new, |value| format!(" is {value} so far, and"));
            format!("{title}{value} is unproven: the soak goes on")
        }
        (Verdict::Unproven, _) => {
            let reason = reason.map_or_else(String::new, |reason| format!("; {reason}"));
            format!("{title} is unproven: {}{reason}", samples(judgement))
        }
        (Verdict::Fail, Some(value)) if is_missed(judgement) => {
            let value = number::value(value, judgement.unit, judgement.target);
            let is = if judgement.kind == Judged::Workload { "is played to" } else { "is" };
            format!("{title} {is} {value}; the target is {target}")
        }
        // The value alone would look green, or says nothing: the reason is the headline.
        (Verdict::Fail, _) => {
            let reason = reason.unwrap_or_else(|| "no reason is known".to_owned());
            let failed = if judgement.kind == Judged::Harness { &judgement.name } else { &title };
            format!("{failed} failed: {reason}")
        }
    }
}

/// Whether value against target says by itself that the judgement failed.
fn is_missed(judgement: &Judgement) -> bool {
    judgement.unit != Unit::YesNo && judgement.value.is_some_and(|value| !judgement.target.is_met_by(value))
}

/// `108 of 345 runs`, or `108 runs` where the plan promised no more.
fn samples(judgement: &Judgement) -> String {
    let name = &judgement.evidence.sample_name;
    let samples = number::count(judgement.samples);
    if judgement.samples < judgement.promised {
        format!("{samples} of {} {name}", number::count(judgement.promised))
    } else {
        format!("{samples} {name}")
    }
}

/// How many samples, how many of them bad, and the value in each phase. What is unproven has said its samples already.
fn extent(judgement: &Judgement) -> String {
    let evidence = &judgement.evidence;
    let mut parts = match (judgement.verdict, judgement.value) {
        (Verdict::Unproven, Some(value)) if judgement.samples > 0 => {
            vec![format!("so far {}", number::value(value, judgement.unit, judgement.target))]
        }
        (Verdict::Unproven, _) => return String::new(),
        // "1 of 1" says nothing.
        _ if judgement.promised <= 1 && judgement.kind == Judged::Harness => return String::new(),
        _ => vec![samples(judgement)],
    };
    if evidence.over > 0 {
        let bad = if matches!(judgement.unit, Unit::Millis | Unit::Seconds) { "over target" } else { "bad" };
        parts.push(format!("{} {bad}", number::count(evidence.over)));
    }
    if evidence.by_phase.len() > 1 || evidence.by_phase.iter().any(|value| value.phase != Phase::Steady) {
        parts.extend(evidence.by_phase.iter().map(|of| {
            let value = number::value(of.value, judgement.unit, judgement.target);
            format!("{} {value} ({})", of.phase, number::count(of.samples))
        }));
    }
    parts.join(", ")
}

/// When it first went wrong, and the worst; the rest in lines of their own.
fn offenders(judgement: &Judgement) -> Vec<String> {
    let worst = &judgement.evidence.worst;
    let first = judgement.evidence.first.as_ref();
    let has_values = worst.iter().any(|offender| offender.value.is_some());
    let is_latency = matches!(judgement.unit, Unit::Millis | Unit::Seconds);
    let first_line = first.map(|first| {
        let over = if has_values || is_latency { "first over at" } else { "first at" };
        format!("{over} {}", describe(first))
    });
    let mut rest = worst.iter().filter(|offender| Some(*offender) != first);
    let worst_line = if has_values { rest.next() } else { None };
    let worst_line = worst_line.map(|offender| format!("worst {}", valued(offender, judgement)));
    let more = rest.take(MORE_TOLD_MAX).map(|offender| format!("then {}", valued(offender, judgement)));
    // One line where both are short, as most are.
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
    let value = offender.value.map(|value| number::value(value, judgement.unit, judgement.target));
    value.map_or_else(|| format!("at {}", describe(offender)), |value| format!("{value} at {}", describe(offender)))
}

/// When, who, in which window, and what was answered.
fn describe(offender: &Violation) -> String {
    let mut told = moment(offender.at_ms);
    if !offender.subject.is_empty() {
        told.push_str(", ");
        told.push_str(&clip(&offender.subject));
    }
    if offender.phase != Phase::Steady && offender.subject != offender.phase.name() {
        told.push_str(&format!(", in the {} window", offender.phase));
    }
    if let Some(answer) = &offender.answer {
        told.push_str(&format!(": {}", clip(answer)));
    }
    told
}

fn results_path(suite: Suite, folder: &str) -> String {
    let known = RunFolder::from_path(Path::new(folder)).filter(|known| known.suite() == suite);
    known.map_or_else(|| folder.to_owned(), |known| known.results().display().to_string())
}
