//! What is judged about the harness itself.
use super::{Digest, Judged, Judgement, Target, Targets, Unit, conclude::Findings};
use crate::plan::{HarnessCheck, Plan};
pub(super) fn judge(check: HarnessCheck, plan: &Plan, _targets: &Targets, digest: &Digest) -> Judgement {
    let f = Findings::new(Judged::Harness, check.name(), Unit::YesNo, Target::AtLeast(1.0), "samples");
    f.conclude(plan, digest)
}
