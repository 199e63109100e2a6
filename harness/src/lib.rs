//! S2 plans, plays, records and judges a soak test of a 4Runr-style gateway.
pub mod clock;
pub mod journal;
pub mod judge;
pub mod plan;
pub mod report;
#[cfg(test)]
mod snapshots;
