//! The resource usage of both processes: the gateway's and the harness's own.

use serde::Serialize;

use super::rounded;
use crate::{
    history::{GaugeTotal, History},
    journal::Gauge,
};

/// Both processes. Values that were never measured are null.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProcessStats {
    gateway: Process,
    harness: Process,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Process {
    rss_bytes_last: Option<f64>,
    rss_bytes_max: Option<f64>,
    open_fds_last: Option<f64>,
    open_fds_max: Option<f64>,
    cpu_percent_mean: Option<f64>,
    cpu_percent_max: Option<f64>,
}

impl ProcessStats {
    pub(super) fn of(history: &History) -> Self {
        let process = |rss, fds, cpu| {
            let value =
                |gauge, part: fn(GaugeTotal) -> f64| history.totals.gauge(gauge).map(|total| rounded(part(total)));
            Process {
                rss_bytes_last: value(rss, |total| total.last),
                rss_bytes_max: value(rss, |total| total.max),
                open_fds_last: value(fds, |total| total.last),
                open_fds_max: value(fds, |total| total.max),
                cpu_percent_mean: value(cpu, |total| total.mean),
                cpu_percent_max: value(cpu, |total| total.max),
            }
        };
        Self {
            gateway: process(Gauge::GatewayRss, Gauge::GatewayFds, Gauge::GatewayCpu),
            harness: process(Gauge::HarnessRss, Gauge::HarnessFds, Gauge::HarnessCpu),
        }
    }
}
