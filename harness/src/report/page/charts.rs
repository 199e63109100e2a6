//! Which charts there are, and what each shows: numbers and words, for a script that draws and a reader who cannot see.

use serde::Serialize;

use super::{
    super::course::{Cell, Course, Grid, Latency, edge_ms},
    Glance,
};
use crate::{
    journal::{Counter, Gauge, Source, Timing},
    judge::Targets,
    plan::{HarnessCheck, Kpi, Plan, moment},
};

/// Everything that is drawn.
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
    /// What nothing was measured of: the id and the title of each.
    #[serde(skip)]
    pub(super) unmeasured: Vec<(&'static str, &'static str)>,
}

/// One chart.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Chart {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) unit: &'static str,
    /// What it shows, in words.
    pub(super) says: String,
    /// The length of a step, scenario milliseconds. The first begins at 0.
    pub(super) step_ms: u64,
    is_log: bool,
    pub(super) lines: Vec<Line>,
    /// Limits, each with what it is.
    targets: Vec<(&'static str, f64)>,
    /// Lines and points with places of their own: floors, and the line that growth is told by.
    traces: Vec<Trace>,
    heat: Option<Heat>,
}

#[derive(Debug, Serialize)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) values: Vec<Option<f64>>,
}

#[derive(Debug, Serialize)]
struct Trace {
    name: &'static str,
    points: Vec<(f64, f64)>,
    joined: bool,
}

/// How many samples were how long, step by step: the step, the bucket and the count of each that has any.
#[derive(Debug, Serialize)]
struct Heat {
    edges: Vec<f64>,
    cells: Vec<(usize, usize, u32)>,
}

/// What traces are, in words.
const TRACED: &str = " Dots: the floor of each minute; straight line: what growth is told by.";

/// Of how many of a histogram's buckets one of the heat map is made.
const HEAT_BUCKETS: usize = 4;

/// What a chart is made of.
#[derive(Clone, Copy)]
pub(super) struct Drawn<'a> {
    pub(super) plan: &'a Plan,
    pub(super) targets: &'a Targets,
    pub(super) glance: &'a Glance,
    pub(super) course: &'a Course,
}

/// The chart that a judgement is about.
pub(super) fn chart_of(name: &str) -> Option<&'static str> {
    if let Some(kpi) = Kpi::from_name(name) {
        return Some(match kpi {
            Kpi::Availability => "availability",
            Kpi::RunSuccess => "runs",
            Kpi::StartToLogP95 | Kpi::StartToLogP99 => "start_to_log",
            Kpi::JudgeP95 => "judge",
            Kpi::ShieldP95 => "shield",
            Kpi::SseWriteP99 => "sse_write",
            Kpi::SseReconnectSuccess | Kpi::SseReconnectRate => "reconnects",
            Kpi::SseDuplicates | Kpi::SseGaps => "events",
            Kpi::ErrorRateSteady | Kpi::ErrorRateChaos => "errors",
            Kpi::PublishSearchDelay | Kpi::RegistryConsistency => "publish_to_search",
            Kpi::TamperedManifests | Kpi::InjectionsBlocked | Kpi::PiiMasked | Kpi::PlaintextLeaks => "findings",
            Kpi::RssDrift => "gateway_rss",
            Kpi::FdDrift => "descriptors",
            Kpi::SseConnectionDrift => "streams",
            Kpi::QueueDrift => "queue",
            Kpi::ClockDrift => "clock",
            Kpi::ChaosRecovery => "availability",
        });
    }
    (name == HarnessCheck::SelfDrift.name()).then_some("harness_rss")
}

/// All charts of a soak as it stands.
pub(super) fn charts(drawn: Drawn<'_>) -> Charts {
    let course = drawn.course;
    let windows = course.windows().iter().map(|w| (minutes(w.from_ms), minutes(w.to_ms), w.phase.name()));
    let mut charts = latencies(drawn);
    charts.extend(rates(drawn));
    charts.extend(gauges(drawn));
    let unmeasured = charts.iter().filter(|chart| !chart.has_data()).map(|chart| (chart.id, chart.title)).collect();
    Charts {
        reached: minutes(course.reached_ms()),
        duration: minutes(drawn.plan.duration_ms),
        windows: windows.collect(),
        heartbeats: course.heartbeats_ms().iter().copied().map(minutes).collect(),
        holes: course.holes().iter().map(|(from, to)| (minutes(*from), minutes(*to))).collect(),
        charts: charts.into_iter().filter(Chart::has_data).collect(),
        unmeasured,
    }
}

impl Chart {
    fn has_data(&self) -> bool {
        self.lines.iter().any(|line| line.values.iter().any(Option::is_some))
    }
}

/// Latencies: how many took how long, and quantiles of each step.
fn latencies(drawn: Drawn<'_>) -> Vec<Chart> {
    let of = |timing| (Latency::Timing(timing), "");
    // What the gateway itself says comes first, as it does for the judges.
    let else_of = |source, timing| {
        let own = Latency::Source(source);
        let has_own = drawn.course.latency(own).iter().any(|cell| cell.count() > 0);
        if has_own { (own, ", by the upper ends of the gateway's own buckets") } else { of(timing) }
    };
    let limit = |kpi| drawn.targets.target(kpi).limit();
    let all = [
        (
            "start_to_log",
            "From a run's due start to its first log line",
            of(Timing::StartToLog),
            vec![("p95", limit(Kpi::StartToLogP95)), ("p99", limit(Kpi::StartToLogP99))],
        ),
        ("requests", "Requests, from sent to answered", of(Timing::Request), vec![]),
        ("judge", "Judge verdicts", else_of(Source::Judge, Timing::JudgeEvent), vec![("p95", limit(Kpi::JudgeP95))]),
        (
            "shield",
            "Shield decisions",
            else_of(Source::Shield, Timing::ShieldEvent),
            vec![("p95", limit(Kpi::ShieldP95))],
        ),
        (
            "sse_write",
            "Writing events to streams",
            else_of(Source::SseWrite, Timing::EventDelivery),
            vec![("p99", limit(Kpi::SseWriteP99))],
        ),
        ("ready", "Readiness probes", of(Timing::ReadyRoundTrip), vec![]),
        (
            "publish_to_search",
            "From publishing a version to finding it",
            of(Timing::PublishToSearch),
            vec![("slowest", limit(Kpi::PublishSearchDelay) * 1_000.0)],
        ),
        ("away", "How long lost or closed streams were away", of(Timing::StreamAway), vec![]),
    ];
    all.into_iter()
        .map(|(id, title, (latency, by), targets)| of_latency(drawn, (id, title), latency, by, targets))
        .collect()
}

fn of_latency(
    drawn: Drawn<'_>,
    (id, title): (&'static str, &'static str),
    latency: Latency,
    by: &str,
    targets: Vec<(&'static str, f64)>,
) -> Chart {
    let course = drawn.course;
    let grid = course.rate_grid;
    let cells = begun(course.latency(latency), grid, course);
    let line = |name: &str, value: fn(&Cell) -> Option<f64>| Line {
        name: name.to_owned(),
        values: cells.iter().map(|cell| value(cell).map(short)).collect(),
    };
    let lines = vec![
        line("p50", |cell| cell.quantile_ms(0.5)),
        line("p95", |cell| cell.quantile_ms(0.95)),
        line("p99", |cell| cell.quantile_ms(0.99)),
        line("slowest", Cell::max_ms),
    ];
    let samples: u64 = cells.iter().map(|cell| u64::from(cell.count())).sum();
    let slowest = cells.iter().enumerate().filter_map(|(step, cell)| Some((step, cell.max_ms()?)));
    let slowest = slowest.max_by(|a, b| a.1.total_cmp(&b.1));
    let worst = slowest.map_or_else(String::new, |(step, ms)| {
        format!(", the slowest {} ms in the step at {}", shown(ms), moment(step as u64 * grid.step_ms()))
    });
    let says = format!("{samples} samples{worst}{by}. Colour: how many took how long.");
    Chart {
        id,
        title,
        unit: "ms",
        says,
        step_ms: grid.step_ms(),
        is_log: true,
        lines,
        targets,
        traces: Vec::new(),
        heat: Some(heat(cells)),
    }
}

fn heat(cells: &[Cell]) -> Heat {
    let mut heat: Vec<(usize, usize, u32)> = Vec::new();
    for (step, cell) in cells.iter().enumerate() {
        for (bucket, n) in cell.buckets() {
            let bucket = bucket / HEAT_BUCKETS;
            match heat.last_mut() {
                Some((at, last, sum)) if (*at, *last) == (step, bucket) => *sum += u32::from(n),
                _ => heat.push((step, bucket, u32::from(n))),
            }
        }
    }
    let last = heat.iter().map(|(_, bucket, _)| bucket + 1).max().unwrap_or(0);
    Heat { edges: (0..=last).map(|bucket| short(edge_ms(bucket * HEAT_BUCKETS))).collect(), cells: heat }
}

/// What is counted, step by step.
fn rates(drawn: Drawn<'_>) -> Vec<Chart> {
    let course = drawn.course;
    let grid = course.rate_grid;
    let counted = |counter| begun(course.counter(counter), grid, course);
    let line = |(name, counter): &(&str, Counter)| {
        let values = counted(*counter).iter().map(|n| Some(f64::from(*n))).collect();
        Line { name: (*name).to_owned(), values }
    };
    let happened = |kinds: &[&str]| -> Vec<Line> {
        let seen = kinds.iter().map(|kind| (*kind, course.incidents().by_step(kind))).filter(|(_, n)| !n.is_empty());
        seen.map(|(kind, steps)| {
            let values = begun(steps, grid, course).iter().map(|n| Some(f64::from(*n))).collect();
            Line { name: kind.replace('_', " "), values }
        })
        .collect()
    };
    let chart = |id, title, lines: Vec<Line>| Chart {
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
    let ready = Line { name: "answered 200".into(), values: share(Counter::ReadyOk, Counter::ReadyProbes) };
    let availability = Chart {
        unit: "%",
        says: extremes(std::slice::from_ref(&ready), grid, "%"),
        targets: vec![("at least", drawn.targets.target(Kpi::Availability).limit())],
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
    let mut errors: Vec<Line> = [("request errors", Counter::RequestErrors), ("throttled", Counter::RequestsThrottled)]
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

/// What is sampled.
fn gauges(drawn: Drawn<'_>) -> Vec<Chart> {
    const MB: f64 = 1e6;
    let course = drawn.course;
    let grid = course.gauge_grid;
    let line = |name: &str, gauge: Gauge, per: f64| Line {
        name: name.to_owned(),
        values: begun(course.gauge(gauge), grid, course).iter().map(|s| s.map(|s| short(s.last / per))).collect(),
    };
    let greatest = |name: &str, gauge: Gauge| Line {
        name: name.to_owned(),
        values: begun(course.gauge(gauge), grid, course).iter().map(|s| s.map(|s| short(s.max))).collect(),
    };
    let chart = |id, title, unit, lines: Vec<Line>, traces: Vec<Trace>| Chart {
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
    let traces = |gauge, per| traces(drawn, gauge, per);
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
                line("the gateway's count beyond all of ours", Gauge::GatewaySseSurplus, 1.0),
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

/// What growth was judged by: the floors, and the line through them.
fn traces(drawn: Drawn<'_>, gauge: Gauge, per: f64) -> Vec<Trace> {
    #[expect(clippy::cast_precision_loss, reason = "minutes of a soak")]
    let place = |(minute, value): &(u64, f64)| (*minute as f64, short(value / per));
    let mut traces = Vec::new();
    for trace in drawn.glance.traces(gauge) {
        let points = trace.floors.iter().map(place).collect();
        traces.push(Trace { name: "floors", points, joined: false });
        if let Some(line) = trace.line {
            traces.push(Trace { name: "growth is told by", points: line.iter().map(place).collect(), joined: true });
        }
    }
    traces
}

/// The steps that have begun.
fn begun<'a, T>(steps: &'a [T], grid: Grid, course: &Course) -> &'a [T] {
    &steps[..grid.begun(course.reached_ms()).min(steps.len())]
}

fn totals(lines: &[Line]) -> String {
    let total = |line: &Line| line.values.iter().flatten().sum::<f64>();
    let totals = lines.iter().map(|line| format!("{} {}", shown(total(line)), line.name));
    format!("In all {}.", totals.collect::<Vec<_>>().join(", "))
}

fn extremes(lines: &[Line], grid: Grid, unit: &str) -> String {
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
            shown(least.1),
            at(least.0),
            shown(most.1),
            at(most.0),
            shown(last.1)
        ))
    });
    let said: Vec<String> = said.collect();
    if said.is_empty() { "Nothing was measured.".to_owned() } else { format!("{}.", said.join("; ")) }
}

/// To four digits: nobody sees more in a chart, and a report is to be small.
fn short(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return 0.0;
    }
    let scale = 10_f64.powf(3.0 - value.abs().log10().floor());
    (value * scale).round() / scale
}

fn shown(value: f64) -> String {
    format!("{}", short(value))
}

#[expect(clippy::cast_precision_loss, reason = "minutes of a soak")]
fn minutes(ms: u64) -> f64 {
    short_minutes(ms as f64 / 60_000.0)
}

/// To a thousandth of a minute.
fn short_minutes(minutes: f64) -> f64 {
    (minutes * 1_000.0).round() / 1_000.0
}
