//! Judgements, with their evidence.

use serde::{Deserialize, Serialize};

use crate::{
    catalog::{Phase, Suite, Target, Unit},
    history::Violation,
    judge::{Note, Range, Reason},
};

/// A verdict of three values. Only [`Verdict::Pass`] is green.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// Proven good.
    Pass,
    /// Nothing bad was seen, but too little was seen to say so.
    Unproven,
    /// Proven bad.
    Fail,
}

/// The kind of subject of a judgement. Names are unique within a kind only: `availability` is a KPI and a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Judged {
    /// The gateway.
    Kpi,
    /// Whether a workload was played as planned.
    Workload,
    /// The harness itself.
    Harness,
}

impl Judged {
    /// The name of the trial that says what was judged: `smoke::kpi::availability`. CI reports and filters rely on it.
    #[must_use]
    pub fn trial_name(self, suite: Suite, name: &str) -> String {
        format!("{suite}::{}::{name}", self.name())
    }

    /// The kind as trial names, pages and metrics spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
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
    /// The kind of its subject.
    pub kind: Judged,
    /// The name of the KPI, workload or check.
    pub name: String,
    /// Pass, fail or unproven.
    pub verdict: Verdict,
    /// The value, where there is one.
    pub value: Option<f64>,
    /// Where the true value lies with a confidence of 95 %, in the value's unit; none where the record does not tell.
    pub range: Option<Range>,
    /// Whether so few samples bound the truth below only: the range's upper end is then no more than the greatest of them.
    pub range_is_open: bool,
    /// Its unit.
    pub unit: Unit,
    /// The limit that the value is compared with.
    pub target: Target,
    /// How many samples it rests on.
    pub samples: u64,
    /// How many the plan promised.
    pub promised: u64,
    /// Why it is not green; empty where value and target say it.
    pub(crate) reason: Vec<Reason>,
    /// Its evidence.
    pub evidence: Evidence,
}

/// The evidence of a judgement.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The name of its samples, in the plural: "runs", "probes", "requests".
    pub sample_name: String,
    /// Samples on the wrong side.
    pub over: u64,
    /// The value by phase, where the KPI spans several.
    pub by_phase: Vec<PhaseValue>,
    /// When it first went wrong.
    pub first: Option<Violation>,
    /// The worst, worst first; a few.
    pub worst: Vec<Violation>,
    /// Notes for a reader: the source that was used, the parts that were left out and why.
    pub(crate) notes: Vec<Note>,
}

/// A value in one phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PhaseValue {
    /// Which phase.
    pub phase: Phase,
    /// The value in it.
    pub value: f64,
    /// The samples in it.
    pub samples: u64,
}
