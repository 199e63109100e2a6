//! A page of a soak that is made up: its parts, its size, and that what a gateway says is only ever text.

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};

use super::{charts::chart_of, *};
use crate::{
    catalog::{Kpi, Suite},
    journal::Finding,
    judge::fixtures::{
        sick::{self, sick},
        soak::Soak,
    },
    report::fixture::rendered,
    results::{Stage, Waivers},
};

const MARKUP: &str = "</script><script>window.ran = true</script><img src=x onerror=\"window.ran = true\">";

/// A page of a soak that goes on, unless its record has an end.
fn live(soak: &Soak, page: fn(&FileInput<'_>) -> String) -> String {
    rendered(soak, &Waivers::default(), Stage::Playing, page)
}

fn report(soak: &Soak) -> String {
    rendered(soak, &Waivers::default(), Stage::Over, report_html)
}

/// The data that the page's script reads.
fn data(page: &str) -> serde_json::Value {
    let (_, data) = page.split_once("<script id=\"data\" type=\"application/json\">").unwrap();
    serde_json::from_str(data.split_once("</script>").unwrap().0).unwrap()
}

#[test]
fn the_red_comes_first_with_since_when_and_the_way_to_its_chart() {
    let page = report(&sick(Kpi::StartToLogP95));
    let red = page.find("<article class=\"red fail\" id=\"verdict-kpi-start_to_log_p95\">").unwrap();
    assert!(red < page.find("<caption>All that is judged").unwrap());
    let article = page[red..].split_once("</article>").unwrap().0;
    assert!(article.contains("start-to-log p95 is ") && article.contains("href=\"#chart-start_to_log\""), "{article}");
    assert!(article.contains("data-at=\""), "{article}");
    // So it is in the table of all, from the worst to the best.
    let table = page.split_once("<caption>All that is judged").unwrap().1.split_once("</table>").unwrap().0;
    let rows: Vec<&str> = table.split("<tr class=\"").skip(1).map(|row| row.split_once('"').unwrap().0).collect();
    assert!(rows.len() > 30 && rows.is_sorted_by_key(|row| *row != "fail") && rows[0] == "fail", "{rows:?}");
}

#[test]
fn every_kpi_has_a_chart_that_there_is() {
    let page = report(&sick(Kpi::PlaintextLeaks));
    let data = data(&page);
    let there: BTreeSet<&str> = data["charts"].as_array().unwrap().iter().filter_map(|c| c["id"].as_str()).collect();
    for kpi in Kpi::ALL {
        let chart = chart_of(kpi.name()).unwrap();
        assert!(there.contains(chart), "{kpi}: {chart} is none of {there:?}");
        assert!(page.contains(&format!("<figure id=\"chart-{chart}\"")), "{chart}");
    }
}

#[test]
fn charts_hold_what_was_recorded() {
    let page = report(&sick(Kpi::RssDrift));
    let data = data(&page);
    let chart = |id: &str| data["charts"].as_array().unwrap().iter().find(|c| c["id"] == id).unwrap().clone();
    let rss = chart("gateway_rss");
    let values = rss["lines"][0]["values"].as_array().unwrap();
    let measured: Vec<f64> = values.iter().filter_map(|value| value.as_f64()).collect();
    assert!(measured.len() >= 100 && measured.last() > measured.first(), "{values:?}");
    // What growth was judged by: floors, and the line through them.
    let traces = rss["traces"].as_array().unwrap();
    assert!(traces.iter().any(|t| t["joined"] == true) && traces.iter().any(|t| t["joined"] == false), "{traces:?}");
    let runs = chart("runs");
    let started: f64 = runs["lines"][0]["values"].as_array().unwrap().iter().filter_map(|n| n.as_f64()).sum();
    assert_eq!(sick(Kpi::RssDrift).history().totals.runs_started() as f64, started);
    assert!(!chart("start_to_log")["heat"]["cells"].as_array().unwrap().is_empty());
    assert_eq!(3, data["windows"].as_array().unwrap().len());
    assert_eq!(120.0, data["duration"].as_f64().unwrap());
}

#[test]
fn what_a_gateway_says_is_text_wherever_it_stands() {
    let mut soak = sick(Kpi::SseGaps);
    let said = || MARKUP.to_owned();
    soak.happens(1_000, Finding::NotReady { answer: said() });
    soak.happens(1_000, Finding::RunFailed { run: said(), answer: said() });
    soak.happens(1_000, Finding::SourceFailed { source: said(), answer: said() });
    soak.happens(2_000, Finding::Fatal { message: said() });
    for page in [report(&soak), live(&soak, live_html)] {
        assert!(page.contains("&lt;/script&gt;&lt;script&gt;window.ran"), "it is shown");
        assert!(!page.contains("<img src=x") && !page.contains("<script>window.ran"), "it is only text");
    }
    let update: serde_json::Value = serde_json::from_str(&live(&soak, live_json)).unwrap();
    for part in ["clock", "verdicts", "incidents"] {
        let html = update[part].as_str().unwrap();
        assert!(!html.contains("<img") && !html.contains("<script"), "{part}: {html}");
    }
}

#[test]
fn data_in_a_script_element_cannot_end_it() {
    let json = serde_json::to_string(&["</script><!--", "a & b", "\u{2028}\u{2029}"]).unwrap();
    let inert = policy::inert(&json);
    assert!(!inert.contains(['<', '>', '&', '\u{2028}', '\u{2029}']), "{inert}");
    assert_eq!(
        serde_json::from_str::<Vec<String>>(&json).unwrap(),
        serde_json::from_str::<Vec<String>>(&inert).unwrap()
    );
}

#[test]
fn nothing_runs_but_what_the_policy_names() {
    let page = report(&Soak::healthy(Suite::Full));
    let scripts = page.split("<script>").skip(1).map(|rest| rest.split_once("</script>").unwrap().0);
    let styles = page.split("<style>").skip(1).map(|rest| rest.split_once("</style>").unwrap().0);
    let parts: Vec<&str> = scripts.chain(styles).collect();
    assert_eq!(4, parts.len());
    for part in parts {
        let hash = STANDARD.encode(Sha256::digest(part));
        assert!(page.contains(&format!("&#39;sha256-{hash}&#39;")) || page.contains(&format!("'sha256-{hash}'")));
    }
    assert!(
        !page.contains("http://www") && !page.contains(" src=") && !page.contains(" style="),
        "it asks for nothing"
    );
}

#[test]
fn the_chart_library_is_the_package_as_it_came() {
    let hash = |text: &str| Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!("19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f", hash(UPLOT));
    assert_eq!("df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04", hash(UPLOT_STYLE));
}

#[test]
fn a_report_of_two_hours_is_small_even_where_everything_goes_wrong() {
    let mut soak = sick::sick(Kpi::ErrorRateSteady);
    for minute in 0..120 {
        for n in 0..8 {
            let answer = format!("500 {}", "é<&>".repeat(60));
            soak.happens(minute * 60_000 + n, Finding::RunFailed { run: "r".repeat(240), answer: answer.clone() });
            soak.happens(minute * 60_000 + n, Finding::NotReady { answer });
        }
    }
    let bytes = report(&soak).len();
    assert!((100_000..3_000_000).contains(&bytes), "{bytes} bytes");
}

/// Whether an incident or a verdict is of something that was measured or not: a link leads to a place that there is.
#[test]
fn links_lead_to_places_that_there_are() {
    let mut nothing = Soak::healthy(Suite::Smoke);
    nothing.intervals.clear();
    for soak in [sick(Kpi::SseGaps), nothing] {
        let page = report(&soak);
        let links: BTreeSet<&str> =
            page.split("href=\"#").skip(1).map(|rest| rest.split_once('"').unwrap().0).collect();
        assert!(links.len() >= 15, "{links:?}");
        for link in links {
            assert!(page.contains(&format!("id=\"{link}\"")), "{link} is nowhere");
        }
    }
}

#[test]
fn how_a_chart_stood_every_few_minutes_is_there_without_scripts() {
    let page = report(&sick(Kpi::RssDrift));
    let figure = page.split_once("<figure id=\"chart-gateway_rss\"").unwrap().1.split_once("</figure>").unwrap().0;
    let table = figure.split_once("<noscript>").unwrap().1.split_once("</noscript>").unwrap().0;
    assert!(table.contains("<th scope=\"col\">gateway, MB</th>"), "{table}");
    let rows = table.matches("<th scope=\"row\">T+").count();
    let numbers = table.matches("<td class=\"number\">").count();
    assert!(rows >= 24 && numbers == rows, "{rows} rows, {numbers} numbers");
}

#[test]
fn while_a_soak_goes_on_what_is_too_early_to_say_is_not_red() {
    let mut soak = Soak::healthy(Suite::Full);
    soak.intervals.truncate(60);
    soak.end = None;
    let page = live(&soak, live_html);
    assert!(!page.contains("<article class=\"red ") && page.contains(">pending</span>"), "it is too early to say");
    // A record without an end is another thing: nobody goes on with it.
    assert!(report(&soak).contains("<article class=\"red unproven\""));
    let mut sick = sick(Kpi::SseGaps);
    sick.end = None;
    assert!(live(&sick, live_html).contains("id=\"verdict-kpi-sse_gaps\""), "what has failed has failed");
}

#[test]
fn a_soak_of_nothing_has_a_page_all_the_same() {
    let mut soak = Soak::healthy(Suite::Smoke);
    soak.intervals.clear();
    soak.incidents.clear();
    soak.end = None;
    let page = report(&soak);
    assert!(page.contains("not ended") && page.contains("unproven"));
    let charts = data(&page)["charts"].clone();
    assert!(
        charts.as_array().unwrap().iter().all(|chart| chart["heat"].is_null()),
        "no latency was measured: {charts}"
    );
}
