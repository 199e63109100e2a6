//! The start of a measurement.

use tokio::time::Instant;

use crate::catalog::Phase;

/// The start of a measurement: its time and its phase. A measurement belongs to the chaos window in which it started, if any.
#[derive(Debug, Clone, Copy)]
pub struct StartPoint {
    /// The time.
    pub at: Instant,
    /// The phase.
    pub phase: Phase,
}
