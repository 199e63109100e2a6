//! Which judge a KPI has.
use super::{Digest, Judged, Judgement, Targets, conclude::Findings};
use crate::plan::{Kpi, Plan};
pub(super) fn judge(kpi: Kpi, plan: &Plan, targets: &Targets, digest: &Digest) -> Judgement {
    let unit = Targets::keys().iter().find(|k| k.aim == super::Aim::Kpi(kpi)).expect("every KPI has a key").unit;
    let mut f = Findings::new(Judged::Kpi, kpi.name(), unit, targets.target(kpi), "samples");
    f.promised = plan.promises.get(kpi);
    f.conclude(plan, digest)
}
/// Whether the KPI is missed already, and no further data can undo it: a trial may go red at once.
#[must_use]
pub fn is_already_certain(_kpi: Kpi, _digest: &Digest) -> bool {
    false
}
