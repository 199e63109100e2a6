//! Pure functions from plan and journal to verdicts.
mod verdict;
pub use verdict::{Evidence, Judgement, Offender, PhaseValue, Target, Unit, Verdict};
