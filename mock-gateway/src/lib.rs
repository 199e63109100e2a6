//! A mock of the 4Runr Gateway: the whole contract, stateful, on one port. What S2 rehearses against.
//!
//! ```no_run
//! # async fn example() -> Result<(), mock_gateway::StartError> {
//! use mock_gateway::{Config, MockGateway};
//!
//! let gateway = MockGateway::start(Config::default()).await?;
//! println!("{}", gateway.url());
//! gateway.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! # The map
//! In reading order:
//! - `call`: the calls by name;
//! - `config`: what can be set, and the bounds on everything that is kept;
//! - `gateway`: [`MockGateway`], the whole;
//! - `front`: the public port. Connections that can be cut, a listener that can restart, stubs before every call;
//! - `routes`: the calls of the contract, and the gate that each goes through (token, store, latency);
//! - `core`: what the parts share, and what survives a restart;
//! - `change`: what happens to the state; `store`: where it is kept, in memory or in a Redis;
//! - `runs` and `player`: the runs that are kept, and how one is played;
//! - `event`: what streams carry, from its draft to its bytes;
//! - `events`: the event log behind the streams, where ids are given, replay is cut and laggards are dropped;
//! - `registry`, `workspaces`, `safety`, `chaos`: what their names say;
//! - `metrics`, `process`: what the gateway tells about itself, all of it measured;
//! - `answer`: the envelopes of JSON answers;
//! - `defect`: what can be wrong with the gateway on purpose, by name; without it, the gateway is healthy;
//! - `clock`: the only file that reads time.
//!
//! # What it is not
//! - No agent does anything: a run waits, logs and ends in success.
//! - Without a Redis, nothing is persisted. A "restart" drops connections and refuses new ones; the process, its memory
//!   and its counters live on, as a store behind a gateway would.
//! - With a Redis ([`Config::redis`]), runs, events, versions and workspaces outlive the process and are as safe as Redis
//!   keeps them; counters, added latency and ids that count each connection anew do not. One gateway at a time uses a
//!   Redis: the next one takes it over. It cannot be restarted by a call, only by whoever runs it.
//! - No TLS and no HTTP/2, unless a habit asks for both; no tenancy beyond workspaces: the token opens them all.
//! - The safety layer knows a handful of patterns, no more than a harness would try.
//! - It does not forget in order to look flat: what it keeps is bounded by [`Config`], and its metrics are read from
//!   what they count. A [`Defect`] may break any of this.

mod answer;
mod call;
mod change;
mod chaos;
mod clock;
mod config;
mod core;
mod defect;
mod event;
mod events;
mod front;
mod gateway;
mod metrics;
mod numbering;
mod player;
mod process;
mod registry;
mod routes;
mod runs;
mod safety;
mod store;
mod workspaces;

pub use call::{Call, UnknownCall};
pub use config::Config;
pub use defect::{Defect, Defects, UnknownDefect, work_if_asked};
pub use gateway::{MockGateway, ServeError, StartError};
pub use store::OpenError;
pub use wiremock;
