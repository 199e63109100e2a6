//! Which charts there are, and what each shows: numbers and words, for a script that draws and a reader who cannot see.

use serde::Serialize;

use super::{
    super::FileInput,
    chart::{Chart, ChartLine, Trace, begun, format_value, limits, short},
    latencies,
};
use crate::{
    catalog::{HarnessCheck, Kpi},
    history::Grid,
    journal::{Counter, Gauge},
    plan::moment,
};

/// Everything that is input.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Charts {
    /// How far the soak has come, and how far it goes; scenario minutes.
    reached: f64,
    duration: f64,
    /// Chaos windows: from and to in scenario minutes, and which.
    windows: Vec<(f64, f64, &'static str)>,
    heartbeats: Vec<f64>,
    /// When nobody was there to measure.
    holes: Vec<(f64, f64)>,
    pub(super) charts: Vec<Chart>,
    /// The charts without data: the id and the title of each.
    #[serde(skip)]
    pub(super) unmeasured: Vec<(&'static str, &'static str)>,
}

/// The explanation of traces, in words.
const TRACED: &str = " Dots: the floor of each minute; straight line: what growth is told by.";

/// The chart that a judgement is about.
pub(super) fn chart_of(name: &str) -> Option<&'static str> {
    if let Some(kpi) = Kpi::from_name(name) {
        return Some(kpi.spec().chart);
    }
    (name == HarnessCheck::SelfDrift.name()).then_some("harness_rss")
}

/// All charts of a soak as it stands.
pub(super) fn charts(input: &FileInput<'_>) -> Charts {
    let timeline = input.timeline;
    let windows = timeline.chart_windows.all().iter().map(|w| (minutes(w.from_ms), minutes(w.to_ms), w.phase.name()));
    let mut charts = latencies::charts(input);
    charts.extend(rates(input));
    charts.extend(gauges(input));
    let unmeasured = charts.iter().filter(|chart| !chart.has_data()).map(|chart| (chart.id, chart.title)).collect();
    Charts {
        reached: minutes(timeline.scenario_ms()),
        duration: minutes(input.header.plan.duration_ms),
        windows: windows.collect(),
        heartbeats: timeline.heartbeats.values().flatten().copied().map(minutes).collect(),
        holes: timeline.holes.iter().map(|(from, to, _)| (minutes(*from), minutes(*to))).collect(),
        charts: charts.into_iter().filter(Chart::has_data).collect(),
        unmeasured,
    }
}

/// The charts of counters, step by step.
fn rates(input: &FileInput<'_>) -> Vec<Chart> {
    let series = input.series;
    let grid = series.rate_grid;
    let counted = |counter| begun(series.counter(counter), grid, input.timeline);
    let line = |(name, counter): &(&str, Counter)| {
        let values = counted(*counter).iter().map(|n| Some(f64::from(*n))).collect();
        ChartLine { name: (*name).to_owned(), values }
    };
    let happened = |kinds: &[&str]| -> Vec<ChartLine> {
        let seen = kinds.iter().map(|kind| (*kind, series.incidents().by_step(kind))).filter(|(_, n)| !n.is_empty());
        seen.map(|(kind, steps)| {
            let values = begun(steps, grid, input.timeline).iter().map(|n| Some(f64::from(*n))).collect();
            ChartLine { name: kind.replace('_', " "), values }
        })
        .collect()
    };
    let chart = |id, title, lines: Vec<ChartLine>| Chart {
        id,
        title,
        unit: "",
        says: totals(&lines),
        step_ms: grid.step_ms(),
        is_log: false,
        lines,
        targets: Vec::new(),
        traces: Vec::new(),
        heat: None,
    };
    let share = |ok: Counter, all: Counter| -> Vec<Option<f64>> {
        let both = counted(ok).iter().zip(counted(all));
        both.map(|(ok, all)| (*all > 0).then(|| short(f64::from(*ok) / f64::from(*all) * 100.0))).collect()
    };
    let ready = ChartLine { name: "answered 200".into(), values: share(Counter::ReadyOk, Counter::ReadyProbes) };
    let availability = Chart {
        unit: "%",
        says: extremes(std::slice::from_ref(&ready), grid, "%"),
        targets: limits(input, "availability"),
        ..chart("availability", "Readiness probes answered 200", vec![ready])
    };
    let runs =
        [("started", Counter::RunsStarted), ("ended", Counter::RunsEnded), ("succeeded", Counter::RunsSucceeded)];
    let reconnects = [
        ("dropped", Counter::StreamsDropped),
        ("closed in good order", Counter::StreamsClosed),
        ("attempts to come back", Counter::ReconnectAttempts),
        ("of them opened", Counter::ReconnectsOk),
    ];
    let events = [("delivered twice", Counter::EventsDuplicated), ("missed", Counter::EventsMissed)];
    let mut errors: Vec<ChartLine> =
        [("request errors", Counter::RequestErrors), ("throttled", Counter::RequestsThrottled)]
            .iter()
            .map(line)
            .collect();
    errors.extend(happened(&["run_failed", "reconnect_failed", "stream_dropped", "not_ready", "source_failed"]));
    let findings = happened(&[
        "version_not_found",
        "version_lost",
        "tamper_accepted",
        "injection_accepted",
        "pii_leaked",
        "plaintext_leaked",
        "worker_panicked",
        "stalled",
        "fatal",
    ]);
    vec![
        availability,
        chart("runs", "Runs", runs.iter().map(line).collect()),
        chart("errors", "What went wrong, by kind", errors),
        chart("reconnects", "Streams lost and brought back", reconnects.iter().map(line).collect()),
        chart("events", "Events that came twice, or not at all", events.iter().map(line).collect()),
        chart("findings", "Findings of the probes, and of the harness about itself", findings),
    ]
}

/// The charts of gauges.
fn gauges(input: &FileInput<'_>) -> Vec<Chart> {
    const MB: f64 = 1e6;
    let series = input.series;
    let grid = series.gauge_grid;
    let line = |name: &str, gauge: Gauge, per: f64| ChartLine {
        name: name.to_owned(),
        values: begun(series.gauge(gauge), grid, input.timeline)
            .iter()
            .map(|s| s.map(|s| short(s.last / per)))
            .collect(),
    };
    let greatest = |name: &str, gauge: Gauge| ChartLine {
        name: name.to_owned(),
        values: begun(series.gauge(gauge), grid, input.timeline).iter().map(|s| s.map(|s| short(s.max))).collect(),
    };
    let chart = |id, title, unit, lines: Vec<ChartLine>, traces: Vec<Trace>| Chart {
        id,
        title,
        unit,
        says: extremes(&lines, grid, unit) + if traces.is_empty() { "" } else { TRACED },
        step_ms: grid.step_ms(),
        is_log: false,
        lines,
        targets: Vec::new(),
        traces,
        heat: None,
    };
    let traces = |gauge, per| traces(input, gauge, per);
    vec![
        chart(
            "gateway_rss",
            "The gateway's memory (RSS)",
            "MB",
            vec![line("gateway", Gauge::GatewayRss, MB)],
            traces(Gauge::GatewayRss, MB),
        ),
        chart(
            "descriptors",
            "Open descriptors",
            "",
            vec![
                line("gateway", Gauge::GatewayFds, 1.0),
                line("gateway, beyond ours", Gauge::GatewayFdSurplus, 1.0),
                line("harness", Gauge::HarnessFds, 1.0),
            ],
            traces(Gauge::GatewayFdSurplus, 1.0),
        ),
        chart(
            "streams",
            "Open streams",
            "",
            vec![
                line("workspace streams that we hold", Gauge::OpenStreams, 1.0),
                line("the gateway's count", Gauge::GatewaySse, 1.0),
                line("of them beyond all of ours", Gauge::GatewaySseSurplus, 1.0),
            ],
            traces(Gauge::GatewaySseSurplus, 1.0),
        ),
        chart(
            "queue",
            "Runs waiting and under way, as the gateway counts them",
            "",
            vec![greatest("waiting", Gauge::GatewayQueueDepth), greatest("under way", Gauge::GatewayRunsConcurrent)],
            traces(Gauge::GatewayQueueDepth, 1.0),
        ),
        chart(
            "clock",
            "The gateway's clock less ours",
            "ms",
            vec![line("offset", Gauge::ClockOffset, 1.0)],
            Vec::new(),
        ),
        chart(
            "cpu",
            "Processor time, of one core",
            "%",
            vec![line("gateway", Gauge::GatewayCpu, 1.0), line("harness", Gauge::HarnessCpu, 1.0)],
            Vec::new(),
        ),
        chart(
            "harness_rss",
            "The harness's own memory (RSS)",
            "MB",
            vec![line("harness", Gauge::HarnessRss, MB)],
            traces(Gauge::HarnessRss, MB),
        ),
    ]
}

/// The data that growth was judged by: the floors, and the line through them.
fn traces(input: &FileInput<'_>, gauge: Gauge, per: f64) -> Vec<Trace> {
    #[expect(clippy::cast_precision_loss, reason = "minutes of a soak")]
    let place = |(minute, value): &(u64, f64)| (*minute as f64, short(value / per));
    let mut traces = Vec::new();
    for trace in input.glance.traces(gauge) {
        let points = trace.floors.iter().map(place).collect();
        traces.push(Trace { name: "floors", points, joined: false });
        if let Some(line) = trace.line {
            traces.push(Trace { name: "growth is told by", points: line.iter().map(place).collect(), joined: true });
        }
    }
    traces
}

fn totals(lines: &[ChartLine]) -> String {
    let total = |line: &ChartLine| line.values.iter().flatten().sum::<f64>();
    let totals = lines.iter().map(|line| format!("{} {}", format_value(total(line)), line.name));
    format!("In all {}.", totals.collect::<Vec<_>>().join(", "))
}

fn extremes(lines: &[ChartLine], grid: Grid, unit: &str) -> String {
    let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
    let said = lines.iter().filter_map(|line| {
        let values = || line.values.iter().enumerate().filter_map(|(step, value)| Some((step, (*value)?)));
        let least = values().min_by(|a, b| a.1.total_cmp(&b.1))?;
        let most = values().max_by(|a, b| a.1.total_cmp(&b.1))?;
        let last = values().next_back()?;
        let at = |step: usize| moment(step as u64 * grid.step_ms());
        Some(format!(
            "{}: least {}{unit} at {}, most {}{unit} at {}, last {}{unit}",
            line.name,
            format_value(least.1),
            at(least.0),
            format_value(most.1),
            at(most.0),
            format_value(last.1)
        ))
    });
    let said: Vec<String> = said.collect();
    if said.is_empty() { "Nothing was measured.".to_owned() } else { format!("{}.", said.join("; ")) }
}

#[expect(clippy::cast_precision_loss, reason = "minutes of a soak")]
pub(super) fn minutes(ms: u64) -> f64 {
    short_minutes(ms as f64 / 60_000.0)
}

/// To a thousandth of a minute.
fn short_minutes(minutes: f64) -> f64 {
    (minutes * 1_000.0).round() / 1_000.0
}
