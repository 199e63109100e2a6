//! A TCP proxy between the harness and a gateway, in the session's own process, for latency and cuts at any gateway.
//!
//! ```text
//!             requests ──► pump ───────────────► upstream, looked up anew
//!  client ──┤                                ├──    for each connection
//!             answers  ◄── delay line ◄── pump
//! ```
//!
//! [`FaultProxy::start`] listens. Faults take effect on open connections, too, since streams live for two hours. Bytes
//! pass untouched, and so does TLS: a client with TLS asks for a tunnel ([`ConnectMode::Tunnel`]).
//!
//! # Ends of connections
//!
//! An end in one direction is passed on, and the other direction goes on until its own. A reset is passed on, from the
//! upstream after the bytes before it. A missing upstream resets the client's connection, which without the proxy would
//! not be made.
//!
//! # Bounds
//!
//! - [`CONNECTIONS_MAX`] connections beside those of the plan's streams; one more is reset, and counted.
//! - Five seconds to look up the upstream and connect to it.
//! - Without a latency, a connection holds 64 KiB of unwritten bytes in each direction, and reads no more: the sender
//!   feels it. The read buffer is the thread's.
//! - With a latency, answers are read ahead, up to [`LINE_BYTES_MAX`] of a connection, with an extra cost for small
//!   chunks. Beyond 128 KiB each, all connections together hold 64 MiB; a line without a share of it carries on with
//!   its own.
//! - A fault takes effect within a chunk. The system's own buffers are out of its reach.
//!
//! # Cost
//!
//! Without a fault, on two cores that were busy at times (`cargo run --release -p s2-harness --example proxy_overhead`,
//! nine runs, both ways by turns; small requests on a kept connection, transfers of 16 to 128 MiB):
//!
//! | | directly | by proxy | difference |
//! |---|---|---|---|
//! | a request, median | 17 to 53 µs | 60 to 95 µs | +11 to +78 µs |
//! | bulk, a gigabit link | 126 MB/s | 126 MB/s | −0.3 to +0.7 % |
//! | bulk, a link of ten gigabits | 1,260 to 1,270 MB/s | 1,250 to 1,270 MB/s | −1.0 to +0.3 % |
//! | bulk, loopback at its fastest | 2,200 to 2,800 MB/s | 1,450 to 1,680 MB/s | −27 to −48 % |
//!
//! A request's p99 depends more on the machine than on the proxy: it was 91 to 98 µs directly and 149 to 165 µs by
//! proxy on a quiet machine, and over a millisecond on a busy one. Up to ten gigabits a second the proxy keeps up. On
//! unlimited loopback, each byte crosses it twice, by a third thread on two cores.
//!
//! # Crates
//!
//! `noxious` 1.0 (a port of Toxiproxy) was last released at the time of `rand` 0.8 and `tokio-util` 0.6, and its
//! latency sleeps for each chunk before it takes the next. So do the adapters of `tokio-netem` 0.1, which have no
//! listener, half-closes, bounds and counters. `turmoil` simulates a network without real gateways, and
//! `toxiproxy_rust` needs an installed server. `copy_bidirectional` costs least without a fault, but loses its buffers
//! if stopped.

mod connection;
mod counters;
mod fault;
mod line;
mod listener;
mod pump;
mod tunnel;
mod upstream;

pub use counters::Counters;
pub use fault::AddedLatency;
pub use line::LINE_BYTES_MAX;
pub use listener::{CONNECTIONS_MAX, FaultProxy};
pub use tunnel::ConnectMode;

#[cfg(test)]
mod carrying_tests;
#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod scene;
