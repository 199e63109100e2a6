//! The wire: the calls of the contract over HTTP, and its streams over Server-Sent Events.
//!
//! Every answer of a gateway is data, even an odd one: a call results in an [`Answer`] or in [`Trouble`]. Neither is an
//! `Err` of the harness.
//!
//! # Malformed input
//!
//! No parser panics on any input. Memory is proportional to the input, which is bounded: 4 MiB of an answer, 1 MiB of
//! an event. Each byte takes at most 120 bytes as JSON (each object of `{"":0}` has room for eleven fields), 40 as
//! metrics, 32 in a stream; and 64 KiB besides. An answer is quoted on one line of at most 240 characters. The events of
//! a stream are those of the event-stream format, whatever the cuts between its bytes.
//!
//! Tests hold that, and measure allocations, with a few hundred cases of each parser. The last cases in release:
//!
//! | cases | input | by |
//! |---|---|---|
//! | 1,000,000 each | streams, against a parser of the format written for the test; metrics; JSON as events, runs, searches; text to be found in JSON; answers to be quoted | `PROPTEST_CASES=1000000 cargo test --release -p s2-harness --lib gateway::fuzz` |
//! | 1,000,000 each | histograms from scrape to scrape, any and healthy; texts that must not show; runs against their streams | `PROPTEST_CASES=1000000 cargo test --release -p s2-harness --lib workload::fuzz` |
//! | 1,000,000 | events entered in the ledger | `PROPTEST_CASES=1000000 cargo test --release -p s2-harness --lib ledger::fuzz` |

mod access;
mod answer;
#[cfg(test)]
mod browser_tests;
mod client;
mod connect;
mod contract;
mod decode;
mod denial;
pub mod dialect;
mod event_lines;
#[cfg(test)]
mod event_lines_tests;
mod event_parts;
mod exchange;
mod exposition;
#[cfg(test)]
mod fuzz_tests;
mod headers;
pub mod heap;
#[cfg(test)]
mod hostile_tests;
mod http1;
mod json_cost;
mod known_events;
mod local_port;
mod plain_event;
mod reading;
mod response_meta;
mod retry_after;
mod search;
mod secret;
mod stream;
mod stream_event;
mod tls;
#[cfg(test)]
pub(crate) mod tls_tests;
mod token;
mod token_source;
#[cfg(test)]
mod token_tests;
mod transport;
#[cfg(test)]
mod transport_tests;
mod trouble;

pub use access::GatewayAccess;
pub use answer::{Answer, Outcome};
pub use client::Client;
pub use contract::{LogEvent, Manifest, NewRun, RunStanding, RunView, json_contains, time_of};
pub use dialect::{Dialect, Limits};
pub use exposition::{Exposition, UnreadLine, UnreadLines, Unusable};
pub use known_events::KnownEvents;
pub use local_port::LocalPort;
pub use reading::EventReading;
pub use search::{PageStart, SearchHit, SearchPage};
pub use secret::Secret;
pub use stream::{Connection, Ended, NOT_THERE, Refusal, Streams, TOO_EARLY};
pub use stream_event::{EventContent, Oversized, StreamEvent};
pub use tls::{NoCertificates, Trust};
pub use token::Token;
pub use token_source::{TokenError, TokenSource, read_token_file};
pub(crate) use trouble::is_out_of_descriptors;
pub use trouble::{ClientError, Trouble, TroubleKind};
