//! The records of a journal.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Buckets, Counter, Cycles, Finding, Gauge, GaugeSummary, Source, Timing, TimingRecord};
use crate::{
    catalog::{Phase, Workload},
    plan::Plan,
};

/// The version of the format. A reader refuses a journal with another.
pub const JOURNAL_VERSION: u32 = 1;

/// Limit of all lines but the first, and of a reader's memory for one.
const LINE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The header holds the plan, in which journals of earlier versions list every run: a quarter of a million of them.
const HEADER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Limit of a line's length with its line feed.
pub(super) const fn line_bytes_max(is_first: bool) -> usize {
    if is_first { HEADER_BYTES_MAX } else { LINE_BYTES_MAX }
}

/// One line of a journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum Record {
    /// The first line.
    Header(Box<Header>),
    /// The measurements over some scenario seconds.
    Interval(Box<Interval>),
    /// A thing that happened at a moment.
    Incident(Incident),
    /// The last line of a session that ended in good order.
    End(End),
}

/// The plan, the harness and the gateway of a soak.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`JOURNAL_VERSION`].
    pub version: u32,
    /// The version of the harness.
    pub harness: String,
    /// When the scenario began, RFC 3339 UTC.
    pub started_at: String,
    /// The same by the machine's monotonic clock, milliseconds, for a session that takes over; none where none can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_monotonic_ms: Option<u64>,
    /// The part of names at the gateway that distinguishes this soak from others.
    #[serde(default)]
    pub nonce: String,
    /// The gateway's URL, without user or password.
    pub gateway_url: String,
    /// Whether it is the embedded mock gateway.
    pub embedded: bool,
    /// The plan that is played.
    pub plan: Plan,
    /// Other settings, for a reader; no secrets.
    pub settings: BTreeMap<String, String>,
    /// The contract's routes that this gateway's dialect calls otherwise, each with what it calls it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub routes: BTreeMap<String, String>,
}

/// The type under which an interval, or a fold of many, counts events of types that it has no room for.
pub const OTHER_TYPES: &str = "(further types)";

/// The measurements between two moments, in one phase. An interval in which a window opens or closes is two records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Scenario milliseconds.
    pub from_ms: u64,
    /// Scenario milliseconds.
    pub to_ms: u64,
    /// Steady, or in which window.
    pub phase: Phase,
    /// Which life of the gateway's process this is, where it is known: its pid or its start time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_life: Option<String>,
    /// Which life of the session this is, from 0.
    #[serde(default)]
    pub session_life: u32,
    /// Counts; those that are 0 are left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counters: BTreeMap<Counter, u64>,
    /// Gauges.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub gauges: BTreeMap<Gauge, GaugeSummary>,
    /// Latencies.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub timings: BTreeMap<Timing, TimingRecord>,
    /// The increases of the gateway's own histograms.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sources: BTreeMap<Source, Buckets>,
    /// Events on streams of types that the dialect does not use for runs, by type.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub other_events: BTreeMap<String, u64>,
    /// The cycles of each workload.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cycles: BTreeMap<Workload, Cycles>,
}

impl Interval {
    /// An interval in which nothing was measured.
    #[must_use]
    pub const fn empty(from_ms: u64, to_ms: u64, phase: Phase) -> Self {
        Self {
            from_ms,
            to_ms,
            phase,
            gateway_life: None,
            session_life: 0,
            counters: BTreeMap::new(),
            gauges: BTreeMap::new(),
            timings: BTreeMap::new(),
            sources: BTreeMap::new(),
            other_events: BTreeMap::new(),
            cycles: BTreeMap::new(),
        }
    }
}

/// A thing that happened at a moment, with its evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Scenario milliseconds.
    pub at_ms: u64,
    /// Steady, or in which window.
    pub phase: Phase,
    /// The event.
    #[serde(flatten)]
    pub(crate) finding: Finding,
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Scenario milliseconds.
    pub at_ms: u64,
    /// When, RFC 3339 UTC.
    pub ended_at: String,
    /// Why.
    pub reason: EndReason,
}

/// Why a session ended, by severity: of two reasons the greater counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The plan was played to its end.
    Played,
    /// Nobody was waiting for it any more.
    Abandoned,
    /// The master deadline passed.
    Deadline,
    /// It was asked to stop by a signal.
    Signal,
    /// A fatal error.
    Fatal,
}
