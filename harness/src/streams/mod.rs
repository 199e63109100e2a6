//! The deliveries of streams: whether an event was lost, repeated, or out of order.
//!
//! - [`Ledger`]: the clients of the workspace streams compared with each other.
//! - [`SeenLines`]: the events of one run on the workspace streams, and [`ShownLines`]: those on the run's own stream.
//! - [`Lines`]: the log lines that streams delivered, with multiplicity, in bounded memory; [`compare`]: those lines
//!   against the lines of the run's record; `alike`: when two different texts are the same line, because one is cut or
//!   has a prefix.
//!
//! One content hash serves all comparisons: XXH3 (64 bits). It is stable across builds and machines, which the standard
//! library's hasher does not promise. The module has no clock, no socket and no journal: its caller passes moments in,
//! and records the findings.

mod alike;
mod compare;
mod content_hash;
mod delivery;
#[cfg(test)]
mod fuzz_tests;
mod ledger;
mod lines;
mod own_stream;
mod seen_lines;
mod sightings;

pub use compare::{LineComparison, RepeatedLine, compare};
pub use content_hash::{content_hash, event_hash};
pub use delivery::{Delivered, Delivery, DeliveryKind, Missed, RepeatedEvent, Settlement};
pub use ledger::{GRACE_MS, Ledger};
pub use lines::Lines;
pub use own_stream::{Difference, ShownLines};
pub use seen_lines::SeenLines;
