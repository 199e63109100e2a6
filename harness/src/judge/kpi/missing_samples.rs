//! The reasons for too few samples, for a reader of an unproven KPI.

use crate::{
    catalog::Kpi,
    history::{FailureRecord, History, Scope},
    journal::{Counter, EndReason, is_process_source},
    judge::{Judgement, Note, SourceFailure, UnprovenReason, kpi::chaos, verdict::assessment::Assessment},
    plan::Plan,
};

/// Concludes findings, with the cause where there are too few samples.
pub(crate) fn into_judgement(found: Assessment, plan: &Plan, history: &History) -> Judgement {
    found.into_judgement(|known| explain(known, plan, history))
}

/// The cause of a lack of samples: first an early end of the session, then the reasons of the judge, then holes.
fn explain(known: Vec<Note>, plan: &Plan, history: &History) -> Vec<Note> {
    let mut causes: Vec<Note> = of_early_end(plan, history).into_iter().collect();
    if history.is_empty() {
        return causes;
    }
    causes.extend(known);
    if let Some((from_ms, to_ms, cause)) = history.timeline.holes.first().cloned() {
        causes.push(UnprovenReason::NothingPlayed { from_ms, to_ms, cause }.into());
    }
    if causes.is_empty() {
        causes.push(UnprovenReason::FewSamples.into());
    }
    causes
}

/// Why the session stopped before its plan was played; none where it was played.
pub(crate) fn of_early_end(plan: &Plan, history: &History) -> Option<Note> {
    let lack = match history.timeline.end() {
        _ if history.is_empty() => UnprovenReason::NeverBegan,
        None => UnprovenReason::EndMissing { reached_ms: history.timeline.scenario_ms() },
        Some(end) if end.reason == EndReason::Played && end.at_ms >= plan.duration_ms / 100 * 99 => return None,
        Some(end) => {
            let fatal = history.timeline.fatal().map(str::to_owned);
            UnprovenReason::EndedEarly { at_ms: end.at_ms, reason: end.reason, fatal }
        }
    };
    Some(lack.into())
}

/// The last wrong answer of a source by its route in the contract.
pub(crate) fn of_source(route: &str, history: &History) -> Option<SourceFailure> {
    history.timeline.sources.get_key_value(&*history.route(route)).map(failure)
}

/// The same of a process of the gateway.
pub(crate) fn of_process(history: &History) -> Option<SourceFailure> {
    history.timeline.sources.iter().find(|(source, _)| is_process_source(source)).map(failure)
}

fn failure((source, record): (&String, &FailureRecord)) -> SourceFailure {
    let is_in_windows = record.steady_count == 0;
    let times = if is_in_windows { record.count } else { record.steady_count };
    SourceFailure { source: source.clone(), answer: record.answer.clone(), times, is_in_windows }
}

/// Why the gateway's metrics lack values: scrapes that failed, or names that they lack.
pub(crate) fn of_scrapes(names: &[&str], history: &History) -> Vec<Note> {
    let count = |counter, scope| history.totals.counter(counter, scope);
    let failed_of = |scope| count(Counter::Scrapes, scope).saturating_sub(count(Counter::ScrapesOk, scope));
    let (scrapes, failed) = (count(Counter::Scrapes, Scope::All), failed_of(Scope::All));
    // Failures that S2 causes itself, and a few others, leave enough samples for every KPI, and are no cause.
    let decides = failed_of(Scope::Steady).saturating_mul(10) > count(Counter::Scrapes, Scope::Steady);
    let answered = history.timeline.sources.get_key_value(&*history.route("GET /metrics"));
    let failure = answered.filter(|_| decides && failed > 0).map(|(source, record)| {
        let (source, answer) = (source.clone(), record.answer.clone());
        Note::ScrapesFailed { source, answer, failed, scrapes }
    });
    let lacks = |name: &&&str| history.timeline.missing_metrics.contains(**name);
    let names: Vec<String> = names.iter().filter(lacks).map(|name| (*name).to_owned()).collect();
    // A metric may be present and invalid: then the answer of the source says why. In a window S2 itself causes wrong answers.
    let answer =
        answered.filter(|(_, record)| !decides && record.steady_count > 0).map(|(_, record)| record.answer.clone());
    let missing = (!names.is_empty()).then_some(Note::MetricsLack { names, answer });
    let unscraped = (scrapes == 0).then_some(Note::NeverScraped);
    [failure, missing, unscraped].into_iter().flatten().collect()
}

/// The wrong answers of the routes that a KPI has its samples from, and the chaos events that gave it none.
pub(crate) fn of_routes(kpi: Kpi, plan: &Plan, history: &History) -> Vec<Note> {
    let answered = |route: &&str| {
        let route = history.route(route);
        let record = history.timeline.routes.get(&*route).or_else(|| history.timeline.sources.get(&*route))?;
        let (route, answer) = (route.into_owned(), record.answer.clone());
        Some(UnprovenReason::RouteAnswered { route, answer, last_ms: record.last_ms }.into())
    };
    let mut causes: Vec<Note> = kpi.spec().routes.iter().filter_map(answered).collect();
    if matches!(kpi, Kpi::ChaosRecovery | Kpi::ErrorRateChaos) {
        causes.extend(
            chaos::unproven_events(plan, history).into_iter().map(|event| UnprovenReason::ChaosUnproven(event).into()),
        );
    }
    causes
}
