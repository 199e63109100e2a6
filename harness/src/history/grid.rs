//! Scenario time in equal steps.

/// Time that is covered after the plan's end, while streams deliver overdue events.
const BEYOND_MS: u64 = 10 * 60_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grid {
    step_ms: u64,
    len: usize,
}

impl Grid {
    /// The shortest steps of which the soak has at most `steps_max`.
    pub(crate) fn new(duration_ms: u64, step_ms_min: u64, steps_max: u64) -> Self {
        let step_ms = duration_ms.div_ceil(steps_max).div_ceil(step_ms_min).max(1) * step_ms_min;
        let len = usize::try_from((duration_ms + BEYOND_MS) / step_ms + 1).unwrap_or(usize::MAX);
        Self { step_ms, len }
    }

    pub(crate) const fn step_ms(self) -> u64 {
        self.step_ms
    }

    pub(crate) const fn len(self) -> usize {
        self.len
    }

    /// The step of a moment; the last step for all later moments.
    pub(crate) fn step_of(self, at_ms: u64) -> usize {
        usize::try_from(at_ms / self.step_ms).unwrap_or(usize::MAX).min(self.len - 1)
    }

    /// The number of steps that have begun by a moment.
    pub(crate) fn begun(self, reached_ms: u64) -> usize {
        self.step_of(reached_ms.saturating_sub(1)) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_soak_has_wider_steps_and_not_more_of_them() {
        let steps = |hours: u64| Grid::new(hours * 3_600_000, 10_000, 360);
        assert_eq!((20_000, 391), (steps(2).step_ms(), steps(2).len()));
        assert_eq!((240_000, 363), (steps(24).step_ms(), steps(24).len()));
        assert_eq!(10_000, Grid::new(900_000, 10_000, 360).step_ms());
    }

    #[test]
    fn whatever_comes_after_the_last_step_is_in_it() {
        let grid = Grid::new(900_000, 60_000, 240);
        assert_eq!((0, 14, 25), (grid.step_of(59_999), grid.step_of(899_999), grid.step_of(u64::MAX)));
        assert_eq!((1, 1, 2), (grid.begun(0), grid.begun(60_000), grid.begun(60_001)));
    }
}
