//! One sample that stands for what went wrong.

use serde::{Deserialize, Serialize};

use crate::catalog::Phase;

/// One sample that stands for what went wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Violation {
    /// Scenario milliseconds.
    pub at_ms: u64,
    /// Steady, or in which window.
    pub phase: Phase,
    /// The run, stream, version or route; of a gauge, how long it was level before it rose.
    pub subject: String,
    /// Its value, in the judgement's unit, where it has one.
    pub value: Option<f64>,
    /// The gateway's answer, where it says more.
    pub answer: Option<String>,
}
