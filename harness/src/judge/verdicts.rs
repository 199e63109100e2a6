//! All verdicts of a soak.

use super::{ChaosReport, Comparison, Judgement, Targets, kpi};
use crate::{
    catalog::{HarnessCheck, Kpi, Workload},
    history::History,
    judge::{checks::workload, kpi::chaos},
    plan::Plan,
};

/// The verdicts of a soak, each kind in the order of its names' `ALL`; only those that the suite judges.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdicts {
    /// On the gateway.
    pub kpis: Vec<Judgement>,
    /// On whether each workload was played as planned.
    pub workloads: Vec<Judgement>,
    /// On the harness itself.
    pub harness: Vec<Judgement>,
    /// The outcome of each planned chaos event, in order.
    pub chaos: Vec<ChaosReport>,
    /// The changes since an earlier run, where there is one to compare with.
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
    let comparison = baseline.map(|baseline| baseline.apply(plan, &mut kpis));
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
