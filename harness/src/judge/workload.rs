//! Whether a workload was played as planned.
use super::{Digest, Judged, Judgement, Target, Unit, conclude::Findings};
use crate::plan::{Plan, Workload};
pub(super) fn judge(workload: Workload, plan: &Plan, digest: &Digest) -> Judgement {
    let f = Findings::new(Judged::Workload, workload.name(), Unit::Percent, Target::AtLeast(100.0), "cycles");
    f.conclude(plan, digest)
}
