//! `report.html`: a soak in one file that loads no other.
//!
//! Contents: verdicts, red first, each with its evidence and a link to its place in a chart; charts over scenario time;
//! the incidents; the settings. All data from a gateway is plain text: templates escape it, scripts read it as data,
//! and the page's policy allows only its own scripts and styles, by their hashes.
//!
//! # Why uPlot
//!
//! [uPlot](https://github.com/leeoniya/uPlot) 1.6.32 (MIT, 50 KB) draws the charts, unchanged from its package `uplot`
//! in `vendor/`. The reader's machine draws: the session only sends numbers, and one script draws the live page and the
//! report. `plotters` draws stills, which cannot follow a reader's dark mode, and would draw them again for every look
//! at a live soak. ECharts, which `charming` uses, is a megabyte, a third of the report.

mod chart;
mod charts;
mod latencies;
mod policy;
mod sections;

use charts::{Charts, charts};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde::Serialize;

use super::FileInput;
use crate::plan::moment;

const UPLOT: &str = include_str!("vendor/uPlot.iife.min.js");
const UPLOT_STYLE: &str = include_str!("vendor/uPlot.min.css");
const SCRIPT: &str = include_str!("page.js");
const STYLE: &str = include_str!("page.css");

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PageUpdate {
    charts: Charts,
    /// The parts of the page with text, as HTML.
    clock: String,
    verdicts: String,
    incidents: String,
}

pub(crate) fn report_html(input: &FileInput<'_>) -> String {
    page(input, false).into_string()
}

/// The page of a soak that goes on. It asks for updates at `events`.
pub(crate) fn live_html(input: &FileInput<'_>) -> String {
    page(input, true).into_string()
}

/// An update for the live page.
pub(crate) fn live_json(input: &FileInput<'_>) -> String {
    let update = PageUpdate {
        charts: charts(input),
        clock: sections::clock(input).into_string(),
        verdicts: sections::verdicts(input).into_string(),
        incidents: sections::incidents(input.series.incidents()).into_string(),
    };
    serde_json::to_string(&update).expect("charts are numbers and texts")
}

fn page(input: &FileInput<'_>, is_live: bool) -> Markup {
    let charts = charts(input);
    let suite = input.header.plan.suite;
    let data = serde_json::to_string(&charts).expect("charts are numbers and texts");
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy::policy(is_live));
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "S2 " (suite) ", " (input.header.started_at) }
                style { (PreEscaped(UPLOT_STYLE)) }
                style { (PreEscaped(STYLE)) }
            }
            body data-live=[is_live.then_some("")] {
                a .skip href="#verdicts" { "To the verdicts" }
                header {
                    h1 { "S2 " (suite) }
                    div #clock { (sections::clock(input)) }
                    nav aria-label="Parts" {
                        a href="#verdicts" { "Verdicts" }
                        a href="#charts" { "Charts" }
                        a href="#incidents" { "Incidents" }
                        a href="#about" { "Settings" }
                    }
                }
                main {
                    section #verdicts aria-label="Verdicts" { (sections::verdicts(input)) }
                    section #charts aria-label="Charts" {
                        h2 { "Charts" }
                        p .hint {
                            "Over scenario minutes. Shaded: chaos windows. Ticks at the foot: heartbeats. Drag to look closer, \
                             double-click to see the whole; with the keyboard, arrow keys move along a chart, and Escape leaves \
                             a closer look."
                        }
                        noscript { p { "Charts are drawn by a script, and scripts are off here." } }
                        button #whole type="button" hidden { "See the whole soak again" }
                        @for chart in &charts.charts { (sections::figure(chart)) }
                        @if !charts.unmeasured.is_empty() { (sections::unmeasured(&charts)) }
                    }
                    section #incidents aria-label="Incidents" {
                        h2 { "Incidents" }
                        (sections::incidents(input.series.incidents()))
                    }
                    section #about aria-label="Settings" { (sections::about(input)) }
                }
                script #data type="application/json" { (PreEscaped(policy::inert(&data))) }
                script { (PreEscaped(UPLOT)) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
}

/// A moment, as a link to a chart at that moment.
fn at(at_ms: u64, chart: Option<&str>) -> Markup {
    match chart {
        Some(chart) => html! { a href={ "#chart-" (chart) } data-at=(at_ms) { (moment(at_ms)) } },
        None => html! { (moment(at_ms)) },
    }
}

#[cfg(test)]
mod tests;
