//! The list of charts, and their content: numbers for a script that draws, and words for a reader who cannot see.

use serde::Serialize;

use super::{
    super::FileInput,
    chart::{Chart, ChartLine, Trace, begun, limits, short},
    latencies,
};
use crate::{
    catalog::{HarnessCheck, Kpi},
    history::Grid,
    journal::{Counter, Gauge},
    plan::moment,
};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Charts {
    /// The time of the soak and its planned duration; scenario minutes.
    reached: f64,
    duration: f64,
    /// Chaos windows: start and end in scenario minutes, and the phase.
    windows: Vec<(f64, f64, &'static str)>,
    heartbeats: Vec<f64>,
    /// Times without a session.
    holes: Vec<(f64, f64)>,
    pub(super) charts: Vec<Chart>,
    /// The charts without data: the id and the title of each.
    #[serde(skip)]
    pub(super) unmeasured: Vec<(&'static str, &'static str)>,
}

const TRACED: &str = " Dots: the floor of each minute; straight line: what growth is told by.";

/// The chart that a judgement is about.
pub(super) fn chart_of(name: &str) -> Option<&'static str> {
    let of_kpi = Kpi::from_name(name).map(|kpi| kpi.spec().chart);
    of_kpi.or_else(|| (name == HarnessCheck::SelfDrift.name()).then_some("harness_rss"))
}

pub(super) fn charts(input: &FileInput<'_>) -> Charts {
    let timeline = input.timeline;
    let windows = timeline.chart_windows.all().iter().map(|w| (minutes(w.from_ms), minutes(w.to_ms), w.phase.name()));
    let mut charts = latencies::charts(input);
    charts.extend(rates(input));
    charts.extend(gauges(input));
    let (charts, unmeasured): (Vec<_>, Vec<_>) = charts.into_iter().partition(Chart::has_data);
    Charts {
        reached: minutes(timeline.scenario_ms()),
        duration: minutes(input.header.plan.duration_ms),
        windows: windows.collect(),
        heartbeats: timeline.heartbeats.values().flatten().copied().map(minutes).collect(),
        holes: timeline.holes.iter().map(|(from, to, _)| (minutes(*from), minutes(*to))).collect(),
        charts,
        unmeasured: unmeasured.iter().map(|chart| (chart.id, chart.title)).collect(),
    }
}

/// The charts of counters, step by step.
fn rates(input: &FileInput<'_>) -> Vec<Chart> {
    let series = input.series;
    let grid = series.rate_grid;
    let counted = |counter| begun(series.counter(counter), grid, input.timeline);
    let lines = |counters: &[(&str, Counter)]| -> Vec<ChartLine> {
        counters.iter().map(|(name, counter)| counts((*name).to_owned(), counted(*counter))).collect()
    };
    let happened = |kinds: &[&str]| -> Vec<ChartLine> {
        let seen = kinds.iter().map(|kind| (kind, series.incidents().by_step(kind))).filter(|(_, n)| !n.is_empty());
        seen.map(|(kind, steps)| counts(kind.replace('_', " "), begun(steps, grid, input.timeline))).collect()
    };
    let chart = |id, title, lines: Vec<ChartLine>| {
        let says = totals(&lines);
        Chart { id, title, says, step_ms: grid.step_ms(), lines, ..Chart::default() }
    };
    let probes = counted(Counter::ReadyOk).iter().zip(counted(Counter::ReadyProbes));
    let share = |(ok, all): (&u32, &u32)| (*all > 0).then(|| short(f64::from(*ok) / f64::from(*all) * 100.0));
    let ready = ChartLine { name: "answered 200".into(), values: probes.map(share).collect() };
    let availability = Chart {
        unit: "%",
        says: extremes(std::slice::from_ref(&ready), grid, "%"),
        targets: limits(input, "availability"),
        ..chart("availability", "Readiness probes answered 200", vec![ready])
    };
    let runs = lines(&[
        ("started", Counter::RunsStarted),
        ("ended", Counter::RunsEnded),
        ("succeeded", Counter::RunsSucceeded),
    ]);
    let reconnects = lines(&[
        ("dropped", Counter::StreamsDropped),
        ("closed in good order", Counter::StreamsClosed),
        ("attempts to come back", Counter::ReconnectAttempts),
        ("of them opened", Counter::ReconnectsOk),
    ]);
    let events = lines(&[("delivered twice", Counter::EventsDuplicated), ("missed", Counter::EventsMissed)]);
    let mut errors = lines(&[("request errors", Counter::RequestErrors), ("throttled", Counter::RequestsThrottled)]);
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
        chart("runs", "Runs", runs),
        chart("errors", "What went wrong, by kind", errors),
        chart("reconnects", "Streams lost and brought back", reconnects),
        chart("events", "Events that came twice, or not at all", events),
        chart("findings", "Findings of the probes, and of the harness about itself", findings),
    ]
}

fn counts<T: Copy + Into<f64>>(name: String, steps: &[T]) -> ChartLine {
    ChartLine { name, values: steps.iter().map(|n| Some((*n).into())).collect() }
}

/// The charts of gauges. One whose growth is judged has the floors, and the line through them, of that gauge.
fn gauges(input: &FileInput<'_>) -> Vec<Chart> {
    let grid = input.series.gauge_grid;
    let chart = |id, title, unit, of: &[(&str, Gauge)], grown: Option<Gauge>| {
        let per = if unit == "MB" { 1e6 } else { 1.0 };
        let line = |(name, gauge): &(&str, Gauge)| {
            let steps = begun(input.series.gauge(*gauge), grid, input.timeline);
            // A queue may be long for a moment only.
            let is_greatest = matches!(gauge, Gauge::GatewayQueueDepth | Gauge::GatewayRunsConcurrent);
            let values =
                steps.iter().map(|step| step.map(|step| short((if is_greatest { step.max } else { step.last }) / per)));
            ChartLine { name: (*name).to_owned(), values: values.collect() }
        };
        let lines: Vec<ChartLine> = of.iter().map(line).collect();
        let traces = grown.map(|gauge| traces(input, gauge, per)).unwrap_or_default();
        let says = extremes(&lines, grid, unit) + if traces.is_empty() { "" } else { TRACED };
        Chart { id, title, unit, says, step_ms: grid.step_ms(), lines, traces, ..Chart::default() }
    };
    let (rss, own_rss) = (Gauge::GatewayRss, Gauge::HarnessRss);
    let descriptors = [
        ("gateway", Gauge::GatewayFds),
        ("gateway, beyond ours", Gauge::GatewayFdSurplus),
        ("harness", Gauge::HarnessFds),
    ];
    let streams = [
        ("workspace streams that we hold", Gauge::OpenStreams),
        ("the gateway's count", Gauge::GatewaySse),
        ("of them beyond all of ours", Gauge::GatewaySseSurplus),
    ];
    let queue = [("waiting", Gauge::GatewayQueueDepth), ("under way", Gauge::GatewayRunsConcurrent)];
    let queue_title = "Runs waiting and under way, as the gateway counts them";
    let cpu = [("gateway", Gauge::GatewayCpu), ("harness", Gauge::HarnessCpu)];
    vec![
        chart("gateway_rss", "The gateway's memory (RSS)", "MB", &[("gateway", rss)], Some(rss)),
        chart("descriptors", "Open descriptors", "", &descriptors, Some(Gauge::GatewayFdSurplus)),
        chart("streams", "Open streams", "", &streams, Some(Gauge::GatewaySseSurplus)),
        chart("queue", queue_title, "", &queue, Some(Gauge::GatewayQueueDepth)),
        chart("clock", "The gateway's clock less ours", "ms", &[("offset", Gauge::ClockOffset)], None),
        chart("cpu", "Processor time, of one core", "%", &cpu, None),
        chart("harness_rss", "The harness's own memory (RSS)", "MB", &[("harness", own_rss)], Some(own_rss)),
    ]
}

/// The data that growth was judged by: the floors, and the line through them.
fn traces(input: &FileInput<'_>, gauge: Gauge, per: f64) -> Vec<Trace> {
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
    let totals = lines.iter().map(|line| format!("{} {}", short(total(line)), line.name));
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
            short(least.1),
            at(least.0),
            short(most.1),
            at(most.0),
            short(last.1)
        ))
    });
    let said: Vec<String> = said.collect();
    if said.is_empty() { "Nothing was measured.".to_owned() } else { format!("{}.", said.join("; ")) }
}

/// Minutes, to a thousandth.
fn minutes(ms: u64) -> f64 {
    (ms as f64 / 60_000.0 * 1_000.0).round() / 1_000.0
}
