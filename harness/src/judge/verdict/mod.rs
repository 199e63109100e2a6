//! Judgements, and the rule that concludes them: targets, evidence, an earlier run.

pub(in crate::judge) mod assessment;
pub(in crate::judge) mod baseline;
pub(in crate::judge) mod judgement;
pub(in crate::judge) mod note;
pub(in crate::judge) mod targets;
