//! The append-only record of a soak: a header, then intervals and incidents, then an end. NDJSON, one record a line.
//!
//! Its size depends on the scenario's length, not on the rate of requests: an interval sums counters, gauges and
//! histograms, keeps a few incidents of each kind and counts the rest.
//!
//! # Journals that no writer wrote
//!
//! A damaged or crafted journal is read to its end, or to a [`ReadError`]. A line has at most 4 MiB, a header 16 MiB;
//! reading one takes at most 64 bytes for each of its bytes (JSON of `{"":0}` has room for four fields in each object)
//! and 64 KiB; a histogram of any bytes takes at most 2 MiB, all its buckets, and a history with all its verdicts 24
//! MiB. A plan that no settings make is an error.
//!
//! Tests hold that with any bytes, any JSON, and whole journals with flipped bytes, lines cut, doubled and spliced,
//! numbers and values replaced, histograms and headers crafted; they measure allocations on their own thread. `cargo
//! test` plays up to a thousand of each. Last, and without a finding, these were played in release:
//!
//! | cases | input | by |
//! |---|---|---|
//! | 1,000,000 each | any bytes; lines of any JSON; histograms of any bytes | `PROPTEST_CASES=1000000 cargo test --release -p s2-harness --lib journal::fuzz` |
//! | 100,000 each | whole journals damaged; with other numbers; with other plans; a gauge of any numbers over any lives; each judged | `PROPTEST_CASES=100000 cargo test --release -p s2-harness --lib judge::fuzz` |

mod clip;
mod finding;
#[cfg(test)]
pub(crate) mod fuzz_tests;
mod histogram;
mod measure;
mod packed;
mod process_source;
mod read;
mod record;
mod recordable;
#[cfg(test)]
mod resume_tests;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use clip::clip_to;
pub use clip::{TEXT_CHARS_MAX, clip, one_line};
pub(crate) use finding::Finding;
pub use histogram::LatencyHistogram;
pub use measure::{Buckets, Counter, Cycles, Exemplar, Gauge, GaugeSummary, Source, Timing, TimingRecord};
pub(crate) use process_source::{is_process_source, process_source};
pub use read::{ReadError, Reader, Torn};
use record::line_bytes_max;
pub use record::{End, EndReason, Header, Incident, Interval, JOURNAL_VERSION, OTHER_TYPES, Record};
pub use write::{WriteError, Writer};
