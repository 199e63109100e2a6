//! The begin and end of chaos windows by the phases of intervals.

use crate::catalog::Phase;

/// Maximum number of windows; a plan has a handful.
const WINDOWS_MAX: usize = 64;

/// A chaos window, scenario milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChartWindow {
    pub(crate) phase: Phase,
    pub(crate) from_ms: u64,
    pub(crate) to_ms: u64,
}

/// All windows, in order of their begin.
#[derive(Debug, Clone, Default)]
pub(crate) struct ChartWindows {
    all: Vec<ChartWindow>,
    /// The last injection: the phase of its window, and when.
    injected: Option<(Phase, u64)>,
}

impl ChartWindows {
    /// Takes in an injection. Where its window was closed before, another one opens.
    pub(crate) fn injected(&mut self, phase: Phase, at_ms: u64) {
        self.injected = Some((phase, at_ms));
    }

    /// Takes in the time of an interval of a phase. Intervals that touch are of one window. Samples that began in a
    /// window belong to it however late they end, so a late interval opens no other window.
    pub(crate) fn absorb(&mut self, phase: Phase, from_ms: u64, to_ms: u64) {
        if phase == Phase::Steady {
            return;
        }
        let reopens = |known: &ChartWindow| self.injected.is_some_and(|(of, at_ms)| of == phase && at_ms > known.to_ms);
        match self.all.iter().rposition(|known| known.phase == phase) {
            Some(at) if from_ms <= self.all[at].to_ms => self.all[at].to_ms = self.all[at].to_ms.max(to_ms),
            Some(at) if !reopens(&self.all[at]) => {}
            _ if self.all.len() < WINDOWS_MAX => self.all.push(ChartWindow { phase, from_ms, to_ms }),
            _ => {}
        }
    }

    pub(crate) fn all(&self) -> &[ChartWindow] {
        &self.all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_straggler_opens_no_window_and_another_injection_does() {
        let mut windows = ChartWindows::default();
        windows.injected(Phase::Latency, 5_000);
        for (from_ms, to_ms) in [(0, 10_000), (10_000, 20_000), (50_000, 60_000)] {
            windows.absorb(Phase::Latency, from_ms, to_ms);
            windows.absorb(Phase::Steady, from_ms, to_ms);
        }
        let one = ChartWindow { phase: Phase::Latency, from_ms: 0, to_ms: 20_000 };
        assert_eq!([one], windows.all());
        windows.injected(Phase::Latency, 95_000);
        windows.absorb(Phase::Latency, 90_000, 100_000);
        assert_eq!([one, ChartWindow { from_ms: 90_000, to_ms: 100_000, ..one }], windows.all());
    }
}
