//! Unsupported workloads, chaos events and KPIs: the gateway lacks a feature that they need.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::catalog::{Chaos, Kpi, Workload};

/// Parts that cannot be judged, each with the reason. They are waived: ignored trials, with the reason in the results.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsupported {
    /// KPIs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kpis: BTreeMap<Kpi, String>,
    /// Workloads that are not played.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub workloads: BTreeMap<Workload, String>,
    /// Whether no stream shows every run of a workspace, so that each is heard by its own alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub workspace_stream: bool,
    /// Whether no run has a stream of its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub run_streams: bool,
    /// Chaos events that are not injected.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub chaos: BTreeMap<Chaos, String>,
}

impl Unsupported {
    /// Whether nothing is lacking.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
