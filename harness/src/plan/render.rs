//! The plan as a person reads it.

use std::fmt;

use super::{Plan, Recurring, Regular};
use crate::catalog::Workload;

/// Moments that are listed in full.
pub(super) const LISTED_MAX: u64 = 12;
/// Of a longer list, this number of the first items is shown, and the last.
const FIRST_LISTED: u64 = 3;

/// A moment of scenario time as `T+45:00` (minutes and seconds).
#[must_use]
pub fn moment(at_ms: u64) -> String {
    let seconds = at_ms / 1_000;
    format!("T+{:02}:{:02}", seconds / 60, seconds % 60)
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = self.duration_ms / 60_000;
        writeln!(f, "{}: {minutes} min of scenario at pace {}, seed {}", self.suite, self.pace, self.seed)?;
        writeln!(f)?;
        for workload in Workload::of(self.suite) {
            let cycles = self.cycles(workload);
            let unit = if cycles == 1 { "cycle" } else { "cycles" };
            writeln!(f, "{workload:<20} {cycles:>5} {unit:<6}  {}", self.when(workload))?;
        }
        writeln!(f, "{:<20} {:>5}         {}", "heartbeat", self.heartbeats_ms.count(), moments(&self.heartbeats_ms))?;
        writeln!(f, "{:<20} {:>5}         {}", "snapshot", self.snapshots_ms.count(), moments(&self.snapshots_ms))?;
        writeln!(f)?;
        writeln!(f, "samples promised")?;
        for (kpi, samples) in self.promises.iter() {
            writeln!(f, "  {kpi:<24} {samples:>6}")?;
        }
        Ok(())
    }
}

/// The moments of a sequence.
pub(super) fn moments(sequence: &Recurring<Regular>) -> String {
    list(sequence.count(), LISTED_MAX, ", ", |number| sequence.get(number).map(moment))
}

/// Up to `max` items in full, else the first few and the last. There may be millions.
pub(super) fn list(count: u64, max: u64, between: &str, item: impl Fn(u64) -> Option<String>) -> String {
    let join = |numbers: std::ops::Range<u64>| numbers.filter_map(&item).collect::<Vec<_>>().join(between);
    if count <= max {
        return join(0..count);
    }
    format!("{}{between}… {}", join(0..FIRST_LISTED), join(count - 1..count))
}
