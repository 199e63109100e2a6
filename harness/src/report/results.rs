//! The results file.

use serde::Serialize;

use super::{FileInput, file_input::Activity, process::ProcessStats, rounded};
use crate::{
    catalog::{Suite, Target},
    journal::EndReason,
    judge::{ChaosReport, Comparison, Judged, Judgement, Range, Verdict},
    results::{Row, Status},
};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ResultsFile<'a> {
    summary: Summary<'a>,
    fatal_error: Option<&'a str>,
    kpis: Vec<Judgement>,
    workloads: Vec<Judgement>,
    harness: Vec<Judgement>,
    chaos: &'a [ChaosReport],
    duration_minutes: f64,
    waived: Vec<Waived<'a>>,
    processes: &'a ProcessStats,
    /// Null where there is no earlier run to compare with.
    comparison: Option<Comparison>,
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
    /// Null while the soak goes on, and where its session died.
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

#[derive(Debug, Serialize)]
struct Waived<'a> {
    name: &'a str,
    reason: &'a str,
}

/// The results as JSON, for people and `jq`. The same input gives the same bytes.
#[must_use]
pub fn results_json(input: &FileInput<'_>) -> String {
    let FileInput { results, glance, timeline, .. } = *input;
    let judgements = |kind| results.of_kind(kind).map(presentable).collect();
    let file = ResultsFile {
        summary: summary(input),
        fatal_error: timeline.fatal(),
        kpis: judgements(Judged::Kpi),
        workloads: judgements(Judged::Workload),
        harness: judgements(Judged::Harness),
        chaos: &results.chaos,
        duration_minutes: minutes(timeline.scenario_ms()),
        waived: results.waivers.iter().map(|(name, reason)| Waived { name, reason }).collect(),
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

/// Scenario minutes.
#[expect(clippy::cast_precision_loss, reason = "no soak is 285 thousand years long")]
fn minutes(ms: u64) -> f64 {
    rounded(ms as f64 / 60_000.0)
}

/// A judgement with the verdict of its status, and with its numbers rounded: nobody reads the eleventh decimal, and no two results
/// differ by it.
fn presentable(row: &Row) -> Judgement {
    let mut shown = row.judgement.clone();
    if row.status == Status::Pending {
        shown.verdict = Verdict::Unproven;
        shown.reason.get_or_insert_with(|| "the soak goes on".to_owned());
    }
    shown.value = shown.value.map(rounded);
    shown.range = shown.range.map(range);
    shown.target = shown.target.with_limit(rounded(Target::limit(shown.target)));
    let evidence = &mut shown.evidence;
    evidence.by_phase.iter_mut().for_each(|of| of.value = rounded(of.value));
    for offender in evidence.first.iter_mut().chain(&mut evidence.worst) {
        offender.value = offender.value.map(rounded);
    }
    shown
}

fn range(Range { low, high }: Range) -> Range {
    Range { low: rounded(low), high: rounded(high) }
}

/// The same of a comparison.
fn compared(comparison: &Comparison) -> Comparison {
    let mut shown = comparison.clone();
    for kpi in &mut shown.kpis {
        for value in [&mut kpi.then, &mut kpi.now, &mut kpi.change, &mut kpi.change_percent, &mut kpi.worse_percent] {
            *value = value.map(rounded);
        }
        kpi.then_range = kpi.then_range.map(range);
        kpi.now_range = kpi.now_range.map(range);
    }
    shown
}
