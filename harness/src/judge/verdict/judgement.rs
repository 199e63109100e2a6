//! Judgements, with their evidence.

use serde::{Deserialize, Serialize};

use crate::{
    catalog::{Phase, Suite, Target, Unit},
    history::{Scope, Violation},
    judge::{Note, Range},
};

/// Only [`Verdict::Pass`] is green.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// Proven good.
    Pass,
    /// Neither is proven.
    Unproven,
    /// Proven bad.
    Fail,
}

/// The kind of subject of a judgement. Names are unique within a kind only: `availability` is a KPI and a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Judged {
    /// The gateway.
    Kpi,
    /// Whether a workload was played as planned.
    Workload,
    /// The harness itself.
    Harness,
}

impl Judged {
    /// The name of the trial that says what was judged: `smoke::kpi::availability`. CI reports and filters rely on it.
    pub(crate) fn trial_name(self, suite: Suite, name: &str) -> String {
        format!("{suite}::{}::{name}", self.name())
    }

    /// The kind as trial names, pages and metrics spell it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Workload => "workload",
            Self::Kpi => "kpi",
            Self::Harness => "harness",
        }
    }
}

/// A verdict on one subject, with its evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    pub(crate) kind: Judged,
    /// The name of the KPI, workload or check.
    pub name: String,
    /// Pass, fail or unproven.
    pub verdict: Verdict,
    pub(crate) value: Option<f64>,
    /// The range of the true value with a confidence of 95 %, in the value's unit; none where it is not known.
    pub(crate) range: Option<Range>,
    /// Whether there are too few samples for an upper bound: the range then ends at the greatest of them.
    pub(crate) range_is_open: bool,
    pub(crate) unit: Unit,
    pub(crate) target: Target,
    pub(crate) samples: u64,
    /// The number of samples that the plan promised.
    pub(crate) promised: u64,
    /// Why it is not green; empty where value and target show it.
    pub(crate) reason: Vec<Note>,
    pub(crate) evidence: Evidence,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Evidence {
    /// The name of its samples, in the plural: "runs", "probes", "requests".
    pub(crate) sample_name: String,
    /// The number of samples on the wrong side.
    pub(crate) over: u64,
    /// The value by phase, where the KPI spans several.
    pub(crate) by_phase: Vec<PhaseValue>,
    pub(crate) first: Option<Violation>,
    /// A few violations, the worst first.
    pub(crate) worst: Vec<Violation>,
    /// Notes for a reader: the source that was used, the parts that were left out and why.
    pub(crate) notes: Vec<Note>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PhaseValue {
    pub(crate) phase: Phase,
    pub(crate) value: f64,
    pub(crate) samples: u64,
}

impl PhaseValue {
    /// The value and the number of samples of each phase that has some.
    pub(crate) fn of_each(of: impl Fn(Scope) -> Option<(f64, u64)>) -> Vec<Self> {
        let of_phase =
            |phase: &Phase| of(Scope::In(*phase)).map(|(value, samples)| Self { phase: *phase, value, samples });
        Phase::ALL.iter().filter_map(of_phase).collect()
    }
}
