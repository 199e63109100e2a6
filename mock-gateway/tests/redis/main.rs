//! The gateway over a real Redis: the contract as it is over memory, and what goes on across the end of either process.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod backend;
mod keep;
mod loss;
mod outages;
mod process;
mod restarts;
mod server;
mod starts;

/// What the contract's tests share with these.
#[path = "../contract/caller.rs"]
mod caller;

// The contract's tests themselves.
#[path = "../contract/calls.rs"]
mod calls;
#[path = "../contract/chaos.rs"]
mod chaos;
#[path = "../contract/metrics.rs"]
mod metrics;
#[path = "../contract/registry.rs"]
mod registry;
#[path = "../contract/runs.rs"]
mod runs;
#[path = "../contract/safety.rs"]
mod safety;
#[path = "../contract/streams.rs"]
mod streams;
#[path = "../contract/tenure.rs"]
mod tenure;
