//! Judgements, and the rule that concludes them: targets, evidence, an earlier run.

pub(crate) mod assessment;
pub(crate) mod baseline;
pub(crate) mod fault;
pub(crate) mod judgement;
pub(crate) mod note;
pub(crate) mod targets;
pub(crate) mod unproven_reason;
