//! Reasons why a judgement is unproven, as data.

use serde::{Deserialize, Serialize};

use crate::{
    history::Violation,
    journal::{EndReason, Gauge, Timing},
};

/// Why a judgement is unproven: samples that are missing, or that prove nothing. An early end of the session also fails
/// checks and workloads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum UnprovenReason {
    /// The record is empty.
    NeverBegan,
    /// The record has no end.
    EndMissing { reached_ms: u64 },
    /// The session ended before its plan was played. `fatal` is its fatal error, where it named one.
    EndedEarly { at_ms: u64, reason: EndReason, fatal: Option<String> },
    /// Nothing was played for some time: the first such hole, and its cause.
    NothingPlayed { from_ms: u64, to_ms: u64, cause: String },
    /// There are no samples, and nothing says why.
    NoSamples,
    /// There are too few samples, and nothing says why.
    FewSamples,
    /// A route that gives samples gave wrong answers: the last one.
    RouteAnswered { route: String, answer: String, last_ms: u64 },
    /// A chaos event was not injected, or had no effect.
    ChaosUnproven(Violation),

    /// Throttled requests are no load, and there are too many of them.
    LoadThrottled { throttled: u64, requests: u64, percent: f64 },
    /// The lateness of most starts is not known.
    LatenessUnmeasured { measured: u64, started: u64 },
    /// A latency missed its target by less than this process was late.
    HarnessLate { part: LatePart, quantile: f64, value_ms: f64, late_ms: f64 },
    /// Events arrive late, and S2 read them late.
    EventsReadLate { late_ms: f64 },
    /// No run wrote a log line.
    LogLinesMissing,

    /// A gauge was never measured out of chaos windows.
    GaugeUnmeasured { gauge: Gauge },
    /// The same of the gateway's clock.
    ClockUnread,
    /// No life of the process is long enough.
    LivesTooShort { lives: usize, minutes_min: usize },
    /// A count fell below its possible minimum. It counts what the gateway has beyond S2's own streams, or its queue.
    CountTooLow { gauge: Gauge, before: f64, from_ms: u64, after: f64, to_ms: u64 },
    /// The process has fewer descriptors than S2 has connections to the gateway.
    AnotherProcess { is_by_metrics: bool, fewer: f64, connections: f64 },
    /// The number of processes that answer the metrics in turn changed.
    ProcessesChanged { most: u32, until_ms: u64 },

    /// Searches did not show all hits: their number, and the first.
    SearchesCut { searches: u64, first: Violation },
    /// Prompt injections were accepted, and their runs did not succeed.
    InjectionsUnclear { injections: u64, first: Violation },
    /// Runs with personal data were refused.
    PiiRefused { runs: u64, first: Violation },
}

/// The parts of this process that may be late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum LatePart {
    Starts,
    /// The threads that read the workspace streams.
    Reading,
}

impl LatePart {
    pub(crate) const fn timing(self) -> Timing {
        match self {
            Self::Starts => Timing::StartLateness,
            Self::Reading => Timing::ReadLateness,
        }
    }
}
