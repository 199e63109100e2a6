//! The wire: the calls of the contract over HTTP, and its streams over Server-Sent Events.
//!
//! What a gateway answers is data, however odd: [`Answer`] and [`Trouble`] are both results of a call, and neither is an
//! `Err` of the harness.

mod access;
mod client;
mod connect;
mod contract;
mod exposition;
#[cfg(test)]
mod hostile_tests;
mod lines;
mod retry_after;
mod stream;
mod transport;
#[cfg(test)]
mod transport_tests;

pub use access::{GatewayAccess, Secret};
pub use client::{Answer, Client, ClientError, Outcome, Trouble};
pub use contract::{
    LogEvent, Manifest, NewRun, RunStanding, RunView, SearchHit, json_contains, run_id_of, search_hits,
};
pub use exposition::{Exposition, Unusable};
pub use stream::{Connection, Ended, Refusal, StreamEvent, Streams};
