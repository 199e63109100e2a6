//! Pure functions from plan and journal to verdicts: no clock, no file, no network. A stored journal can be judged
//! again, with other targets, years later.
//!
//! Records are folded into a [`Digest`], and [`judge`] reads it: one family of KPIs a file.

mod cause;
mod cells;
mod chaos;
mod clock;
mod conclude;
mod digest;
mod drift;
mod floors;
mod growth;
mod harness;
mod incidents;
mod kpi;
mod latency;
mod rates;
mod registry;
mod safety;
mod story;
mod streams;
mod tally;
mod targets;
mod teeth;
mod trend;
mod verdict;
mod verdicts;
mod workload;

#[cfg(test)]
mod drift_tests;
#[cfg(test)]
mod property_tests;
#[cfg(test)]
pub(crate) mod sick;
#[cfg(test)]
pub(crate) mod soak;
#[cfg(test)]
mod tests;

use cells::Cells;
pub use digest::{Digest, GaugeTotal, Quantiles};
pub use kpi::{is_already_certain, may_be_certain_early};
pub use tally::Scope;
pub use targets::{Aim, TargetError, TargetKey, Targets};
pub use verdict::{Evidence, Judged, Judgement, Offender, PhaseValue, Target, Unit, Verdict};
pub use verdicts::{ChaosReport, Verdicts, judge};
