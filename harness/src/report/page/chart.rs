//! The parts of a chart.

use serde::Serialize;

use super::super::FileInput;
use crate::{
    catalog::{Kpi, Unit},
    history::{Grid, Timeline},
};

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Chart {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) unit: &'static str,
    /// A description.
    pub(super) says: String,
    /// The length of a step, scenario milliseconds. The first starts at 0.
    pub(super) step_ms: u64,
    pub(super) is_log: bool,
    pub(super) lines: Vec<ChartLine>,
    /// Limits with their names.
    pub(super) targets: Vec<(&'static str, f64)>,
    /// Points off the grid: floors, and the line by which growth is judged.
    pub(super) traces: Vec<Trace>,
    pub(super) heat: Option<Heat>,
}

#[derive(Debug, Serialize)]
pub(super) struct ChartLine {
    pub(super) name: String,
    pub(super) values: Vec<Option<f64>>,
}

#[derive(Debug, Serialize)]
pub(super) struct Trace {
    pub(super) name: &'static str,
    pub(super) points: Vec<(f64, f64)>,
    pub(super) joined: bool,
}

/// Distribution of latencies over time. A cell is a step, a bucket and a count that is not 0.
#[derive(Debug, Serialize)]
pub(super) struct Heat {
    pub(super) edges: Vec<f64>,
    pub(super) cells: Vec<(usize, usize, u32)>,
}

impl Chart {
    pub(super) fn has_data(&self) -> bool {
        self.lines.iter().any(|line| line.values.iter().any(Option::is_some))
    }
}

/// The targets of the KPIs that a chart shows, with their names, in the chart's unit.
pub(super) fn limits(input: &FileInput<'_>, chart: &str) -> Vec<(&'static str, f64)> {
    let of_kpi = |kpi: &Kpi| {
        let spec = kpi.spec();
        let limit = input.targets.target(*kpi).limit();
        // Latencies are drawn in milliseconds.
        let limit = if spec.unit == Unit::Seconds { limit * 1_000.0 } else { limit };
        spec.chart_limit.filter(|_| spec.chart == chart).map(|name| (name, limit))
    };
    Kpi::ALL.iter().filter_map(of_kpi).collect()
}

/// The steps that have begun.
pub(super) fn begun<'a, T>(steps: &'a [T], grid: Grid, timeline: &Timeline) -> &'a [T] {
    &steps[..grid.begun(timeline.scenario_ms()).min(steps.len())]
}

/// Rounds to four digits: more are not visible in a chart, and would enlarge the report.
pub(super) fn short(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return 0.0;
    }
    let scale = 10_f64.powf(3.0 - value.abs().log10().floor());
    (value * scale).round() / scale
}
