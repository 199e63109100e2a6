//! The results file.

use std::ops::Not;

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    FileInput,
    file_input::Activity,
    notes::{note_text, reason_text},
    number::minutes,
    process::ProcessStats,
    rounded,
};
use crate::{
    catalog::{Suite, Target, Unit},
    history::Violation,
    journal::EndReason,
    judge::{ChaosReport, Compared, Comparison, Judged, PhaseValue, Range, Verdict},
    results::{Row, Status},
};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ResultsFile<'a> {
    summary: Summary<'a>,
    fatal_error: Option<&'a str>,
    kpis: Vec<WrittenJudgement<'a>>,
    workloads: Vec<WrittenJudgement<'a>>,
    harness: Vec<WrittenJudgement<'a>>,
    chaos: &'a [ChaosReport],
    duration_minutes: f64,
    waived: Vec<Value>,
    processes: &'a ProcessStats,
    /// Null without an earlier run to compare with.
    comparison: Option<WrittenComparison<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary<'a> {
    suite: Suite,
    verdict: Verdict,
    passed: usize,
    failed: usize,
    unproven: usize,
    waived: usize,
    started_at: &'a str,
    /// Null while the soak goes on, and if its session died.
    ended_at: Option<&'a str>,
    end_reason: Option<EndReason>,
    harness_version: &'a str,
    gateway_url: &'a str,
    embedded_gateway: bool,
    seed: u64,
    pace: f64,
    planned_minutes: f64,
    runs_planned: u64,
    #[serde(flatten)]
    activity: &'a Activity,
}

/// A judgement with its status, texts in words, and numbers rounded, so that no results differ by the eleventh decimal.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenJudgement<'a> {
    kind: Judged,
    name: &'a str,
    verdict: Verdict,
    value: Option<f64>,
    range: Option<Range>,
    #[serde(skip_serializing_if = "Not::not")]
    range_is_open: bool,
    unit: Unit,
    target: Target,
    samples: u64,
    promised: u64,
    reason: Option<String>,
    evidence: WrittenEvidence<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenEvidence<'a> {
    sample_name: &'a str,
    over: u64,
    by_phase: Vec<PhaseValue>,
    first: Option<Violation>,
    worst: Vec<Violation>,
    notes: Vec<String>,
}

/// A comparison with notes in words and rounded numbers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenComparison<'a> {
    baseline: &'a str,
    started_at: &'a str,
    max_regression_percent: Option<f64>,
    notes: Vec<String>,
    kpis: Vec<Compared>,
}

/// The results as JSON, for people and `jq`. The same input gives the same bytes.
pub(crate) fn results_json(input: &FileInput<'_>) -> String {
    let FileInput { results, glance, timeline, .. } = *input;
    let judgements = |kind| results.of_kind(kind).map(written).collect();
    let file = ResultsFile {
        summary: summary(input),
        fatal_error: timeline.fatal(),
        kpis: judgements(Judged::Kpi),
        workloads: judgements(Judged::Workload),
        harness: judgements(Judged::Harness),
        chaos: &results.chaos,
        duration_minutes: minutes(timeline.scenario_ms()),
        waived: results.waivers.iter().map(|(name, reason)| json!({ "name": name, "reason": reason })).collect(),
        processes: &glance.processes,
        comparison: results.comparison.as_ref().map(compared),
    };
    let mut json = serde_json::to_string_pretty(&file).expect("results are strings, numbers and lists");
    json.push('\n');
    json
}

fn summary<'a>(input: &FileInput<'a>) -> Summary<'a> {
    let FileInput { header, results, glance, timeline, .. } = *input;
    let counted = |verdict| results.rows.iter().filter(|row| row.status.verdict() == Some(verdict)).count();
    let end = timeline.end();
    Summary {
        suite: results.suite,
        verdict: results.overall(),
        passed: counted(Verdict::Pass),
        failed: counted(Verdict::Fail),
        unproven: counted(Verdict::Unproven),
        waived: results.rows.iter().filter(|row| row.status.waiver().is_some()).count(),
        started_at: &header.started_at,
        ended_at: end.map(|end| end.ended_at.as_str()),
        end_reason: end.map(|end| end.reason),
        harness_version: &header.harness,
        gateway_url: &header.gateway_url,
        embedded_gateway: header.embedded,
        seed: header.plan.seed,
        pace: rounded(header.plan.pace),
        planned_minutes: minutes(header.plan.duration_ms),
        runs_planned: header.plan.runs.count(),
        activity: &glance.activity,
    }
}

fn written(Row { judgement, status }: &Row) -> WrittenJudgement<'_> {
    let is_pending = *status == Status::Pending;
    let evidence = &judgement.evidence;
    let violation = |of: &Violation| Violation { value: of.value.map(rounded), ..of.clone() };
    let phase_value = |of: &PhaseValue| PhaseValue { value: rounded(of.value), ..of.clone() };
    WrittenJudgement {
        kind: judgement.kind,
        name: &judgement.name,
        verdict: if is_pending { Verdict::Unproven } else { judgement.verdict },
        value: judgement.value.map(rounded),
        range: judgement.range.map(range),
        range_is_open: judgement.range_is_open,
        unit: judgement.unit,
        target: judgement.target.with_limit(rounded(judgement.target.limit())),
        samples: judgement.samples,
        promised: judgement.promised,
        reason: reason_text(&judgement.reason).or_else(|| is_pending.then(|| "the soak goes on".to_owned())),
        evidence: WrittenEvidence {
            sample_name: &evidence.sample_name,
            over: evidence.over,
            by_phase: evidence.by_phase.iter().map(phase_value).collect(),
            first: evidence.first.as_ref().map(violation),
            worst: evidence.worst.iter().map(violation).collect(),
            notes: evidence.notes.iter().map(note_text).collect(),
        },
    }
}

fn range(Range { low, high }: Range) -> Range {
    Range { low: rounded(low), high: rounded(high) }
}

fn compared(comparison: &Comparison) -> WrittenComparison<'_> {
    let mut kpis = comparison.kpis.clone();
    for kpi in &mut kpis {
        for value in [&mut kpi.then, &mut kpi.now, &mut kpi.change, &mut kpi.change_percent, &mut kpi.worse_percent] {
            *value = value.map(rounded);
        }
        kpi.then_range = kpi.then_range.map(range);
        kpi.now_range = kpi.now_range.map(range);
    }
    WrittenComparison {
        baseline: &comparison.baseline,
        started_at: &comparison.started_at,
        max_regression_percent: comparison.max_regression_percent,
        notes: comparison.notes.iter().map(note_text).collect(),
        kpis,
    }
}
