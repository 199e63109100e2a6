//! The contract, call by call, over real sockets; and the defects that break it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod answers;
mod backend;
mod caller;
mod calls;
mod chaos;
mod defects;
mod habits;
mod lapses;
mod leaks;
mod lines;
mod metrics;
mod oddities;
mod registry;
mod runs;
mod safety;
mod side_by_side;
mod store;
mod streams;
mod stubs;
mod telling;
mod tenure;
