//! Reasons why a judgement is red although its value does not say so, as data.

use serde::{Deserialize, Serialize};

use crate::{
    catalog::{Chaos, Kpi, Phase, Unit},
    history::Relapse,
    journal::Source,
    judge::Range,
};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Fault {
    /// Heartbeats were late, or did not come.
    HeartbeatsMissed,
    /// The record stops before the end of the plan.
    RecordCut { at_ms: u64 },
    /// Holes take too much of the plan.
    HolesTooLong { percent: f64 },
    /// Planned starts did not happen.
    StartsMissed { started: u64, planned: u64 },
    /// Late starts make the soak worth less. `stall` is the longest stall of the session: its end, and its length in
    /// real milliseconds.
    StartsLate { harm: LateStarts, stall: Option<(u64, u64)> },
    /// KPIs may have missed their targets because streams were read late.
    StreamsReadLate { streams: u32, kpis: Vec<Kpi> },
    /// A worker was given up.
    WorkerGivenUp { at_ms: u64, message: String },
    /// A worker panicked too often, and went on: the last message.
    PanicsTooMany { panics: u64, message: String },
    /// Planned cycles did not take place.
    CyclesMissed,
    /// A worker was not seen to end.
    WorkerUnended,

    /// The quantile is in the last bucket of a histogram, over the target.
    BucketUnbounded { source: Source, lower_ms: f64 },
    /// Events took longer than the gateway's histogram says.
    EventsSlower { source: Source, at_most_ms: f64, reported_ms: f64 },
    /// It is proven that events arrive later than the gateway's histogram says. The network and the harness may explain
    /// `ready_ms` of their delay.
    EventsArriveLate { source: Source, at_most_ms: f64, p99_ms: f64, which: LateEvents, late_ms: f64, ready_ms: f64 },
    /// The stream that asks as a browser does shows events later than others. `without_ms` is the value without it.
    EventsBehind { stream: String, late_ms: f64, ready_ms: f64, without_ms: Option<f64> },
    /// Versions did not appear in search.
    VersionsNotFound { not_found: u64, published: u64 },
    /// The gateway did not recover from a chaos event while S2 waited.
    NotRecovered { chaos: Chaos, waited_ms: u64, answer: String },
    /// After a chaos event the gateway was well, then not ready, and not seen to be well again.
    RelapsedForGood { chaos: Chaos, relapse: Relapse },
    /// Events of runs of another workspace were shown.
    EventsForeign { events: u64 },
    /// More requests went wrong in a chaos window than the target allows: the lower end of their share.
    WindowMissed { phase: Phase, errors: u64, requests: u64, least_percent: f64 },
    /// Good chaos windows do not make up for bad ones.
    WindowsJudgedApart,
    /// A KPI is worse than in the earlier run by more than the regression limit, and meets its target.
    Regressed {
        unit: Unit,
        limit: f64,
        max_percent: f64,
        then: (f64, Option<Range>),
        now: (f64, Option<Range>),
        /// None where it is infinite, which JSON cannot carry.
        worse_percent: Option<f64>,
    },
}

/// How late starts make a soak worth less.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum LateStarts {
    /// Too many were late: the load was another.
    TooMany { late: u64, starts: u64, percent: f64, limit_ms: f64 },
    /// Nothing was started for too long: the share of the plan, and the real time.
    StoodStill { percent: f64, stalled_ms: u64 },
    /// KPIs may have missed their targets because of them.
    Decisive { kpis: Vec<Kpi> },
}

/// The events that are certainly late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum LateEvents {
    /// One in ten of all events.
    OneInTen,
    /// One log line and one end of a run in a hundred, on every stream.
    OneInHundredOnAll,
}
