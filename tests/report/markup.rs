//! Markup from a gateway is text, wherever it comes to stand: on the live page, in the report, and in that of a journal
//! that has it in every text.

use std::{
    fs,
    path::{Path, PathBuf},
};

use s2_harness::journal::Record;
use serde_json::{Value, json};
use testkit::{AnyError, Left, rejudge};

use crate::report::{
    browser::Browser,
    gateways::{Kind, MARKUP},
    looks::{LIMIT, awaited, look, nothing_went_wrong, opened, report_of, soak, text_is_readable},
};

/// The two hours in fifteen seconds: it is texts that are looked at.
const PACE: f64 = 480.0;

/// Incidents whose texts are a gateway's, in whole or in part, beside those that a soak has by itself.
fn incidents() -> [Value; 19] {
    let m = MARKUP;
    [
        json!({ "kind": "not_ready", "answer": m }),
        json!({ "kind": "run_failed", "run": m, "answer": m }),
        json!({ "kind": "request_failed", "workload": "w1_realistic_runs", "route": m, "subject": m, "answer": m }),
        json!({ "kind": "stream_dropped", "stream": m, "answer": m }),
        json!({ "kind": "reconnect_failed", "stream": m, "attempt": 1, "answer": m }),
        json!({ "kind": "event_duplicated", "stream": m, "run": m, "id": m, "same_id": false }),
        json!({ "kind": "event_missed", "stream": m, "run": m, "id": m, "seen_by": 19 }),
        json!({ "kind": "version_found", "pulse": 0, "version": m }),
        json!({ "kind": "version_not_found", "version": m, "waited_ms": 1, "answer": m }),
        json!({ "kind": "version_lost", "version": m, "workspace": m, "answer": m }),
        json!({ "kind": "tamper_accepted", "version": m, "answer": m }),
        json!({ "kind": "injection_accepted", "probe": m, "run": m, "answer": m }),
        json!({ "kind": "pii_leaked", "probe": m, "run": m, "place": m }),
        json!({ "kind": "plaintext_leaked", "run": m, "place": m }),
        json!({ "kind": "metric_missing", "name": m }),
        json!({ "kind": "gateway_restarted", "before": m, "after": m }),
        json!({ "kind": "other_process", "before": m, "after": m }),
        json!({ "kind": "processes_read", "root": m, "how": m }),
        json!({ "kind": "fatal", "message": m }),
    ]
}

pub(crate) fn what_a_gateway_says() -> Result<(), AnyError> {
    let gateway = Kind::Markup.start()?;
    let soak = soak(Kind::Markup, PACE, &gateway.ready_line);
    let mut command = soak.command()?;
    command.env("S2_LIVE", "127.0.0.1:0");
    let playing = soak.start_by(command)?;
    let live = awaited(&playing, "latest-full/live-url")?.trim().to_owned();
    look(async {
        let browser = Browser::start().await?;
        browser.open(&live, 1280).await?;
        browser.until("the session speaks", "return document.body.dataset.live === 'open'").await?;
        browser.until("what it said is shown", &rows(5)).await?;
        only_text(&browser, &live).await?;
        let left = playing.left_within(LIMIT)?;
        let report = report_of(&left)?;
        let url = opened(&browser, &report, 1280).await?;
        browser.until("what it said is shown", &rows(5)).await?;
        only_text(&browser, &url).await?;
        let everywhere = report_of_markup(&left)?;
        for width in [1280, 400] {
            let url = opened(&browser, &everywhere, width).await?;
            for incident in incidents() {
                let kind = incident["kind"].as_str().unwrap_or_default();
                browser.until(kind, &shows(&format!("#incidents tr[data-kind={kind}]"))).await?;
            }
            for place in [".red pre", ".fatal", "#verdicts dl dd", "#about td"] {
                browser.until(place, &shows(place)).await?;
            }
            text_is_readable(&browser, "light").await?;
            only_text(&browser, &url).await?;
        }
        browser.close().await
    })
}

/// Whether so many incidents show what the gateway said.
fn rows(least: usize) -> String {
    let begin = Value::from(MARKUP.split_at(40).0);
    format!(
        "return [...document.querySelectorAll('#incidents tbody tr')].filter((row) => row.textContent.includes({begin})).length >= {least}"
    )
}

/// Whether one of the elements has the whole of it as text.
fn shows(selector: &str) -> String {
    let markup = Value::from(MARKUP);
    format!("return [...document.querySelectorAll('{selector}')].some((it) => it.textContent.includes({markup}))")
}

/// No element came with it, nothing ran, and nothing had to be forbidden.
async fn only_text(browser: &Browser, own: &str) -> Result<(), AnyError> {
    let alien =
        "return [...document.querySelectorAll('img, b, body script script, td script, [onclick], [onerror]')].length";
    let (alien, ran) = (browser.says(alien).await?, browser.says("return window.ran !== undefined").await?);
    if alien != 0 || ran != false {
        return Err(format!("{own}: {alien} elements came with it; it ran: {ran}").into());
    }
    nothing_went_wrong(browser, own).await
}

/// The report of a soak whose journal has markup in every text, and an incident of every kind that a gateway can bring
/// about.
fn report_of_markup(left: &Left) -> Result<PathBuf, AnyError> {
    let mut records = left.journal()?;
    let end = records.pop().ok_or("the journal is empty")?;
    for (n, incident) in incidents().into_iter().enumerate() {
        let mut record = json!({ "record": "incident", "at_ms": 600_000 + n, "phase": "steady" });
        if let (Some(record), Value::Object(incident)) = (record.as_object_mut(), incident) {
            record.extend(incident);
        }
        records.push(record);
    }
    records.push(end);
    records.iter_mut().for_each(say_markup);
    let lines = records.iter().map(|record| {
        // It is a journal: a kind or a field that there is not would not be looked at.
        serde_json::from_value::<Record>(record.clone()).map_err(|error| format!("{error}: {record}"))?;
        Ok(format!("{record}\n"))
    });
    let lines: String = lines.collect::<Result<_, AnyError>>()?;
    let folder = left.folder.join("everywhere");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("journal.ndjson"), lines)?;
    let mut command = rejudge(&folder.join("journal.ndjson"), &folder)?;
    let said = command.env("S2_CONFIG", left.folder.join("soak.toml")).output()?;
    let files = fs::read_dir(&folder)?.filter_map(|entry| Some(entry.ok()?.path()));
    let is_page = |path: &Path| path.extension().is_some_and(|extension| extension == "html");
    let mut pages = files.filter(|path| is_page(path));
    let page = pages.next().ok_or_else(|| format!("no report: {}", String::from_utf8_lossy(&said.stderr)))?;
    Ok(fs::canonicalize(page)?)
}

/// Every text of a record that is not one of S2's own words.
fn say_markup(record: &mut Value) {
    let texts: &[&str] = match record["record"].as_str() {
        Some("header") => &["gateway_url", "config", "workspace"],
        Some("interval") => &["subject", "gateway_life"],
        Some("incident") => &[
            "run",
            "answer",
            "route",
            "subject",
            "stream",
            "id",
            "version",
            "workspace",
            "probe",
            "place",
            "source",
            "name",
            "before",
            "after",
            "evidence",
            "message",
        ],
        _ => &[],
    };
    walk(record, texts);
}

fn walk(value: &mut Value, texts: &[&str]) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if texts.contains(&name.as_str()) => MARKUP.clone_into(text),
                    other => walk(other, texts),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| walk(value, texts)),
        _ => {}
    }
}
