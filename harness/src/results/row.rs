//! The status of a judgement, and the one rule that decides it.

use serde::{Deserialize, Serialize};

use super::Waivers;
use crate::judge::{Judgement, Verdict};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    /// The judgement on the record so far. Until the status is final, later records may change it.
    pub(crate) judgement: Judgement,
    pub(crate) status: Status,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Playing,
    /// The soak has ended, or its session died and no other continues it.
    Over,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Status {
    /// It does not count, for this reason.
    Waived(String),
    /// The soak goes on, and later records can change the verdict.
    Pending,
    Unproven,
    Fail,
    Pass,
}

impl Status {
    /// The word of each status, and of its count. The worst is first; a waiver, which needs no action, is last.
    pub(crate) const WORDS: [(&'static str, &'static str); 5] = [
        ("fail", "failed"),
        ("unproven", "unproven"),
        ("pending", "pending"),
        ("pass", "passed"),
        ("waived", "waived"),
    ];

    /// The only rule. A waiver comes first. A verdict counts when it is final; before that it is pending, also a good
    /// one: nothing is proven before the end.
    pub(super) fn of(judgement: &Judgement, waivers: &Waivers, is_final: bool) -> Self {
        match (waivers.reason(judgement.kind, &judgement.name), judgement.verdict) {
            (Some(reason), _) => Self::Waived(reason.to_owned()),
            (None, _) if !is_final => Self::Pending,
            (None, Verdict::Unproven) => Self::Unproven,
            (None, Verdict::Fail) => Self::Fail,
            (None, Verdict::Pass) => Self::Pass,
        }
    }

    /// The status as files and pages spell it.
    pub(crate) const fn word(&self) -> &'static str {
        Self::WORDS[self.rank()].0
    }

    pub(super) const fn rank(&self) -> usize {
        match self {
            Self::Fail => 0,
            Self::Unproven => 1,
            Self::Pending => 2,
            Self::Pass => 3,
            Self::Waived(_) => 4,
        }
    }

    /// Whether it is final and not green.
    pub(crate) const fn is_red(&self) -> bool {
        matches!(self, Self::Fail | Self::Unproven)
    }

    pub(crate) fn waiver(&self) -> Option<&str> {
        match self {
            Self::Waived(reason) => Some(reason),
            _ => None,
        }
    }

    /// The status as one of three verdicts, such as in JUnit: a pending row is unproven, a waived one has none.
    pub(crate) const fn verdict(&self) -> Option<Verdict> {
        match self {
            Self::Waived(_) => None,
            Self::Pending | Self::Unproven => Some(Verdict::Unproven),
            Self::Fail => Some(Verdict::Fail),
            Self::Pass => Some(Verdict::Pass),
        }
    }
}
