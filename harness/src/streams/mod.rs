//! The deliveries of streams: whether an event was lost, repeated, or out of order.
//!
//! - [`Ledger`]: the clients of the workspace streams compared with each other.
//! - [`SeenLines`], [`settle_run`]: the events of one run on the workspace streams, compared with the run's record.
//! - [`ShownLines`]: the events on the run's own stream, compared with the run's record.
//! - [`Lines`]: the log lines that streams delivered, with multiplicity, in bounded memory; [`compare`]: those lines against the
//!   lines of a record; `alike`: when two different texts are the same line, because one of the two is cut or has a prefix.
//!
//! One content hash serves all comparisons: XXH3 (64 bits). It is stable across builds and machines, which the standard
//! library's hasher does not promise. The module has no clock, no socket and no journal: its caller passes moments in, and
//! records the findings.

mod alike;
mod compare;
mod content_hash;
mod delivery;
#[cfg(test)]
mod fuzz_tests;
mod ledger;
mod lines;
mod own_stream;
mod run_findings;
mod seen_lines;
mod sightings;

pub use compare::{LineComparison, RepeatedLine, compare};
pub use content_hash::{content_hash, event_hash};
pub use delivery::{Delivered, Delivery, DeliveryKind, Missed, RepeatedEvent, Settlement};
pub use ledger::{GRACE_MS, Ledger};
pub use lines::Lines;
pub use own_stream::{Difference, ShownLines};
pub use run_findings::{EndShown, Observation, RunFindings, settle_run};
pub use seen_lines::SeenLines;
