//! Looks at reports.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use s2_harness::clock;
use serde_json::Value;

use crate::{
    browser::Browser,
    end::left_within,
    gateways::{Kind, MARKUP},
    reds::reds,
    soak::{AnyError, Left, Playing, Soak},
};

/// Two hours at this pace are a minute; beyond the limit something hangs.
const PACE: f64 = 120.0;
const LIMIT: Duration = Duration::from_secs(240);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Sixteen minutes in eight seconds, with all that may be answered with markup.
const SHORT: &str = "[suites]\nsmoke_duration = \"16m\"\n[w5_privacy_slice]\nfirst_at = \"2m\"\n";

/// How a chart stands: what it was given, and how much of its canvas is not empty.
const CHARTS: &str = r"
    return [...document.querySelectorAll('figure[data-chart]')].map((figure) => {
        const entry = window.s2.drawn.get(figure.dataset.chart);
        if (!entry) return { id: figure.dataset.chart, drawn: false };
        const { width, height } = entry.u.ctx.canvas;
        const pixels = entry.u.ctx.getImageData(0, 0, width, height).data;
        const left = Math.round(entry.u.bbox.left), top = Math.round(entry.u.bbox.top);
        let inked = 0;
        for (let y = top; y < top + entry.u.bbox.height; y += 2)
            for (let x = left; x < left + entry.u.bbox.width; x += 2)
                if (pixels[4 * (Math.round(y) * width + Math.round(x)) + 3] > 0) inked += 1;
        return {
            id: figure.dataset.chart, drawn: true, inked,
            lines: entry.u.data.slice(1).map((line) => line.filter((value) => value !== null).length),
            steps: entry.u.data[0].length, wide: figure.scrollWidth <= document.documentElement.clientWidth,
        };
    });
";

fn soak(kind: Kind, suite: &'static str, settings: &str, url: &str) -> Soak {
    Soak {
        folder: Path::new(env!("CARGO_TARGET_TMPDIR")).join("report").join(kind.name()),
        suite,
        pace: PACE,
        settings: settings.to_owned(),
        gateway_url: Some(url.to_owned()),
        token: "",
        log: "info",
    }
}

/// Looks, on a runtime of its own.
fn look<T>(looking: impl Future<Output = Result<T, AnyError>>) -> Result<T, AnyError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(looking)
}

fn report_of(left: &Left, suite: &str) -> Result<PathBuf, AnyError> {
    Ok(fs::canonicalize(left.folder.join(format!("out/latest-{suite}")))?.join("report.html"))
}

/// Every chart is drawn, with data and in the width there is.
async fn charts_are_drawn(browser: &Browser, least: usize) -> Result<Vec<Value>, AnyError> {
    let charts = browser.says(CHARTS).await?;
    let charts = charts.as_array().cloned().unwrap_or_default();
    for chart in &charts {
        let lines = chart["lines"].as_array().cloned().unwrap_or_default();
        let has_data = lines.iter().any(|count| count.as_u64() > Some(0));
        if chart["drawn"] != true || !has_data || chart["inked"].as_u64() < Some(100) || chart["wide"] != true {
            return Err(format!("a chart is not drawn as it should be: {chart}").into());
        }
    }
    if charts.len() < least { Err(format!("{} charts of {least}", charts.len()).into()) } else { Ok(charts) }
}

/// Nothing went wrong on the page, and it asked for nothing but itself.
async fn nothing_went_wrong(browser: &Browser, own: &str) -> Result<(), AnyError> {
    let errors = browser.errors().await?;
    if !errors.is_empty() {
        return Err(format!("the page's console: {errors:?}").into());
    }
    let foreign: Vec<String> = browser.asked_for().await?.into_iter().filter(|url| !url.starts_with(own)).collect();
    if foreign.is_empty() { Ok(()) } else { Err(format!("the page asked for {foreign:?}").into()) }
}

async fn opened(browser: &Browser, report: &Path, width: u32) -> Result<String, AnyError> {
    let url = format!("file://{}", report.display());
    browser.open(&url, width).await?;
    browser.until("charts", "return window.s2 !== undefined && window.s2.drawn.size > 0").await?;
    Ok(url)
}

/// A file that a session is to write.
fn awaited(playing: &Playing, name: &str) -> Result<String, AnyError> {
    let began = clock::now();
    loop {
        if let Ok(text) = fs::read_to_string(playing.out().join(name)) {
            return Ok(text);
        }
        if clock::now().saturating_duration_since(began) > LIMIT {
            return Err(format!("there is no {name} in {}", playing.out().display()).into());
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

pub(crate) fn a_healthy_soak() -> Result<(), AnyError> {
    let gateway = Kind::Healthy.start()?;
    let soak = soak(Kind::Healthy, "full", "", &gateway.url);
    let mut command = soak.command()?;
    command.env("S2_LIVE", "127.0.0.1:0");
    let playing = soak.start_by(command)?;
    let url = awaited(&playing, "latest-full/live-url")?.trim().to_owned();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let browser = runtime.block_on(async {
        let browser = Browser::start().await?;
        live(&browser, &url).await?;
        Ok::<_, AnyError>(browser)
    })?;
    let left = left_within(LIMIT, playing)?;
    if left.folder.join("out/latest-full/live-url").exists() {
        return Err("the address of a page that is gone was left".into());
    }
    if !left.status.success() {
        return Err(format!("{}: {}", left.folder.display(), left.status).into());
    }
    let says_where = |line: &str| line.contains("[HEARTBEAT]") && line.contains(&url);
    let is_told = |(path, text): &(PathBuf, Vec<u8>)| {
        path.extension().is_some_and(|it| it == "log") && String::from_utf8_lossy(text).lines().any(says_where)
    };
    if !left.files()?.iter().any(is_told) {
        return Err("no heartbeat says where the live page is".into());
    }
    runtime.block_on(async {
        let report = report_of(&left, "full")?;
        for width in [1280, 400] {
            let url = opened(&browser, &report, width).await?;
            charts_are_drawn(&browser, 20).await?;
            nothing_went_wrong(&browser, &url).await?;
            browser.keep(&left.folder.join(format!("healthy-{width}.png"))).await?;
        }
        // As a person without a mouse: a chart's numbers by its keys, and as a table.
        browser.says("document.querySelector('#chart-gateway_rss .plot').focus(); return true").await?;
        browser.press(&['\u{e014}', '\u{e014}', '\u{e014}']).await?;
        let read = "return document.querySelector('#chart-gateway_rss .u-legend').textContent";
        let said = browser.says(read).await?;
        if !said.as_str().unwrap_or_default().contains("T+00:40") {
            return Err(format!("three steps along the chart it says {said}").into());
        }
        browser.says("document.querySelector('#chart-gateway_rss details').open = true; return true").await?;
        browser
            .until("a table", "return document.querySelectorAll('#chart-gateway_rss .numbers tbody tr').length >= 360")
            .await?;
        browser.close().await
    })
}

/// The page of a soak that goes on: its charts move, and what it says comes without being asked for.
async fn live(browser: &Browser, url: &str) -> Result<(), AnyError> {
    browser.open(url, 1280).await?;
    browser.until("the session speaks", "return document.body.dataset.live === 'open'").await?;
    browser.until("charts", "return window.s2.drawn.size >= 15").await?;
    let steps = "return window.s2.drawn.get('gateway_rss').u.data[0].length";
    let before = browser.says(steps).await?;
    browser.until("they move", &format!("{steps} >= {before} + 10")).await?;
    let clock = "return document.getElementById('clock').textContent.includes('T+')";
    browser.until("the clock", clock).await?;
    charts_are_drawn(browser, 15).await?;
    nothing_went_wrong(browser, url).await?;
    // As a Prometheus would, but from the page: it may ask where it comes from.
    browser
        .says("fetch('metrics').then((answer) => answer.text()).then((text) => (window.metrics = text)); return true")
        .await?;
    browser.until("the numbers", "return typeof window.metrics === 'string'").await?;
    let metrics = browser.says("return window.metrics").await?;
    let metrics = metrics.as_str().unwrap_or_default();
    let is_there = |name: &str| metrics.lines().any(|line| line.starts_with(name) && line.contains("suite=\"full\""));
    for name in ["s2_scenario_seconds", "s2_judgement_value", "s2_counter", "s2_latency_seconds"] {
        if !is_there(name) {
            return Err(format!("{name} is not in\n{metrics}").into());
        }
    }
    Ok(())
}

pub(crate) fn three_defects() -> Result<(), AnyError> {
    let gateway = Kind::Sick.start()?;
    let left = left_within(LIMIT, soak(Kind::Sick, "full", "", &gateway.url).start()?)?;
    let reds = reds(&left.results()?)?;
    if left.status.success() || ["rss_drift", "start_to_log_p99", "sse_gaps"].iter().any(|kpi| !reds.contains_key(*kpi))
    {
        return Err(format!("{}: red are {:?}", left.status, reds.keys()).into());
    }
    look(async {
        let report = report_of(&left, "full")?;
        let browser = Browser::start().await?;
        let url = opened(&browser, &report, 1280).await?;
        charts_are_drawn(&browser, 20).await?;
        for (kpi, chart) in [("rss_drift", "gateway_rss"), ("start_to_log_p99", "start_to_log"), ("sse_gaps", "events")]
        {
            // The link leads to the chart, at the moment since when.
            let link = format!("#verdict-kpi-{kpi} a[data-at]");
            browser.says(&format!("document.querySelector('{link}').click(); return true")).await?;
            let there = format!(
                "const box = document.querySelector('#chart-{chart}').getBoundingClientRect();
                 return location.hash === '#chart-{chart}' && box.top < innerHeight && box.bottom > 0"
            );
            browser.until("the chart is in sight", &there).await?;
            let at = format!(
                "const at = Number(document.querySelector('{link}').dataset.at) / 60000;
                 const x = window.s2.drawn.get('{chart}').u.scales.x;
                 return x.min <= at && at <= x.max && x.max - x.min < 40"
            );
            browser.until("the moment is looked at", &at).await?;
        }
        // Escape leaves the closer look.
        browser.says("document.querySelector('#chart-events .plot').focus(); return true").await?;
        browser.press(&['\u{e00c}']).await?;
        let whole = "const x = window.s2.drawn.get('events').u.scales.x; return x.min === 0 && x.max >= 120";
        browser.until("the whole soak", whole).await?;
        // The filter, by the keyboard alone.
        let rows = "[...document.querySelectorAll('#incidents tbody tr')]";
        browser.says("document.querySelector('input[name=kind][value=event_missed]').focus(); return true").await?;
        browser.press(&[' ']).await?;
        let gone =
            format!("return {rows}.filter((row) => row.dataset.kind === 'event_missed').every((row) => row.hidden)");
        browser.until("they are filtered out", &gone).await?;
        browser.says("document.querySelector('input[name=says]').focus(); return true").await?;
        browser.press(&"chaos".chars().collect::<Vec<_>>()).await?;
        let only = format!(
            "const shown = {rows}.filter((row) => !row.hidden); return shown.length > 0 && shown.every((row) => row.textContent.includes('chaos'))"
        );
        browser.until("only those that say so", &only).await?;
        nothing_went_wrong(&browser, &url).await?;
        browser.keep(&left.folder.join("sick.png")).await?;
        browser.close().await
    })
}

pub(crate) fn what_a_gateway_says_is_text() -> Result<(), AnyError> {
    let gateway = Kind::Markup.start()?;
    let left = left_within(LIMIT, soak(Kind::Markup, "smoke", SHORT, &gateway.url).start()?)?;
    let has_said = |record: &Value| record["record"] == "incident" && record.to_string().contains("window.ran");
    if left.journal()?.iter().filter(|record| has_said(record)).count() < 5 {
        return Err("the journal has little of what the gateway said".into());
    }
    look(async {
        let report = report_of(&left, "smoke")?;
        let browser = Browser::start().await?;
        let url = opened(&browser, &report, 1280).await?;
        // It is there, as text, from several places of the gateway's.
        let shown = format!(
            "const text = {};
             return [...document.querySelectorAll('#incidents tbody tr')].filter((row) => row.textContent.includes(text.slice(0, 40))).length >= 5",
            Value::from(MARKUP)
        );
        browser.until("what it said is shown", &shown).await?;
        let alien = "return document.querySelectorAll('img, b, td script, [onclick], [onerror]').length";
        let (alien, ran) = (browser.says(alien).await?, browser.says("return window.ran === undefined").await?);
        if alien != 0 || ran != true {
            return Err(format!("{alien} elements came with it; nothing ran: {ran}").into());
        }
        nothing_went_wrong(&browser, &url).await?;
        browser.close().await
    })
}
