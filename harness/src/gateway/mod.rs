//! The wire: the calls of the contract over HTTP, and its streams over Server-Sent Events.
//!
//! What a gateway answers is data, however odd: [`Answer`] and [`Trouble`] are both results of a call, and neither is an
//! `Err` of the harness.

mod access;
mod client;
mod connect;
mod contract;
mod event_lines;
#[cfg(test)]
mod event_lines_tests;
mod exposition;
#[cfg(test)]
mod fuzz_tests;
#[cfg(test)]
mod hostile_tests;
mod stream;
mod transport;
#[cfg(test)]
mod transport_tests;

pub use access::{GatewayAccess, Secret};
pub use client::{Answer, Client, ClientError, Outcome, Trouble};
pub use contract::{
    LogEvent, Manifest, NewRun, RunStanding, RunView, SearchHit, json_contains, run_id_of, search_hits,
};
pub use exposition::Exposition;
pub use stream::{Connection, Ended, Refusal, StreamEvent, Streams};
