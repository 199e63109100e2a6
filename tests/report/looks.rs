//! Looks at reports.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;
use testkit::{AnyError, Left, Playing, Soak, reds, wait};

use crate::report::{browser::Browser, gateways::Kind};

/// Two hours at this pace are a minute; beyond the limit something hangs.
const PACE: f64 = 120.0;
pub(crate) const LIMIT: Duration = Duration::from_secs(240);
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(50);

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
        const [axis, ctx] = [entry.u.axes[1], entry.u.ctx];
        ctx.save();
        ctx.font = '12px system-ui';
        const labels = axis._values.filter((label) => label).map((label) => ctx.measureText(label).width);
        ctx.restore();
        return {
            id: figure.dataset.chart, drawn: true, inked,
            room: axis._size - axis.ticks.size - axis.gap - Math.max(...labels),
            lines: entry.u.data.slice(1).map((line) => line.filter((value) => value !== null).length),
            steps: entry.u.data[0].length, wide: figure.scrollWidth <= document.documentElement.clientWidth,
        };
    });
";

/// The two hours, at a gateway.
pub(crate) fn soak(kind: Kind, pace: f64, url: &str) -> Soak {
    Soak {
        folder: folder().join(kind.name()),
        suite: "full",
        pace,
        settings: String::new(),
        gateway_url: Some(url.to_owned()),
        token: "",
        log: "info",
    }
}

/// Where all is left.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("report")
}

/// Looks, on a runtime of its own.
pub(crate) fn look<T>(looking: impl Future<Output = Result<T, AnyError>>) -> Result<T, AnyError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(looking)
}

pub(crate) fn report_of(left: &Left) -> Result<PathBuf, AnyError> {
    Ok(fs::canonicalize(left.folder.join("out/latest-full"))?.join("report.html"))
}

/// Every chart is drawn, with data and in the width there is.
async fn charts_are_drawn(browser: &Browser, least: usize) -> Result<Vec<Value>, AnyError> {
    let charts = browser.says(CHARTS).await?;
    let charts = charts.as_array().cloned().unwrap_or_default();
    for chart in &charts {
        let lines = chart["lines"].as_array().cloned().unwrap_or_default();
        let has_data = lines.iter().any(|count| count.as_u64() > Some(0));
        let (is_inked, has_room) = (chart["inked"].as_u64() >= Some(100), chart["room"].as_f64() >= Some(0.0));
        if chart["drawn"] != true || !has_data || !is_inked || !has_room || chart["wide"] != true {
            return Err(format!("a chart is not drawn as it should be: {chart}").into());
        }
    }
    if charts.len() < least { Err(format!("{} charts of {least}", charts.len()).into()) } else { Ok(charts) }
}

/// What a reader without good eyes would not be able to read: text that stands out from what is behind it by less than
/// WCAG 2 asks for (1.4.3, contrast).
const PALE: &str = r"
    const rgb = (colour) => colour.match(/[\d.]+/g).map(Number);
    const light = (colour) => {
        const [r, g, b] = rgb(colour).map((n) => (n / 255 <= 0.04045 ? n / 255 / 12.92 : ((n / 255 + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (element) => {
        const colour = getComputedStyle(element).backgroundColor;
        return rgb(colour)[3] === 0 ? behind(element.parentElement) : colour;
    };
    const isDark = light(getComputedStyle(document.body).backgroundColor) < 0.1;
    const pale = [...document.querySelectorAll('p, a, h3, .badge, pre, .says, .counts span, th, td, .u-label')].filter((element) => {
        const [one, other] = [light(getComputedStyle(element).color), light(behind(element))];
        return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05) < 4.5;
    });
    return { isDark, pale: pale.map((element) => element.outerHTML.slice(0, 80)) };
";

/// All that is written can be read, in the scheme that the reader prefers and in the width there is, and links lead
/// somewhere.
pub(crate) async fn text_is_readable(browser: &Browser, scheme: &str) -> Result<(), AnyError> {
    let read = browser.says(PALE).await?;
    if read["isDark"] != (scheme == "dark") || read["pale"].as_array().is_none_or(|pale| !pale.is_empty()) {
        return Err(format!("preferring {scheme}: {read}").into());
    }
    let wide = "const { scrollWidth, clientWidth } = document.documentElement; return scrollWidth - clientWidth";
    let wide = browser.says(wide).await?;
    let astray = "return [...document.querySelectorAll('a')].map((link) => link.getAttribute('href'))
        .filter((to) => !to.startsWith('#') || !document.getElementById(to.slice(1)))";
    let astray = browser.says(astray).await?;
    if wide != 0 || astray.as_array().is_none_or(|astray| !astray.is_empty()) {
        return Err(format!("too wide by {wide}; links that lead nowhere: {astray}").into());
    }
    Ok(())
}

/// What the page shows as red is what the results say is red.
async fn red_is(browser: &Browser, reds: &BTreeMap<String, Value>) -> Result<(), AnyError> {
    let names = "return [...document.querySelectorAll('article.red')].map((it) => it.id.split('-').pop())";
    let names = browser.says(names).await?;
    let shown: BTreeSet<&str> = names.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let is_same = shown.iter().copied().eq(reds.keys().map(String::as_str));
    if is_same { Ok(()) } else { Err(format!("red are {:?}, and shown are {shown:?}", reds.keys()).into()) }
}

/// Nothing went wrong on the page, and it asked for nothing but itself.
pub(crate) async fn nothing_went_wrong(browser: &Browser, own: &str) -> Result<(), AnyError> {
    let errors = browser.errors().await?;
    if !errors.is_empty() {
        return Err(format!("the page's console: {errors:?}").into());
    }
    let foreign: Vec<String> = browser.asked_for().await?.into_iter().filter(|url| !url.starts_with(own)).collect();
    if foreign.is_empty() { Ok(()) } else { Err(format!("the page asked for {foreign:?}").into()) }
}

pub(crate) async fn opened(browser: &Browser, report: &Path, width: u32) -> Result<String, AnyError> {
    let url = format!("file://{}", report.display());
    browser.open(&url, width).await?;
    browser.until("charts", "return window.s2 !== undefined && window.s2.drawn.size > 0").await?;
    Ok(url)
}

/// A file that a session is to write.
pub(crate) fn awaited(playing: &Playing, name: &str) -> Result<String, AnyError> {
    let path = playing.out().join(name);
    wait(&format!("{} is written", path.display()), LIMIT, || fs::read_to_string(&path).ok())
}

pub(crate) fn a_healthy_soak() -> Result<(), AnyError> {
    let gateway = Kind::Healthy.start()?;
    let soak = soak(Kind::Healthy, PACE, &gateway.ready_line);
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
    let left = playing.left_within(LIMIT)?;
    if left.folder.join("out/latest-full/live-url").exists() {
        return Err("the address of a page that is gone was left".into());
    }
    let reds = reds(&left.results()?)?;
    let says_where = |line: &str| line.contains("[HEARTBEAT]") && line.contains(&url);
    let is_told = |(path, text): &(PathBuf, Vec<u8>)| {
        path.extension().is_some_and(|it| it == "log") && String::from_utf8_lossy(text).lines().any(says_where)
    };
    if !left.files()?.iter().any(is_told) {
        return Err("no heartbeat says where the live page is".into());
    }
    runtime.block_on(async {
        let report = report_of(&left)?;
        for (scheme, width) in [("dark", 400), ("dark", 1280), ("light", 400), ("light", 1280)] {
            browser.prefer(scheme).await?;
            let url = opened(&browser, &report, width).await?;
            charts_are_drawn(&browser, 20).await?;
            text_is_readable(&browser, scheme).await?;
            red_is(&browser, &reds).await?;
            nothing_went_wrong(&browser, &url).await?;
            browser.keep(&left.folder.join(format!("healthy-{scheme}-{width}.png"))).await?;
        }
        // The first that a keyboard comes to is the way past what leads there.
        browser.press(&['\u{e004}', '\u{e007}']).await?;
        browser.until("the way to the verdicts", "return location.hash === '#verdicts'").await?;
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
        // And as one whose browser runs no scripts: numbers are there all the same.
        browser.run_scripts(false).await?;
        browser.open(&format!("file://{}", report.display()), 1280).await?;
        let without = "const figures = [...document.querySelectorAll('figure[data-chart]')];
            return window.s2 === undefined && figures.length >= 20 &&
                figures.every((figure) => figure.querySelectorAll('.numbers tbody tr').length >= 24)";
        browser.until("tables without scripts", without).await?;
        browser.run_scripts(true).await?;
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
    text_is_readable(browser, "light").await?;
    // What is too early to say is not red.
    let early =
        "return document.querySelectorAll('article.red.unproven, article.red[id^=verdict-workload]').length === 0
        && document.querySelectorAll('#verdicts tr.pending').length >= 10";
    browser.until("what is to come is pending", early).await?;
    nothing_went_wrong(browser, url).await?;
    browser.keep(&folder().join("healthy/live.png")).await?;
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
    let left = soak(Kind::Sick, PACE, &gateway.ready_line).start()?.left_within(LIMIT)?;
    let reds = reds(&left.results()?)?;
    if left.status.success() || ["rss_drift", "start_to_log_p99", "sse_gaps"].iter().any(|kpi| !reds.contains_key(*kpi))
    {
        return Err(format!("{}: red are {:?}", left.status, reds.keys()).into());
    }
    look(async {
        let report = report_of(&left)?;
        let browser = Browser::start().await?;
        let url = opened(&browser, &report, 1280).await?;
        charts_are_drawn(&browser, 20).await?;
        text_is_readable(&browser, "light").await?;
        red_is(&browser, &reds).await?;
        // And since when: now and then, from half way on, and from the gateway's restart on.
        for (kpi, since) in [
            ("sse_gaps", r"^Since T\+\d+:\d\d, stream"),
            ("rss_drift", r"^Since T\+[6789]\d:\d\d, level until T\+(5[4-9]|6[0-6]):"),
            ("start_to_log_p99", r"^Since T\+[78]\d:\d\d, in the gateway_restart window"),
        ] {
            let says = format!(
                "const said = [...document.querySelectorAll('#verdict-kpi-{kpi} p')].map((p) => p.innerText);
                 return said.some((text) => /{since}/.test(text)) || said.join(' | ')"
            );
            let said = browser.says(&says).await?;
            if said != true {
                return Err(format!("{kpi} should say {since:?}, and says {said}").into());
            }
        }
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
        browser.says("[...document.querySelectorAll('input[name=kind]')].pop().focus(); return true").await?;
        browser.press(&['\u{e004}']).await?;
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
