//! The notes of a judge on a verdict as data, its reasons among them. `report` turns them into words.

use serde::{Deserialize, Serialize};

use crate::{
    catalog::{Chaos, Phase, SampleSource, Workload},
    history::{ProcessChange, Relapse, Violation},
    journal::Source,
    judge::{Fault, UnprovenReason, stats::growth::Growth},
};

/// A note for a reader of a judgement: the source that was used, parts that were left out, limits of the verdict, and
/// why it is not green.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Note {
    /// Cycles of a workload were started and not finished, or finished in another session.
    CyclesUnfinished { started: u64, finished: u64 },
    /// The worker of a workload panicked more than once.
    WorkerPanicked { panics: u64, last_ms: u64 },
    /// A workload started fewer cycles than planned.
    StartsMissing { workload: Workload, started: u64, planned: u64 },
    /// Requests were answered with a `wait` status.
    RequestsThrottled { requests: u64 },
    /// The lateness of planned starts.
    StartLateness { p99_ms: f64, starts: u64 },
    /// Planned starts were later than the limit.
    StartsLate { late: u64, starts: u64, limit_ms: f64, latest_ms: f64 },
    /// Events of the workspace streams were read later than the limit.
    ReadLateness { p99_ms: f64, events: u64 },
    /// The session stood still until a moment.
    SessionStoodStill { until_ms: u64, stalled_ms: u64 },
    /// A part of the scenario was not played.
    HolesInPlan { holes_ms: u64, percent: f64 },

    /// Chaos windows were open for longer than planned, so fewer samples are expected.
    WindowsOpenLonger { expected: u64, planned: u64 },
    /// The first sample that counts came right after a chaos window that missed the target too.
    WindowNotCounted { phase: Phase, first_counted_ms: u64 },
    /// Processes ended although no chaos event asked for it: the first few, and the number of the others.
    RestartsUnasked { changes: Vec<ProcessChange>, more: usize },
    /// After a chaos event the gateway was well, then not ready, and well again within the target.
    Relapsed { chaos: Chaos, relapse: Relapse },

    /// Runs ended whose first log line came before their own stream was open.
    FirstLinesUnseen { runs: u64 },
    /// The gateway's histogram decides; without an upper bound the quantile is in its last bucket.
    ByHistogram { source: Source, lower_ms: f64, upper_ms: Option<f64> },
    /// Events decide, since the gateway's histogram does not.
    ByEvents { source: Source, gap: HistogramGap },
    /// Neither the gateway's histogram nor events decide. `scrapes` may say why the histogram has too few
    /// samples.
    NeitherDecides { source: Source, gap: HistogramGap, scrapes: Vec<Note>, events: u64 },
    /// Intervals had buckets that are not a histogram.
    HistogramMalformed { source: Source, intervals: u64 },
    /// The delay of steady events, and of `/ready`.
    EventsArrived { p99_ms: f64, ready_p99_ms: Option<f64> },
    /// The delay of steady events is not known.
    EventsUntimed { cause: Option<UntimedCause>, ready_p99_ms: Option<f64> },
    /// Arrivals prove nothing, since the gateway's clock is not known well enough.
    ArrivalsUnclear(ClockDoubt),
    /// Arrivals are late, and that does not prove that the gateway is slow.
    LateArrivalsNoProof(LateDoubt),
    /// The stream that asks as a browser does shows events late. Events that it lacks may be held back.
    EventsHeldBack { stream: String },

    /// Probes without an answer are not counted, since the harness stood still.
    ProbesUnheard { probes: u64 },
    /// Requests that were sent once more on a new connection.
    RequestsRepeated { requests: u64 },
    /// The records of runs could not be read.
    RunsUnread { runs: u64 },
    /// Runs had not ended when the soak did: their number, and the first few.
    RunsUnended { runs: u64, first: Vec<Violation> },
    /// Streams were closed in good order.
    StreamsClosed { streams: u64 },
    /// S2 closed silent streams.
    StreamsSilent { streams: u64 },
    /// Streams were closed in good order at one age: its quantiles 0.1, 0.5 and 0.9.
    ClosedAtOneAge { streams: u64, low_us: u64, median_us: u64, high_us: u64 },
    /// Answers could not be read, and count as no error.
    AnswersUnread { answers: u64 },
    /// Failed requests on record, by route.
    ErrorsByRoute { routes: Vec<(String, u64)> },
    /// Bad samples without an incident.
    IncidentsMissing { samples: u64 },

    /// Deliveries of events that were larger than the limit.
    EventsOversized { deliveries: u64 },
    /// Events of types that the dialect does not use, the most frequent types, and the number of the others.
    EventsNotCompared { events: u64, types: Vec<(String, u64)>, more_types: usize },
    /// Log lines came again, as often as the records of their runs have them.
    LinesRepeated { lines: u64 },
    /// Log lines came again, and no complete record says how often their runs have them.
    RepetitionsUndecided { lines: u64 },
    /// The ledger forgot events before every client had passed them.
    EventsForgotten { events: u64 },
    /// Streams were compared with the records of runs.
    RunsCompared { comparisons: u64, succeeded: u64 },
    /// Runs were not compared with their records.
    RunsUncompared { runs: u64 },
    /// The records of runs have no log lines.
    RecordsEmpty { runs: u64 },
    /// The records of runs have fewer lines than their streams.
    RecordsShorter { runs: u64 },
    /// Log lines and records matched in part.
    LinesLoose { lines: u64 },
    /// Log lines of records are on no stream, and as many of streams are in no record.
    LinesUndecided { lines: u64 },
    /// No stream showed the end of any run.
    EndsNeverShown { runs: u64 },
    /// Log lines came while the run's own stream was not open, and it replays nothing.
    LinesNotReplayed { lines: u64 },
    /// The own streams of runs lack lines from while they were not open.
    RunsHalfShown { runs: u64 },

    /// One life of a process.
    Life(LifeGrowth),
    /// Several processes answer in turn.
    LivesInTurn { lives: usize },
    /// The process was another this often.
    LivesInSequence { changes: usize },
    /// Memory grew, and whether that is garbage is not known.
    GarbageUnknown { rise_percent: f64 },
    /// The processes that were read, and the greatest number of them where there was more than one.
    ProcessesRead { read: Vec<String>, most: Option<f64> },
    /// Several processes answered the metrics in turn. The source says what becomes of their values.
    MetricsInTurn { processes: u32, source: SampleSource },
    /// The harness's own clock was set.
    OwnClockSet,
    /// The least and the greatest offset of the gateway's clock.
    ClockOffsets { least_ms: f64, greatest_ms: f64 },
    /// `/health` gives the time in steps.
    ClockInSteps { step_ms: f64 },
    /// Readings of the same minute are further apart than the target, in this many minutes.
    ClockReadingsApart { minutes: usize },

    /// A source did not answer as it should.
    SourceFailed(SourceFailure),
    /// Scrapes of the metrics failed.
    ScrapesFailed { source: String, answer: String, failed: u64, scrapes: u64 },
    /// The metrics lack names. The answer of the metrics may say why.
    MetricsLack { names: Vec<String>, answer: Option<String> },
    /// The metrics were never scraped.
    NeverScraped,

    /// The run that the soak was compared with.
    ComparedWith { baseline: String, started_at: String },
    /// The two runs were played at another pace.
    PaceDiffers { then: f64, now: f64 },
    /// The two runs were planned for another length.
    LengthDiffers { then_minutes: f64, now_minutes: f64 },
    /// The results of the earlier run were written before it ended.
    BaselineUnended,

    /// Why it is unproven.
    Unproven(UnprovenReason),
    /// Why it is red, where its value does not say so.
    Fault(Fault),
}

/// Why the gateway's histogram does not decide.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) enum HistogramGap {
    /// The target divides the bucket of the quantile.
    Between { lower_ms: f64, upper_ms: Option<f64> },
    /// It has too few samples.
    Few { samples: u64, promised: u64 },
    /// It has no samples.
    Empty,
}

/// Why no event says how long it was on its way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum UntimedCause {
    /// The gateway's clock could not be read.
    Source(SourceFailure),
    /// The gateway's clock has steps that are too large.
    CoarseClock { step_ms: f64 },
}

/// Why the gateway's clock is not known well enough.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) enum ClockDoubt {
    /// There are no bounds of its offset.
    Unknown,
    /// It was read in too few of the steady minutes.
    SeldomRead { read: u64, minutes: usize },
    /// Its bounds are further apart than the target of `clock_drift`.
    Moves { slack_ms: f64 },
}

/// Why late arrivals are no proof.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) enum LateDoubt {
    /// Too few events are timed.
    FewEvents { timed: u64, promised: u64 },
    /// The distance to the gateway is not known.
    NoRoundTrip,
    /// The delay of first log lines is not known.
    NoStart,
    /// Nine in ten events seem to take longer than half of the runs took to their first line.
    OtherClock { quick_ms: f64, start_ms: f64 },
    /// The network, the harness and the clock explain the delay.
    Explained { late_ms: f64, ready_ms: f64, slack_ms: f64 },
}

/// The measure of memory in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum RetainedBy {
    /// Resident memory, with garbage.
    Resident,
    /// The heap alone after full collections.
    Heap,
    /// The same, and resident memory beyond the heap.
    HeapAndRest,
    /// The floors of the heap, an upper bound since they include garbage.
    HeapFloors,
    /// Resident memory after requested collections.
    Requested,
}

/// The growth over one life of a process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct LifeGrowth {
    /// Whether these are all lives, taken as one.
    pub(crate) is_over_all: bool,
    /// The least base of the growth of memory, bytes; none for a count.
    pub(crate) base_min_bytes: Option<f64>,
    /// The first and the last minute with a floor; none without floors.
    pub(crate) minutes: Option<(u64, u64)>,
    /// The number of floors after the warm-up.
    pub(crate) floors: usize,
    /// None where there are too few floors.
    pub(crate) growth: Option<Growth>,
    pub(crate) retained_by: RetainedBy,
    /// Resident memory after the warm-up and at the end, bytes.
    pub(crate) resident_bytes: [Option<f64>; 2],
    /// Whether more than the target allows may be garbage.
    pub(crate) may_be_garbage: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SourceFailure {
    pub(crate) source: String,
    /// The last answer.
    pub(crate) answer: String,
    pub(crate) times: u64,
    /// Whether it failed in chaos windows only.
    pub(crate) is_in_windows: bool,
}

impl From<UnprovenReason> for Note {
    fn from(reason: UnprovenReason) -> Self {
        Self::Unproven(reason)
    }
}

impl From<Fault> for Note {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}
