//! The results file.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{process::ProcessStats, rounded};
use crate::{
    catalog::{Kpi, Suite, Target, Workload},
    history::{History, Scope},
    journal::{Counter, EndReason, Header},
    judge::{ChaosReport, Comparison, Judged, Judgement, Range, Verdict, Verdicts},
};

/// What the results are made of.
#[derive(Debug, Clone, Copy)]
pub struct ResultsInput<'a> {
    /// The journal's header: what was to be played, against what.
    pub header: &'a Header,
    /// What was recorded so far.
    pub history: &'a History,
    /// What is said of it.
    pub verdicts: &'a Verdicts,
    /// KPIs that are not judged, by name, and why. They stand among the KPIs, and do not count in the summary.
    pub waived: &'a BTreeMap<String, String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Results<'a> {
    summary: Summary<'a>,
    fatal_error: Option<&'a str>,
    kpis: Vec<Judgement>,
    workloads: Vec<Judgement>,
    harness: Vec<Judgement>,
    chaos: &'a [ChaosReport],
    duration_minutes: f64,
    waived: Vec<Waived<'a>>,
    processes: ProcessStats,
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
    runs_planned: usize,
    runs_started: u64,
    runs_ended: u64,
    runs_succeeded: u64,
    open_streams: u64,
    streams_opened: u64,
    events_delivered: u64,
    requests: u64,
    request_errors: u64,
    requests_throttled: u64,
}

#[derive(Debug, Serialize)]
struct Waived<'a> {
    name: &'a str,
    reason: &'a str,
}

/// The results as JSON, for people and `jq`. The same input gives the same bytes.
#[must_use]
pub fn results_json(input: &ResultsInput<'_>) -> String {
    let ResultsInput { history, verdicts, waived, .. } = *input;
    let judgements = |judgements: &[Judgement]| judgements.iter().map(presentable).collect();
    let unsupported = &input.header.plan.unsupported;
    let of_kpis = unsupported
        .kpis
        .iter()
        .map(|(kpi, reason)| (kpi.name(), reason))
        .filter(|(name, _)| !waived.contains_key(*name));
    let of_workloads = unsupported.workloads.iter().map(|(workload, reason)| (workload.name(), reason));
    let of_chaos = unsupported.chaos.iter().map(|(chaos, reason)| (chaos.name(), reason));
    let by_settings = waived.iter().map(|(name, reason)| (name.as_str(), reason));
    let waived = by_settings.chain(of_kpis).chain(of_workloads).chain(of_chaos);
    let waived = waived.map(|(name, reason)| Waived { name, reason }).collect();
    let results = Results {
        summary: summary(input),
        fatal_error: history.timeline.fatal(),
        kpis: judgements(&verdicts.kpis),
        workloads: judgements(&verdicts.workloads),
        harness: judgements(&verdicts.harness),
        chaos: &verdicts.chaos,
        duration_minutes: minutes(history.timeline.scenario_ms()),
        waived,
        processes: ProcessStats::of(history),
        comparison: verdicts.comparison.as_ref().map(compared),
    };
    let mut json = serde_json::to_string_pretty(&results).expect("results are strings, numbers and lists");
    json.push('\n');
    json
}

fn summary<'a>(input: &ResultsInput<'a>) -> Summary<'a> {
    let ResultsInput { header, history, verdicts, .. } = *input;
    let is_waived = |judgement: &&Judgement| waiver(input, judgement).is_some();
    let judged: Vec<Verdict> = verdicts.iter().filter(|j| !is_waived(j)).map(|j| j.verdict).collect();
    let counted = |verdict| judged.iter().filter(|judged| **judged == verdict).count();
    let end = history.timeline.end();
    let counter = |counter| history.totals.counter(counter, Scope::All);
    Summary {
        suite: header.plan.suite,
        // No verdict is no green.
        verdict: judged.iter().copied().max().unwrap_or(Verdict::Unproven),
        passed: counted(Verdict::Pass),
        failed: counted(Verdict::Fail),
        unproven: counted(Verdict::Unproven),
        waived: verdicts.iter().filter(is_waived).count(),
        started_at: &header.started_at,
        ended_at: end.map(|end| end.ended_at.as_str()),
        end_reason: end.map(|end| end.reason),
        harness_version: &header.harness,
        gateway_url: &header.gateway_url,
        embedded_gateway: header.embedded,
        seed: header.plan.seed,
        pace: rounded(header.plan.pace),
        planned_minutes: minutes(header.plan.duration_ms),
        runs_planned: header.plan.runs.len(),
        runs_started: history.totals.runs_started(),
        runs_ended: counter(Counter::RunsEnded),
        runs_succeeded: counter(Counter::RunsSucceeded),
        open_streams: history.totals.open_streams(),
        streams_opened: counter(Counter::StreamsOpened),
        events_delivered: counter(Counter::EventsDelivered),
        requests: history.totals.requests(),
        request_errors: counter(Counter::RequestErrors),
        requests_throttled: counter(Counter::RequestsThrottled),
    }
}

/// Why a judgement does not count, where it is waived: by the settings, or for what the gateway lacks.
pub(super) fn waiver<'a>(input: &ResultsInput<'a>, judgement: &Judgement) -> Option<&'a str> {
    let ResultsInput { header, waived, .. } = *input;
    let unsupported = &header.plan.unsupported;
    let name = judgement.name.as_str();
    let reason = match judgement.kind {
        Judged::Kpi => waived.get(name).or_else(|| unsupported.kpis.get(&Kpi::from_name(name)?)),
        Judged::Workload => unsupported.workloads.get(&Workload::from_name(name)?),
        Judged::Harness => None,
    };
    reason.map(String::as_str)
}

/// Scenario minutes.
#[expect(clippy::cast_precision_loss, reason = "no soak is 285 thousand years long")]
fn minutes(ms: u64) -> f64 {
    rounded(ms as f64 / 60_000.0)
}

/// A judgement with its numbers rounded: nobody reads the eleventh decimal, and no two results differ by it.
fn presentable(judgement: &Judgement) -> Judgement {
    let mut shown = judgement.clone();
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
