//! The append-only record of a soak: a header, then intervals and incidents, then an end. NDJSON, one record a line.
//!
//! Its size depends on how long the scenario is, not on how fast requests come: counters, gauges and histograms are
//! summed up over an interval, and of each kind of incident an interval keeps a few and counts the rest.

mod clip;
mod finding;
mod histogram;
mod measure;
mod packed;
mod read;
mod record;
#[cfg(test)]
mod tests;
mod write;

pub use clip::{TEXT_CHARS_MAX, clip, one_line};
pub use finding::Finding;
pub use histogram::{HistogramError, LatencyHistogram};
pub use measure::{Buckets, Counter, Cycles, Exemplar, Gauge, GaugeSummary, Source, Timing, TimingRecord};
pub use read::{ReadError, Reader, Torn};
pub use record::{End, EndReason, Header, Incident, Interval, JOURNAL_VERSION, Record};
pub use write::{WriteError, Writer};
