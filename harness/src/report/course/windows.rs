//! When chaos windows were open, as intervals tell it.

use crate::plan::Phase;

/// Windows that are kept; a plan has a handful.
const WINDOWS_MAX: usize = 64;

/// A chaos window, scenario milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Window {
    pub(in super::super) phase: Phase,
    pub(in super::super) from_ms: u64,
    pub(in super::super) to_ms: u64,
}

/// All windows, in order of their beginnings.
#[derive(Debug, Clone, Default)]
pub(super) struct Windows(Vec<Window>);

impl Windows {
    /// Takes in when an interval of a phase was. Those that touch are of one window.
    pub(super) fn absorb(&mut self, phase: Phase, from_ms: u64, to_ms: u64) {
        if phase == Phase::Steady {
            return;
        }
        // What began in a window belongs to it however late it ends, so an interval may come long after.
        if let Some(known) = self.0.iter_mut().find(|known| known.phase == phase && from_ms <= known.to_ms) {
            known.to_ms = known.to_ms.max(to_ms);
        } else if self.0.len() < WINDOWS_MAX {
            self.0.push(Window { phase, from_ms, to_ms });
        }
    }

    pub(super) fn all(&self) -> &[Window] {
        &self.0
    }
}
