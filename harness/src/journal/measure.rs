//! The contents of an interval: counters, gauges, timings, cycles.

use serde::{Deserialize, Deserializer, Serialize};

use super::LatencyHistogram;
use crate::catalog::named;

named! {
    /// The counters. Each count belongs to an interval and to the phase (steady, or a chaos window) it fell in.
    Counter {
        /// Readiness probes that were answered, or failed to be.
        ReadyProbes = "ready_probes",
        /// Readiness probes answered 200.
        ReadyOk = "ready_ok",
        /// Probes without an answer during which the harness itself stood still. They are no samples.
        ReadyUnheard = "ready_unheard",
        /// Runs whose start the gateway accepted.
        RunsStarted = "runs_started",
        /// Runs that came to an end of any kind: success, failure, refusal, timeout.
        RunsEnded = "runs_ended",
        /// Runs that ended in success.
        RunsSucceeded = "runs_succeeded",
        /// Requests of W1 to W5, stream openings among them; of the looks at one run the first, and those that went
        /// wrong.
        Requests = "requests",
        /// Those that failed or were answered other than expected.
        RequestErrors = "request_errors",
        /// Those that were sent once more, since the gateway was just closing the connection that they were sent on.
        RequestsRepeated = "requests_repeated",
        /// Readiness probes that were sent once more, likewise.
        ProbesRepeated = "probes_repeated",
        /// Answers whose body S2 could not read: too large, or in an encoding that it does not decode.
        AnswersUnread = "answers_unread",
        /// Runs of which nobody can say how they ended, since S2 could not read their record.
        RunsUnread = "runs_unread",
        /// Runs that had not ended when the soak did, at twice their timeout or later.
        RunsUnended = "runs_unended",
        /// Those that were answered 429: come later.
        RequestsThrottled = "requests_throttled",
        /// Streams that the gateway opened for us, first openings and reconnects, workspace streams and runs' own.
        StreamsOpened = "streams_opened",
        /// Streams that ended without our asking, and without a reason that a healthy gateway has.
        StreamsDropped = "streams_dropped",
        /// Streams closed in good order as they may be: seldom, at the dialect's age, when idle, or after their run.
        StreamsClosed = "streams_closed",
        /// Streams that S2 closed itself, because nothing came on them for as long as it waits.
        StreamsSilent = "streams_silent",
        /// Attempts to come back.
        ReconnectAttempts = "reconnect_attempts",
        /// Attempts that opened a stream.
        ReconnectsOk = "reconnects_ok",
        /// Events of runs of another workspace than the stream's.
        EventsForeign = "events_foreign",
        /// Events delivered to the clients of the ledger.
        EventsDelivered = "events_delivered",
        /// Events delivered again to the same client.
        EventsDuplicated = "events_duplicated",
        /// Events that a client should have seen and did not.
        EventsMissed = "events_missed",
        /// Runs with a log line missing on their own stream, which was not open all the time and may replay or not.
        RunsHalfShown = "runs_half_shown",
        /// Log lines that a run's own stream did not show because it was not open, where it replays nothing.
        LinesNotReplayed = "lines_not_replayed",
        /// Runs whose first log line came before their own stream was open, which replays nothing.
        FirstLinesUnseen = "first_lines_unseen",
        /// Events of workspace log streams and of runs' own that were larger than the limit, and were skipped.
        EventsOversized = "events_oversized",
        /// Versions whose publishing was accepted.
        VersionsPublished = "versions_published",
        /// Versions that appeared in search.
        VersionsFound = "versions_found",
        /// Looks for an earlier version, from one workspace.
        VersionChecks = "version_checks",
        /// Looks that did not find it.
        VersionsLost = "versions_lost",
        /// Tampered manifests sent.
        TamperedSent = "tampered_sent",
        /// Tampered manifests rejected.
        TamperedRejected = "tampered_rejected",
        /// Prompt injections sent.
        InjectionsSent = "injections_sent",
        /// Prompt injections refused.
        InjectionsBlocked = "injections_blocked",
        /// Pieces of personal data sent, and looked for wherever they could show.
        PiiSent = "pii_sent",
        /// Pieces of personal data that showed nowhere.
        PiiMasked = "pii_masked",
        /// Canaries sent, and looked for wherever they could show.
        CanariesSent = "canaries_sent",
        /// Canaries that showed somewhere.
        CanariesLeaked = "canaries_leaked",
        /// Scrapes of the gateway's metrics.
        Scrapes = "scrapes",
        /// Scrapes that answered with metrics.
        ScrapesOk = "scrapes_ok",
        /// Incidents that an interval had no room for.
        IncidentsDropped = "incidents_dropped",
        /// Events the ledger had to forget before every client had passed them.
        LedgerEvicted = "ledger_evicted",
        /// Runs whose log lines on the workspace streams, or on their own, were compared with their record.
        RunsCompared = "runs_compared",
        /// Runs that a limit of ours, or lines that could not be read, kept from being compared.
        RunsUncompared = "runs_uncompared",
        /// Runs whose record has no log lines.
        RecordsEmpty = "records_empty",
        /// Runs whose record lacks log lines that were delivered: it keeps some of them only.
        RecordsShorter = "records_shorter",
        /// Log lines of records that were delivered in another form: one of the two was cut, or had a prefix.
        LinesLoose = "lines_loose",
        /// Log lines of records that may have been delivered in a form that is not recognised.
        LinesUndecided = "lines_undecided",
        /// Equal log lines of a run, with the same time under different ids, that its record has as often.
        LinesEqual = "lines_equal",
        /// Those of which no complete record says how often the run has them.
        LinesEqualUndecided = "lines_equal_undecided",
        /// Runs whose end was on a stream.
        EndsShown = "ends_shown",
        /// Runs that are over by their record, and whose end was on no stream; where no stream has shown any end.
        EndsNotShown = "ends_not_shown",
    }
}

named! {
    /// The measured latencies, in microseconds.
    Timing {
        /// From the moment a run was due to its first log line on any stream.
        StartToLog = "start_to_log",
        /// From the moment a run was due to its end.
        RunDuration = "run_duration",
        /// A request of W1 to W5, from when it was sent to its answer.
        Request = "request",
        /// From an event's own time, finer than to the second, to its arrival on a stream open since, less the clock
        /// offset.
        EventDelivery = "event_delivery",
        /// The same of log lines, on the workspace stream that was first to show the line.
        LineFirstShown = "line_first_shown",
        /// The same of the ends of runs.
        EndFirstShown = "end_first_shown",
        /// From an event's latest showing before on another workspace stream, of several, to that on the stream with a
        /// browser's content codings, or to the end of that stream's connection.
        ShownAsABrowser = "shown_as_a_browser",
        /// The `duration_ms` of `judge.verdict` events.
        JudgeEvent = "judge_event",
        /// The `duration_ms` of `shield.decision` events.
        ShieldEvent = "shield_event",
        /// From a publish being accepted to its appearance in search.
        PublishToSearch = "publish_to_search",
        /// How late a planned start was, before any deliberate hold.
        StartLateness = "start_lateness",
        /// How late a task ran beside those that read the workspace streams; once for each event that they delivered
        /// meanwhile.
        ReadLateness = "read_lateness",
        /// A readiness probe's round trip.
        ReadyRoundTrip = "ready_round_trip",
        /// From a stream's opening to its end, of those that the gateway closed in good order while they were in use.
        StreamAge = "stream_age",
        /// From a stream's loss to its return.
        StreamAway = "stream_away",
    }
}

named! {
    /// The sampled values.
    Gauge {
        /// The gateway's memory, by its processes where it is local, else by its metrics; bytes. The resident memory of
        /// one process, or the sum of several, in which memory shared by fork counts once.
        GatewayRss = "gateway_rss_bytes",
        /// The same right after the gateway was asked to collect its garbage; bytes.
        GatewayRssCollected = "gateway_rss_collected_bytes",
        /// The heap of the gateway's runtime that is in use, garbage among it, by its metrics; bytes.
        GatewayHeapUsed = "gateway_heap_used_bytes",
        /// The memory that the runtime has taken from the system for its heap; bytes.
        GatewayHeapCommitted = "gateway_heap_committed_bytes",
        /// The heap in use after a full collection: at the first scrape after it, or as the runtime reports it; bytes.
        GatewayHeapLive = "gateway_heap_live_bytes",
        /// The gateway's open descriptors, likewise.
        GatewayFds = "gateway_open_fds",
        /// The gateway's open descriptors beyond our own: a connection that we hold open is one of each.
        GatewayFdSurplus = "gateway_fd_surplus",
        /// The gateway's processor time since the last sample, percent of one core; only by its processes.
        GatewayCpu = "gateway_cpu_percent",
        /// Processes over which the gateway's memory, descriptors and processor time were summed: the one that listens,
        /// or is named, and its descendants. Without this gauge they are of one process, or by its metrics.
        GatewayProcesses = "gateway_processes",
        /// Streams as the gateway counts them.
        GatewaySse = "gateway_sse_connections",
        /// Streams the gateway counts beyond those we hold.
        GatewaySseSurplus = "gateway_sse_surplus",
        /// Runs waiting, as the gateway counts them.
        GatewayQueueDepth = "gateway_queue_depth",
        /// Runs under way, as the gateway counts them.
        GatewayRunsConcurrent = "gateway_runs_concurrent",
        /// The gateway's clock less ours, milliseconds; of readings whose round trip was about the fastest.
        ClockOffset = "clock_offset_ms",
        /// The same against our clock as if it had not been set since the soak began, milliseconds.
        UnsetClockOffset = "clock_offset_unset_ms",
        /// Bounds of the lead of the gateway's clock, milliseconds: the reading for events' times, give or take half
        /// its round trip and half a step of that clock.
        ClockBounds = "clock_bounds_ms",
        /// The steps of the gateway's clock as its readings show them, milliseconds: 1,000 without fractions of a
        /// second.
        ClockStep = "clock_step_ms",
        /// Connections that we held while the gateway's descriptors were counted.
        HarnessConnections = "harness_connections",
        /// The session's own resident memory, bytes.
        HarnessRss = "harness_rss_bytes",
        /// The session's own open descriptors.
        HarnessFds = "harness_open_fds",
        /// The session's own processor time since the last sample, percent of one core.
        HarnessCpu = "harness_cpu_percent",
        /// Workspace log streams that we hold open; all streams, where there are only those of single runs.
        OpenStreams = "open_streams",
    }
}

named! {
    /// The gateway's own histograms.
    Source {
        /// `sentinel_judge_duration_seconds`.
        Judge = "sentinel_judge_duration_seconds",
        /// `shield_decision_duration_seconds`.
        Shield = "shield_decision_duration_seconds",
        /// `sse_write_duration_seconds`.
        SseWrite = "sse_write_duration_seconds",
    }
}

/// JSON has null for a number that is not finite, such as a gateway's `NaN`: null reads as NaN.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

fn numbers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
    let numbers = Vec::<Option<f64>>::deserialize(deserializer)?;
    Ok(numbers.into_iter().map(|number| number.unwrap_or(f64::NAN)).collect())
}

/// A gauge over an interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GaugeSummary {
    /// The least sample.
    #[serde(deserialize_with = "number")]
    pub min: f64,
    /// The greatest sample.
    #[serde(deserialize_with = "number")]
    pub max: f64,
    /// The last sample.
    #[serde(deserialize_with = "number")]
    pub last: f64,
    /// How many samples.
    pub count: u64,
}

impl GaugeSummary {
    /// A summary of one sample.
    #[must_use]
    pub const fn of(value: f64) -> Self {
        Self { min: value, max: value, last: value, count: 1 }
    }

    /// Takes in one more sample.
    pub const fn add(&mut self, value: f64) {
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.last = value;
        self.count += 1;
    }
}

/// A sample that stands for others: which run, when, how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exemplar {
    /// When it was complete, scenario milliseconds.
    pub at_ms: u64,
    /// Microseconds.
    pub value_us: u64,
    /// A run's id, a stream, a version, a route: whatever names it.
    pub subject: String,
}

/// A timing over an interval: all of it as a histogram, and the worst by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimingRecord {
    /// Every sample.
    pub histogram: LatencyHistogram,
    /// The worst samples, worst first; a few.
    pub worst: Vec<Exemplar>,
}

/// The increase of a gateway's own histogram over an interval: not cumulative, neither in time nor over the buckets.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Buckets {
    /// Upper bounds, rising, in seconds. The last is infinite, and not written.
    #[serde(deserialize_with = "numbers")]
    pub bounds_seconds: Vec<f64>,
    /// Samples in each bucket; one more than there are bounds.
    pub counts: Vec<u64>,
}

impl Buckets {
    /// All samples, saturating: counts come from outside.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().fold(0, |sum: u64, count| sum.saturating_add(*count))
    }
}

/// The cycles of a workload in an interval.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cycles {
    /// Cycles that came due and were started.
    pub started: u64,
    /// Cycles that were played to their end, whatever the gateway made of them.
    pub finished: u64,
}
