//! The history of a soak: one fold over the records of its journal, which judges and renderers read.

mod bucket_bounds;
mod chart_series;
mod chart_windows;
mod fold;
mod gauge_total;
mod grid;
mod incident_log;
mod latency_steps;
mod minutes;
mod phase_totals;
mod process_instances;
mod readiness_series;
mod sample_limits;
mod series;
#[cfg(test)]
mod tests;
mod timeline;
mod totals;
mod violation;
mod violations;

pub(crate) use bucket_bounds::Bounds;
pub use chart_series::ChartSeries;
pub use fold::History;
pub(crate) use gauge_total::GaugeTotal;
pub(crate) use grid::Grid;
pub(crate) use incident_log::{IncidentLog, ShownIncident};
pub(crate) use latency_steps::{LatencySource, LatencyStep, edge_ms, ms};
pub(crate) use minutes::{MINUTE_MS, MinuteMinima};
pub(crate) use phase_totals::{Scope, WORST_MAX};
pub(crate) use process_instances::{ProcessChange, ProcessInstances};
pub(crate) use readiness_series::Relapse;
pub use sample_limits::SampleLimits;
pub(crate) use sample_limits::limit_us;
pub use timeline::Timeline;
pub(crate) use timeline::{ChaosRecord, FailureRecord};
pub(crate) use violation::Violation;
pub(crate) use violations::ViolationKind;
