//! The status of a judgement, and the one rule that decides it.

use serde::{Deserialize, Serialize};

use super::Waivers;
use crate::judge::{Judgement, Verdict};

/// A judgement and its status.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The judgement on the record so far. Until the status is final, its verdict holds for that record only.
    pub judgement: Judgement,
    /// The status, which everything that is shown follows.
    pub status: Status,
}

/// Whether more records can follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The soak goes on.
    Playing,
    /// The soak has ended, or its session died and no other continues it.
    Over,
}

/// The status of a judgement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// It does not count, for this reason.
    Waived(String),
    /// The soak goes on, and records that are still to come can change the verdict.
    Pending,
    /// Too little was seen to prove it.
    Unproven,
    /// Proven bad.
    Fail,
    /// Proven good.
    Pass,
}

impl Status {
    /// The word of each status, and the word for its count. The worst is first; nobody has to act on a waiver, which is last.
    pub const WORDS: [(&'static str, &'static str); 5] = [
        ("fail", "failed"),
        ("unproven", "unproven"),
        ("pending", "pending"),
        ("pass", "passed"),
        ("waived", "waived"),
    ];

    /// The only rule. A waiver comes first. A verdict counts when it is final; before that, everything is pending, also what looks
    /// good: nothing is proven before the end.
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
    #[must_use]
    pub const fn word(&self) -> &'static str {
        Self::WORDS[self.rank()].0
    }

    /// The place among [`Self::WORDS`].
    pub(super) const fn rank(&self) -> usize {
        match self {
            Self::Fail => 0,
            Self::Unproven => 1,
            Self::Pending => 2,
            Self::Pass => 3,
            Self::Waived(_) => 4,
        }
    }

    /// Whether it is for good, and not green.
    #[must_use]
    pub const fn is_red(&self) -> bool {
        matches!(self, Self::Fail | Self::Unproven)
    }

    /// The reason why it does not count, where it is waived.
    #[must_use]
    pub fn waiver(&self) -> Option<&str> {
        match self {
            Self::Waived(reason) => Some(reason),
            _ => None,
        }
    }

    /// The status where there are only three verdicts, such as in JUnit: a pending row is unproven, and a waived one has none.
    #[must_use]
    pub const fn verdict(&self) -> Option<Verdict> {
        match self {
            Self::Waived(_) => None,
            Self::Pending | Self::Unproven => Some(Verdict::Unproven),
            Self::Fail => Some(Verdict::Fail),
            Self::Pass => Some(Verdict::Pass),
        }
    }
}
