//! All verdicts of a soak.

use super::{
    ChaosReport, Comparison, Judgement, Targets,
    checks::{harness, workload},
    kpi::{self, chaos},
};
use crate::{
    catalog::{HarnessCheck, Kpi, Workload},
    history::History,
    plan::Plan,
};

/// The verdicts of a soak, each kind in the order of its names' `ALL`; only those that the suite judges.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdicts {
    /// On the gateway.
    pub kpis: Vec<Judgement>,
    pub(crate) workloads: Vec<Judgement>,
    pub(crate) harness: Vec<Judgement>,
    pub(crate) chaos: Vec<ChaosReport>,
    pub(crate) comparison: Option<Comparison>,
}

/// Judges a history. The result depends on the arguments alone: no clock, no file, no network.
///
/// `targets` need not be those that the history was made with: only the first sample over a target is then not known.
#[must_use]
pub fn judge(plan: &Plan, targets: &Targets, history: &History) -> Verdicts {
    let mut kpis: Vec<Judgement> = Kpi::of(plan.suite).map(|kpi| kpi::judge(kpi, plan, targets, history)).collect();
    let baseline = targets.baseline().filter(|baseline| baseline.suite() == plan.suite);
    let comparison = baseline.map(|baseline| baseline.apply(plan, &mut kpis));
    Verdicts {
        kpis,
        workloads: Workload::of(plan.suite).map(|workload| workload::judge(workload, plan, history)).collect(),
        harness: HarnessCheck::of(plan.suite).map(|check| harness::judge(check, plan, targets, history)).collect(),
        chaos: plan.chaos.iter().map(|event| chaos::report(event, history)).collect(),
        comparison,
    }
}
