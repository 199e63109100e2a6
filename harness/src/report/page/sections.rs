//! The parts of a page that are words.

use maud::{Markup, html};

use super::{
    super::{
        FileInput,
        comparison::{HEAD, compared_with, row as comparison_row},
        failure_text, number,
        title::title,
    },
    at,
    chart::Chart,
    charts::{Charts, chart_of},
};
use crate::{
    catalog::Phase,
    history::{IncidentLog, ShownIncident},
    journal::clip,
    judge::{Comparison, Judged},
    plan::moment,
    results::Row,
};

/// Scenario milliseconds between the rows of a table for readers without scripts: one heartbeat's.
const NUMBERS_EVERY_MS: u64 = 300_000;

/// The time of the soak, and its facts in one line.
pub(super) fn clock(input: &FileInput<'_>) -> Markup {
    let (plan, timeline) = (&input.header.plan, input.timeline);
    let reached_ms = timeline.scenario_ms().min(plan.duration_ms);
    html! {
        p .counts { @for (word, count) in input.results.counts() { span .{ (word) } { (count) } " " } }
        p {
            (moment(reached_ms)) " of " (plan.duration_ms / 60_000) " min"
            @match timeline.end() {
                Some(end) => { ", ended " (to_the_second(&end.ended_at)) }
                None => { ", not ended" }
            }
            ". Began " (to_the_second(&input.header.started_at)) ", pace " (plan.pace) ", at " (input.header.gateway_url)
            @if input.header.embedded { " (the embedded mock)" }
        }
        progress max=(plan.duration_ms) value=(reached_ms) aria-label="The scenario" { }
        @if let Some(fatal) = timeline.fatal() { p .fatal role="alert" { (fatal) } }
    }
}

/// An RFC 3339 instant in UTC, without fractions of a second.
fn to_the_second(instant: &str) -> String {
    match instant.split_once('.') {
        Some((seconds, _)) if instant.ends_with('Z') => format!("{seconds}Z"),
        _ => instant.to_owned(),
    }
}

pub(super) fn verdicts(input: &FileInput<'_>) -> Markup {
    let rows = input.results.worst_first();
    let reds = || rows.iter().filter(|row| row.status.is_red());
    html! {
        h2 { "Verdicts" }
        @for row in reds() { (red(input, row)) }
        @if reds().next().is_none() { p { "Nothing is red." } }
        div .wide {
            table {
                caption { "All that is judged" }
                thead { tr {
                    th scope="col" { "what" } th scope="col" { "verdict" } th scope="col" .number { "value" }
                    th scope="col" .number { "target" } th scope="col" .number { "samples" } th scope="col" { "in the charts" }
                } }
                tbody {
                    @for row in &rows { (judged(row)) }
                }
            }
        }
        @if let Some(comparison) = &input.results.comparison { (compared(comparison)) }
        @if !input.results.chaos.is_empty() { (chaos(input)) }
    }
}

/// The changes since an earlier run.
fn compared(comparison: &Comparison) -> Markup {
    html! {
        h3 #comparison { "Then and now" }
        div .wide {
            table {
                caption { (compared_with(comparison)) }
                thead { tr { @for name in HEAD { th scope="col" { (name) } } } }
                tbody {
                    @for kpi in &comparison.kpis {
                        @let [name, then, now, change, moved] = comparison_row(kpi);
                        tr .fail[kpi.is_regression] {
                            th scope="row" { (name) }
                            td .number { (then) } td .number { (now) } td .number { (change) }
                            td { @if kpi.is_regression { span .badge { (moved) } } @else { (moved) } }
                        }
                    }
                }
            }
        }
    }
}

/// A red judgement with its text.
fn red(input: &FileInput<'_>, Row { judgement, status }: &Row) -> Markup {
    let text = failure_text(judgement, input.header.plan.suite, input.folder);
    let (headline, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let chart = chart_of(&judgement.name).filter(|_| judgement.kind != Judged::Workload);
    html! {
        article .red .{ (status.word()) } id={ "verdict-" (judgement.kind.name()) "-" (judgement.name) } {
            h3 { span .badge { (status.word()) } " " (judgement.name) }
            p .headline { (headline) }
            @if let Some(first) = &judgement.evidence.first {
                p {
                    "Since " (at(first.at_ms, chart))
                    @if first.phase != Phase::Steady { ", in the " (first.phase) " window" }
                    @if !first.subject.is_empty() { ", " (clip(&first.subject)) }
                }
            }
            pre { @for line in rest.lines() { (line.trim()) "\n" } }
            @if let Some(chart) = chart { p { a href={ "#chart-" (chart) } { "See it in its chart" } } }
        }
    }
}

fn judged(Row { judgement, status }: &Row) -> Markup {
    let chart = chart_of(&judgement.name).filter(|_| judgement.kind != Judged::Workload);
    html! {
        tr .{ (status.word()) } {
            th scope="row" title=(title(judgement)) { @if judgement.kind != Judged::Kpi { (judgement.kind.name()) " " } (judgement.name) }
            td { span .badge { (status.word()) } @if let Some(reason) = status.waiver() { " " (reason) } }
            td .number { (number::value_or_dash(judgement.value, judgement.unit, judgement.target)) }
            td .number { (number::target_signed(judgement.target, judgement.unit)) }
            td .number { (number::count(judgement.samples)) " / " (number::count(judgement.promised)) }
            td { @if let Some(chart) = chart { a href={ "#chart-" (chart) } { "chart" } } }
        }
    }
}

fn chaos(input: &FileInput<'_>) -> Markup {
    html! {
        h3 { "Chaos" }
        dl {
            @for event in &input.results.chaos {
                dt { (event.chaos) ", " (at(event.at_ms, Some("availability"))) }
                dd {
                    @match (&event.injected, event.effective) {
                        (None, _) => "not injected yet",
                        (Some(_), Some(true)) => "done, and seen to have its effect",
                        (Some(_), Some(false)) => "had no effect",
                        (Some(_), None) => "asked for; its effect was not seen yet",
                    }
                    @if let Some(evidence) = &event.evidence { ": " (evidence) }
                    @if let Some(ms) = event.recovery_ms { "; all well again after " (number::count(ms)) " ms" }
                    @if let Some(injected) = &event.injected { br; span .hint { (injected) } }
                }
            }
        }
    }
}

/// The place of a chart, with its description.
pub(super) fn figure(chart: &Chart) -> Markup {
    html! {
        figure id={ "chart-" (chart.id) } data-chart=(chart.id) {
            figcaption { h3 { (chart.title) } p .says { (chart.says) } }
            div .plot tabindex="0" role="img" aria-label=(chart.title) { }
            details { summary { "The numbers" } div .wide .numbers { noscript { (numbers(chart)) } } }
        }
    }
}

/// The targets of links to charts without data.
pub(super) fn unmeasured(charts: &Charts) -> Markup {
    html! {
        p .hint { "Nothing was measured of these:" }
        ul { @for (id, title) in &charts.unmeasured { li id={ "chart-" (id) } { (title) } } }
    }
}

/// For a reader without scripts, the numbers every few minutes. All numbers would be most of the page and of its cost.
/// With scripts all are shown on demand.
fn numbers(chart: &Chart) -> Markup {
    let every = usize::try_from(NUMBERS_EVERY_MS / chart.step_ms.max(1)).unwrap_or(1).max(1);
    let steps = chart.lines.iter().map(|line| line.values.len()).max().unwrap_or(0);
    let unit = if chart.unit.is_empty() { String::new() } else { format!(", {}", chart.unit) };
    html! {
        table {
            caption { (chart.title) ", of the whole only every " (NUMBERS_EVERY_MS / 60_000) " minutes" }
            thead { tr { th scope="col" { "at" } @for line in &chart.lines { th scope="col" { (line.name) (unit) } } } }
            tbody {
                @for step in (0..steps).step_by(every) {
                    tr {
                        th scope="row" { (moment(step as u64 * chart.step_ms)) }
                        @for line in &chart.lines {
                            td .number {
                                @match line.values.get(step).copied().flatten() { Some(value) => (value), None => "–" }
                            }
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn incidents(incidents: &IncidentLog) -> Markup {
    let kept = incidents.kept();
    html! {
        @if kept.is_empty() { p { "Nothing happened." } } @else {
            fieldset #kinds {
                legend { "Which kinds are shown" }
                @for (kind, count) in incidents.counts() {
                    label { input type="checkbox" name="kind" value=(kind) checked; " " (kind) " (" (count) ")" } " "
                }
                label { "that say " input type="search" name="says" autocomplete="off"; }
                p #shown role="status" { }
            }
            p .hint { "Of each kind the first twelve and the last twelve; the journal has the rest." }
            div .wide {
                table {
                    caption { "What happened, in order of time" }
                    thead { tr { th scope="col" { "when" } th scope="col" { "window" } th scope="col" { "what" } th scope="col" { "what is known of it" } } }
                    tbody { @for told in kept { (incident(told)) } }
                }
            }
        }
    }
}

fn incident(told: &ShownIncident) -> Markup {
    html! {
        tr data-kind=(told.kind) {
            td { (at(told.at_ms, Some(chart_of_kind(told.kind)))) }
            td { @if told.phase != Phase::Steady { (told.phase) } }
            td { (told.kind) }
            td .says { (told.says) }
        }
    }
}

/// The chart that shows a kind of incident.
fn chart_of_kind(kind: &str) -> &'static str {
    match kind {
        "not_ready"
        | "chaos_injected"
        | "chaos_seen"
        | "chaos_recovered"
        | "chaos_not_recovered"
        | "hole"
        | "gateway_restarted"
        | "other_process"
        | "several_answer"
        | "processes_read"
        | "round_trips_before" => "availability",
        "event_duplicated" | "event_missed" => "events",
        "stream_dropped" => "reconnects",
        "version_found" => "publish_to_search",
        "version_not_found" | "version_lost" | "tamper_accepted" | "injection_accepted" | "pii_leaked"
        | "plaintext_leaked" | "worker_panicked" | "stalled" | "fatal" => "findings",
        _ => "errors",
    }
}

pub(super) fn about(input: &FileInput<'_>) -> Markup {
    let header = input.header;
    let plan = header.plan.to_string();
    html! {
        h2 { "Settings" }
        div .wide {
            table {
                caption { "By what it was played" }
                tbody {
                    tr { th scope="row" { "harness" } td { "s2-harness " (header.harness) } }
                    tr { th scope="row" { "gateway URL" } td { (header.gateway_url) } }
                    @for (name, value) in &header.settings { tr { th scope="row" { (name) } td { (value) } } }
                    tr { th scope="row" { "folder" } td { (input.folder) } }
                }
            }
        }
        details { summary { "The plan" } pre { (plan) } }
    }
}
