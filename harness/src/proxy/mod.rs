//! A TCP proxy between the harness and a gateway, in the session's own process, which disturbs what it carries: so that
//! "150 ms more" and "a cut" are possible at any gateway, whatever it offers by itself.
//!
//! ```text
//!             requests ──► pump ───────────────► upstream, looked up anew
//!  client ──┤                                ├──    for each connection
//!             answers  ◄── delay line ◄── pump
//! ```
//!
//! [`FaultProxy::start`] listens, [`delay`](FaultProxy::delay), [`go_dark`](FaultProxy::go_dark) and
//! [`clear`](FaultProxy::clear) set the faults, and [`counters`](FaultProxy::counters) has their effect. Faults
//! take effect on connections that are open, too, since streams live for two hours. Bytes pass untouched, and so does TLS: a client
//! that speaks it asks for a tunnel, as it asks any HTTP proxy ([`ConnectMode::Tunnel`]), and goes on knowing the gateway by
//! its own name.
//!
//! # What passes as it is
//!
//! An end in one direction is passed on, and the other direction goes on until its own. A reset is passed on, from the
//! upstream after what came before it. An upstream that is not there resets the client's connection; that is the one
//! thing which a client sees otherwise than without the proxy, since its connection was made.
//!
//! # Bounds
//!
//! - [`CONNECTIONS_MAX`] connections beside those of the plan's streams; one more is reset, and counted.
//! - Five seconds to look up the upstream and connect to it.
//! - Without a latency, a connection holds 64 KiB of what was read and not written in each direction, and nothing more is
//!   read: the sender feels it. The buffer to read into is its thread's.
//! - With one, answers are read ahead, up to [`LINE_BYTES_MAX`] of a connection, small chunks counted dearer than they
//!   are. Beyond 128 KiB, all connections together hold 64 MiB; a line that gets no more of it carries on with what it
//!   has.
//! - A fault takes effect within a chunk. What the system's own buffers hold is out of its reach.
//!
//! # What it costs
//!
//! While it does nothing, on two cores, which others kept busy at times (`cargo run --release -p s2-harness --example
//! proxy_overhead`, nine runs, both ways by turns; small requests on a kept connection, transfers of 16 to 128 MiB):
//!
//! | | directly | by proxy | difference |
//! |---|---|---|---|
//! | a request, median | 17 to 53 µs | 60 to 95 µs | +11 to +78 µs |
//! | bulk, a gigabit link | 126 MB/s | 126 MB/s | −0.3 to +0.7 % |
//! | bulk, a link of ten gigabits | 1,260 to 1,270 MB/s | 1,250 to 1,270 MB/s | −1.0 to +0.3 % |
//! | bulk, loopback at its fastest | 2,200 to 2,800 MB/s | 1,450 to 1,680 MB/s | −27 to −48 % |
//!
//! A request's p99 says more of the machine than of the proxy: it was 91 to 98 µs directly and 149 to 165 µs by proxy on a
//! quiet one, and over a millisecond on a busy one. Up to ten gigabits a second the proxy keeps up. Where loopback has no
//! other limit, each byte crosses it twice, by a third thread on two cores.
//!
//! # Why not a crate
//!
//! Of `noxious` 1.0 (a port of Toxiproxy, whose words are used here), the newest release is of the time of `rand` 0.8
//! and `tokio-util` 0.6, and its latency sleeps for each chunk before it takes the next; so do the adapters of
//! `tokio-netem` 0.1, which would leave listener, half-closes, bounds and counters to us all the same. `turmoil`
//! simulates a network in which a real gateway is not, and `toxiproxy_rust` speaks to a server that somebody would have
//! to install. `copy_bidirectional` is the cheapest way while nothing is done, but it cannot be left in the middle
//! without losing what its buffers hold.

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
