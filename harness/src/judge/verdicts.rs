//! All verdicts of a soak.

use serde::{Deserialize, Serialize};

use super::{ChaosReport, Comparison, Judged, Judgement, Targets, Verdict, kpi};
use crate::{
    catalog::{HarnessCheck, Kpi, Workload},
    history::History,
    judge::{checks::workload, kpi::chaos},
    plan::Plan,
};

/// The verdicts of a soak, each kind in the order of its names' `ALL`; only those that the suite judges.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdicts {
    /// On the gateway.
    pub kpis: Vec<Judgement>,
    /// On whether each workload was played as planned.
    pub workloads: Vec<Judgement>,
    /// On the harness itself.
    pub harness: Vec<Judgement>,
    /// What became of each planned chaos event, in order.
    pub chaos: Vec<ChaosReport>,
    /// What moved since an earlier run, where there is one to compare with.
    pub comparison: Option<Comparison>,
}

/// Judges what a history has seen. Given the same, it says the same: no clock, no file, no network.
///
/// `targets` need not be those that the history was made with: only which sample was the first over a target is then
/// not known.
#[must_use]
pub fn judge(plan: &Plan, targets: &Targets, history: &History) -> Verdicts {
    let mut kpis: Vec<Judgement> = Kpi::of(plan.suite).map(|kpi| kpi::judge(kpi, plan, targets, history)).collect();
    let baseline = targets.baseline().filter(|baseline| baseline.suite() == plan.suite);
    let comparison = baseline.map(|baseline| baseline.hold(plan, &mut kpis));
    Verdicts {
        kpis,
        workloads: Workload::of(plan.suite).map(|workload| workload::judge(workload, plan, history)).collect(),
        harness: HarnessCheck::of(plan.suite)
            .map(|check| crate::judge::checks::harness::judge(check, plan, targets, history))
            .collect(),
        chaos: plan.chaos.iter().map(|event| chaos::report(event, history)).collect(),
        comparison,
    }
}

impl Verdicts {
    /// The verdict on a KPI; none where the suite does not judge it.
    #[must_use]
    pub fn kpi(&self, kpi: Kpi) -> Option<&Judgement> {
        self.named(Judged::Kpi, kpi.name())
    }

    /// The verdict on a workload.
    #[must_use]
    pub fn workload(&self, workload: Workload) -> Option<&Judgement> {
        self.named(Judged::Workload, workload.name())
    }

    /// The verdict of a check on the harness.
    #[must_use]
    pub fn harness(&self, check: HarnessCheck) -> Option<&Judgement> {
        self.named(Judged::Harness, check.name())
    }

    /// The verdict of a kind and name.
    #[must_use]
    pub fn named(&self, kind: Judged, name: &str) -> Option<&Judgement> {
        self.iter().find(|judgement| judgement.kind == kind && judgement.name == name)
    }

    /// Every verdict: KPIs, workloads, the harness.
    pub fn iter(&self) -> impl Iterator<Item = &Judgement> {
        self.kpis.iter().chain(&self.workloads).chain(&self.harness)
    }

    /// The gravest verdict of all; unproven where there are none.
    #[must_use]
    pub fn overall(&self) -> Verdict {
        self.iter().map(|judgement| judgement.verdict).max().unwrap_or(Verdict::Unproven)
    }
}
