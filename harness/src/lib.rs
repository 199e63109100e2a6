//! S2 plans, plays, records and judges a soak test of a 4Runr-style gateway.
pub mod clock;
pub mod gateway;
pub mod journal;
pub mod judge;
pub mod plan;
pub mod report;
pub mod runner;
pub mod session;
pub mod settings;
#[cfg(test)]
mod snapshots;
pub mod workload;
