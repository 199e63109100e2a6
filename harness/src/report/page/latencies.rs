//! The charts of latencies: how many samples took how long, and quantiles of each step.

use super::{
    super::FileInput,
    chart::{Chart, ChartLine, Heat, begun, limits, short},
};
use crate::{
    history::{LatencySource, LatencyStep, edge_ms},
    journal::{Source, Timing},
    plan::moment,
};

/// Histogram buckets in one bucket of the heat map.
const HEAT_BUCKETS: usize = 4;

pub(super) fn charts(input: &FileInput<'_>) -> Vec<Chart> {
    let of = |timing| (LatencySource::Timing(timing), "");
    // The gateway's own histogram comes first, as it does for the judges.
    let else_of = |source, timing| {
        let own = LatencySource::Source(source);
        let has_own = input.series.latency(own).iter().any(|cell| cell.count() > 0);
        if has_own { (own, ", by the upper ends of the gateway's own buckets") } else { of(timing) }
    };
    let all = [
        ("start_to_log", "From a run's due start to its first log line", of(Timing::StartToLog)),
        ("requests", "Requests, from sent to answered", of(Timing::Request)),
        ("judge", "Judge verdicts", else_of(Source::Judge, Timing::JudgeEvent)),
        ("shield", "Shield decisions", else_of(Source::Shield, Timing::ShieldEvent)),
        ("sse_write", "Writing events to streams", else_of(Source::SseWrite, Timing::EventDelivery)),
        ("ready", "Readiness probes", of(Timing::ReadyRoundTrip)),
        ("publish_to_search", "From publishing a version to finding it", of(Timing::PublishToSearch)),
        ("away", "How long lost or closed streams were away", of(Timing::StreamAway)),
    ];
    all.into_iter().map(|chart| of_latency(input, chart)).collect()
}

/// Id, title, source, and a note on the source.
type LatencyChart<'a> = (&'static str, &'static str, (LatencySource, &'a str));

fn of_latency(input: &FileInput<'_>, (id, title, (latency, by)): LatencyChart<'_>) -> Chart {
    let series = input.series;
    let grid = series.rate_grid;
    let cells = begun(series.latency(latency), grid, input.timeline);
    let line = |name: &str, value: fn(&LatencyStep) -> Option<f64>| ChartLine {
        name: name.to_owned(),
        values: cells.iter().map(|cell| value(cell).map(short)).collect(),
    };
    let lines = vec![
        line("p50", |cell| cell.quantile_ms(0.5)),
        line("p95", |cell| cell.quantile_ms(0.95)),
        line("p99", |cell| cell.quantile_ms(0.99)),
        line("slowest", LatencyStep::max_ms),
    ];
    let samples: u64 = cells.iter().map(|cell| u64::from(cell.count())).sum();
    let slowest = cells.iter().enumerate().filter_map(|(step, cell)| Some((step, cell.max_ms()?)));
    let slowest = slowest.max_by(|a, b| a.1.total_cmp(&b.1));
    let worst = slowest.map_or_else(String::new, |(step, ms)| {
        format!(", the slowest {} ms in the step at {}", short(ms), moment(step as u64 * grid.step_ms()))
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
        targets: limits(input, id),
        heat: Some(heat(cells)),
        ..Chart::default()
    }
}

fn heat(cells: &[LatencyStep]) -> Heat {
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
