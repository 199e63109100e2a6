//! Targets and the units of their values.

use serde::{Deserialize, Serialize};

/// The unit of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// Percent.
    #[serde(rename = "%")]
    Percent,
    /// Milliseconds.
    #[serde(rename = "ms")]
    Millis,
    /// Seconds.
    #[serde(rename = "s")]
    Seconds,
    /// How many of what is said beside it.
    #[serde(rename = "count")]
    Count,
    /// Yes (1) or no (0).
    #[serde(rename = "yes/no")]
    YesNo,
}

/// The limit that a value is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Target {
    /// Not less than this.
    AtLeast(f64),
    /// Not more than this.
    AtMost(f64),
    /// Less than this.
    Below(f64),
}

impl Target {
    /// The limit itself, without its direction.
    #[must_use]
    pub const fn limit(self) -> f64 {
        match self {
            Self::AtLeast(limit) | Self::AtMost(limit) | Self::Below(limit) => limit,
        }
    }

    /// The same direction with another limit.
    #[must_use]
    pub const fn with_limit(self, limit: f64) -> Self {
        match self {
            Self::AtLeast(_) => Self::AtLeast(limit),
            Self::AtMost(_) => Self::AtMost(limit),
            Self::Below(_) => Self::Below(limit),
        }
    }

    /// Whether the value is on the right side. A value that is not a number is not.
    #[must_use]
    pub fn is_met_by(self, value: f64) -> bool {
        match self {
            Self::AtLeast(limit) => value >= limit,
            Self::AtMost(limit) => value <= limit,
            Self::Below(limit) => value < limit,
        }
    }
}
