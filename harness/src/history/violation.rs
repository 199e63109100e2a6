//! One sample that is evidence of a failure.

use serde::{Deserialize, Serialize};

use crate::catalog::Phase;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Violation {
    /// Scenario milliseconds.
    pub(crate) at_ms: u64,
    pub(crate) phase: Phase,
    /// The run, stream, version or route; of a gauge, how long it was level before it rose.
    pub(crate) subject: String,
    /// Its value, in the judgement's unit, where it has one.
    pub(crate) value: Option<f64>,
    /// The gateway's answer, where it says more.
    pub(crate) answer: Option<String>,
}

impl Violation {
    pub(crate) fn at(at_ms: u64, phase: Phase, subject: impl Into<String>) -> Self {
        Self { at_ms, phase, subject: subject.into(), value: None, answer: None }
    }

    pub(crate) fn by_value(a: &Self, b: &Self) -> std::cmp::Ordering {
        a.value.unwrap_or(0.0).total_cmp(&b.value.unwrap_or(0.0))
    }

    /// Sorts by time, then by names, so that the order of arrival does not show.
    pub(crate) fn order(&self) -> (u64, &str, Option<&str>) {
        (self.at_ms, &self.subject, self.answer.as_deref())
    }
}
