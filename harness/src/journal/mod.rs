//! The append-only record of a soak: a header, then intervals and incidents, then an end. NDJSON, one record a line.
//!
//! Its size depends on how long the scenario is, not on how fast requests come: counters, gauges and histograms are
//! summed up over an interval, and of each kind of incident an interval keeps a few and counts the rest.
//!
//! # Journals that no writer wrote
//!
//! A journal may be damaged, or made up: it is still read to its end, or to a [`ReadError`] that says what is wrong. A line
//! is 4 MiB long at most, a header 16 MiB, and reading one never takes more than 64 bytes for each of its bytes (JSON of
//! `{"":0}` has room for four fields in each object) and 64 KiB; a histogram of any bytes takes 2 MiB at most, which
//! is all of its buckets, and a history with all its verdicts 24 MiB. A plan that no settings could have made is an error
//! before anyone plays or judges by it.
//!
//! Tests hold that with any bytes, any JSON, and whole journals with bytes flipped, lines cut, doubled and spliced, numbers
//! and values replaced, histograms and headers crafted; they measure what is allocated, on their own thread. `cargo test`
//! plays a few hundred or a thousand of each. Last, and without a finding, these were played in release:
//!
//! | cases | of what | by |
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
pub use finding::Finding;
pub use histogram::{HistogramError, LatencyHistogram};
pub use measure::{Buckets, Counter, Cycles, Exemplar, Gauge, GaugeSummary, Source, Timing, TimingRecord};
pub(crate) use process_source::{is_process_source, process_source};
pub use read::{ReadError, Reader, Torn};
use record::line_bytes_max;
pub use record::{End, EndReason, Header, Incident, Interval, JOURNAL_VERSION, OTHER_TYPES, Record};
pub use write::{WriteError, Writer};
