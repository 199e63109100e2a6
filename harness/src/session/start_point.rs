//! Where what is measured begins.

use tokio::time::Instant;

use crate::catalog::Phase;

/// A beginning: when, and in which phase. What ends later belongs to the window that it began in, if it began in one.
#[derive(Debug, Clone, Copy)]
pub struct StartPoint {
    /// When.
    pub at: Instant,
    /// In which phase.
    pub phase: Phase,
}
