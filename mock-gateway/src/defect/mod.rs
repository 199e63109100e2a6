//! Defects that a gateway can be given, so that a harness can show that it finds them; and oddities, which a healthy
//! gateway may have, and which a harness must not take for defects.
//!
//! Here are their names and what they do. `faults`, `streams`, `telling` and `lapses` are where each is decided, with its
//! share or size; the one line that calls it stands where the behaviour is. `habits` are the oddities of streams, `answers` what
//! becomes of answers on the wire, `leaks` is what grows, `lines` what becomes of log lines, `processes` who counts.

mod answers;
mod faults;
mod habits;
mod heap;
mod lapses;
mod leaks;
mod lines;
mod processes;
mod streams;
mod telling;

use std::fmt;
use std::str::FromStr;

pub(crate) use answers::Gzip;
pub(crate) use faults::{Faults, Slips};
pub(crate) use habits::AfterEnd;
pub(crate) use heap::HeapReading;
pub(crate) use heap::fill as fill_heap;
pub(crate) use leaks::breathe;
pub(crate) use processes::PROCESSES;
pub(crate) use processes::pause;
pub use processes::work_if_asked;
pub(crate) use streams::{Delivery, Ending};
pub(crate) use telling::Reach;

/// The table of all defects and oddities: one line each, from which come the type, its documentation and the help.
macro_rules! defects {
    (
        defects { $($defect:ident $defect_name:literal $defect_does:literal)* }
        oddities { $($oddity:ident $oddity_name:literal $oddity_does:literal)* }
    ) => {
        /// One thing that is wrong with the gateway, or merely odd about it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Defect {
            $(#[doc = $defect_does] $defect,)*
            $(#[doc = concat!("Healthy, but odd: ", $oddity_does)] $oddity,)*
        }

        impl Defect {
            /// All of them, the oddities last.
            pub const ALL: &'static [Self] = &[$(Self::$defect,)* $(Self::$oddity,)*];

            /// As it is named on the command line.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$defect => $defect_name,)*
                    $(Self::$oddity => $oddity_name,)*
                }
            }

            /// Returns its effect, in one line.
            pub const fn does(self) -> &'static str {
                match self {
                    $(Self::$defect => $defect_does,)*
                    $(Self::$oddity => $oddity_does,)*
                }
            }

            /// Whether a gateway with it is healthy all the same, and no harness may find fault with it.
            pub const fn is_oddity(self) -> bool {
                matches!(self, $(Self::$oddity)|*)
            }

            /// Whether it is one of a store that is in memory.
            pub(crate) const fn is_of_memory(self) -> bool {
                matches!(self, Self::RestartLosesEvents | Self::ForgetPrivacy | Self::EmptyRegistry)
            }
        }
    };
}

defects! {
    defects {
        Unready "unready" "0.5 % of /ready answers are 503"
        RunsFail "runs-fail" "8 % of runs end `failed`"
        SlowStartTail "slow-start-tail" "3 % of runs log their first line 2.5 s late"
        SlowStart "slow-start" "every run logs its first line 1.5 s late"
        SlowJudge "slow-judge" "8 % of verdicts take 600 ms"
        SlowShield "slow-shield" "8 % of shield decisions take 400 ms"
        SlowWriteTail "slow-write-tail" "3 % of events are written 0.2 to 0.4 s late"
        RefuseResume "refuse-resume" "5 % of stream openings with a Last-Event-ID get 503"
        DropStreams "drop-streams" "5 % of streams a second are cut"
        CloseStreams "close-streams" "every stream is closed in good order after 9 s"
        DuplicateEvents "duplicate-events" "1 % of events are delivered twice, under one id"
        RedeliverNewId "redeliver-new-id" "0.5 % of events are delivered again under a new id"
        LoseEvents "lose-events" "0.5 % of events are not delivered to one of their streams"
        IgnoreLastEventId "ignore-last-event-id" "a resumed stream replays nothing"
        ReplayFromStart "replay-from-start" "a resumed stream replays all that is kept"
        ApiErrors "api-errors" "2 % of POSTs answer 500, chaos aside"
        ChaosErrors "chaos-errors" "8 % of API requests answer 500 in chaos and for 1 s after it"
        SlowIndex "slow-index" "a published version is found after 12 s"
        ForgetVersions "forget-versions" "a published version is found no more after 18 s"
        AcceptTampered "accept-tampered" "a manifest with a wrong signature is published"
        AcceptInjections "accept-injections" "a prompt injection is accepted"
        LeakPii "leak-pii" "a run's log has personal data unmasked"
        LeakPiiOutput "leak-pii-output" "a run's output has personal data unmasked"
        LeakCanaryLog "leak-canary-log" "the log of a hash-only run has the plain message"
        LeakCanaryBase64 "leak-canary-base64" "the log of a hash-only run has the message in Base64"
        LeakMemory "leak-memory" "every run leaves 64 KiB behind"
        LeakDescriptors "leak-descriptors" "every fifth run leaves a socket open"
        LeakStreams "leak-streams" "30 % of closed streams are counted as open for ever"
        LeakQueue "leak-queue" "every fifth run is counted as waiting for ever"
        ClockDrift "clock-drift" "the clock of /health and of events runs 2 % fast"
        ClockJump "clock-jump" "the clock of /health and of events jumps 2 s ahead, 30 s after the start"
        NeverHeals "never-heals" "injected latency stays for a day"
        LatencyNotApplied "latency-not-applied" "injected latency is accepted, and there is none"
        UnnoticedRestart "unnoticed-restart" "a restart of the store is accepted, and nothing of it can be seen from outside"
        HiddenOutage "hidden-outage" "after a restart of the store the API is 503 for 5 s, while /ready is 200 and streams stay open"
        RestartNotDone "restart-not-done" "a restart, of gateway or store, is accepted and not done"
        SlowRecovery "slow-recovery" "a restarting gateway refuses connections for 3 s"
        NoMetrics "no-metrics" "/metrics is 404"
        NoHistograms "no-histograms" "/metrics has no histograms"
        MetricsFrozen "metrics-frozen" "from 5 s after the start, /metrics never changes"
        UnorderedEvents "unordered-events" "1 % of events are told after the next one"
        EndBeforeLastLog "end-before-last-log" "the end of 10 % of runs is told before their last log line"
        SilentStreams "silent-streams" "streams of the first 30 s carry comments only from then on"
        SilentAfterRestart "silent-after-restart" "after a gateway restart, streams of workspaces carry comments only"
        RestartLosesEvents "restart-loses-events" "a restarted gateway has no events to replay"
        ResumeOneAgain "resume-one-again" "a resumed stream begins with the last event that was had"
        ResumeOneShort "resume-one-short" "a resumed stream lacks the first event that was missed"
        LoseForAll "lose-for-all" "3 % of log lines are in their run, and on no stream"
        LoseOnWorkspaceStreams "lose-on-workspace-streams" "every fourth log line is on no stream of its workspace, and on its run's own"
        TruncatedData "truncated-data" "the data of 0.5 % of events breaks off half-way"
        ForeignEvents "foreign-events" "the streams of a workspace carry the events of every workspace"
        MixedRuns "mixed-runs" "20 % of the streams of a run carry the events of every run of its workspace"
        GrowingLatency "growing-latency" "first log lines are later and later, by 1.6 s in a minute"
        SlowAfterRestart "slow-after-restart" "for 4 s from a gateway restart, runs log their first line 2.5 s late"
        SlowCreate "slow-create" "4 % of runs are created after 3 s"
        LyingHistogram "lying-histogram" "events are written after 400 ms, and the histogram says at once"
        ShortSignature "short-signature" "a signature is compared by its first 8 digits"
        PublishRejected "publish-rejected" "a manifest with a wrong signature is refused, and published"
        RunRefused "run-refused" "a prompt injection is refused, and run"
        LeakPiiGuard "leak-pii-guard" "a shield decision has personal data unmasked"
        LeakCanaryGuard "leak-canary-guard" "a shield decision about a hash-only run has the plain message"
        LeakCanaryMetrics "leak-canary-metrics" "/metrics has the plain message of the last hash-only run in a label"
        LeakCanaryInput "leak-canary-input" "a hash-only run has its plain input until it has ended"
        LeakCanaryHex "leak-canary-hex" "the log of a hash-only run has the message in hex"
        HideWhileHashOnly "hide-while-hash-only" "a hash-only run keeps its plain input, and shows it after the toggle back"
        LateToggle "late-toggle" "a privacy toggle takes effect after 4 s"
        ForgetPrivacy "forget-privacy" "a restarted store has no privacy settings"
        LeakSecondHour "leak-second-hour" "from 30 s after the start, every run leaves 64 KiB behind"
        LeakBelowGarbage "leak-below-garbage" "of a heap of 48 MiB 16 MiB a minute more stay in use, and resident memory is level"
        LeakAtChaos "leak-at-chaos" "every chaos event leaves 4 MiB behind"
        DescriptorsAtChaos "descriptors-at-chaos" "every chaos event leaves four sockets open"
        SwingingClock "swinging-clock" "the clock of /health and of events is 1.5 s ahead in every other 2 s"
        FrozenClock "frozen-clock" "the clock of /health stands still from 10 s after the start"
        UndercountStreams "undercount-streams" "every closed stream is taken off the count twice"
        SearchOwnOnly "search-own-only" "a search finds the versions of its own workspace only"
        FlickeringSearch "flickering-search" "20 % of searches find nothing"
        WrongVersion "wrong-version" "a search gives versions without their last three characters"
        NewestOnly "newest-only" "a search finds the newest version of each agent only"
        EmptyRegistry "empty-registry" "a restarted store has no published versions"
        RunsStuck "runs-stuck" "2 % of runs never end"
        EmptyRuns "empty-runs" "8 % of runs end `completed` and have logged nothing"
        OddStatus "odd-status" "a run under way is `processing`"
        OddEnd "odd-end" "the end event of 10 % of runs says `done`"
        ErrorIn200 "error-in-200" "2 % of API answers are 200 with an error in the body"
        LatencyReadyOnly "latency-ready-only" "injected latency is that of /ready only"
        FlapAfterRestart "flap-after-restart" "from 3 s to 4 s after a gateway restart, every other /ready is 503"
        WorkerLeak "worker-leak" "a worker process leaves 64 KiB behind for every run, and a socket for every fifth"
        OneWorkerLeaks "one-worker-leaks" "two processes that began in one second answer /metrics in turn, and one grows by 40 % of 60 MB in a minute"
        ReadyTooEarly "ready-too-early" "after a gateway restart /ready is 200, and 5 s long the API is 503"
        NoEnd "no-end" "4 % of runs complete, and no stream tells their end"
        LongRunsLose "long-runs-lose" "2.5 % of runs log 1,200 lines more, of which every 50th is on no stream"
        StallingWrites "stalling-writes" "all streams stand still for 1.2 s in every 10 s, and the histogram says at once"
        RedeliverToOne "redeliver-to-one" "0.5 % of events are delivered again under a new id, to one of their streams"
        OkWithError "ok-with-error" "5 % of creates are 200 with an error in the body, and create nothing"
        CompressedStreams "compressed-streams" "a stream that is asked for in gzip is held back until 16 KiB of it have come together"
    }
    oddities {
        Sawtooth "sawtooth" "memory rises by 16 % and falls back, every 3 s"
        WarmUpGrowth "warm-up-growth" "memory grows by 25 % in the first 4 s, and then no more"
        LazyHeap "lazy-heap" "memory grows by 24 MiB a minute with garbage, and metrics of the heap show that no more is in use after a collection"
        RuntimeWarmUp "runtime-warm-up" "memory grows by 40 MiB in the first real minute, as that of a runtime does"
        SparseIds "sparse-ids" "event ids have holes of up to six"
        IdsPerConnection "ids-per-connection" "event ids start anew on every connection, and streams resume all the same"
        BurstEvents "burst-events" "events are written in bursts, every 100 ms"
        SlowButSteady "slow-but-steady" "first log after 0.9 s, events written after 120 ms, verdicts after 250 ms, decisions after 150 ms, versions found after 8 s"
        KeepAliveOnly "keep-alive-only" "guard streams carry comments only; every idle stream gets one a second"
        LogBeforeAnswer "log-before-answer" "a start is answered 50 ms after the run's first log line"
        HourlyClose "hourly-close" "every stream is closed in good order once, 30 s after the start"
        ClosedAfterEnd "closed-after-end" "a run's own stream is closed in good order 5 ms after the run's end, and at once where the run is over"
        ResetAfterEnd "reset-after-end" "the connection of a run's own stream is reset 5 ms after the run's end"
        NoContentAfterEnd "no-content-after-end" "a run's own stream that is opened after the run's end answers 204"
        RotatedStreams "rotated-streams" "every stream is closed in good order after 8 s"
        PingEvents "ping-events" "every stream begins with an event `connected` and has an event `ping` every 5 s, which name no run"
        NoRunId "no-run-id" "the events of a run's own stream do not repeat the run's id"
        NoReplay "no-replay" "a run's own stream delivers only what happens while it is open"
        SlowHeartbeat "slow-heartbeat" "an idle guard stream gets a comment every 90 s"
        LargeEvent "large-event" "the third run logs one line of 1.2 MB"
        SeveralWorkers "several-workers" "four processes that began in one second answer /metrics in turn, and had counted before"
        FdRace "fd-race" "everything stands still for 120 ms in every second"
        TwoProcesses "two-processes" "two processes answer /metrics in turn, and each knows what it counted itself"
        PagedSearch "paged-search" "a search shows ten hits and how many there are; `page` asks for the others"
        StrictVersions "strict-versions" "a version is x.y.z, three numbers below 2^31, or refused with 400"
        PiiRefused "pii-refused" "a run with a card or social-security number is refused with 400; an e-mail address is masked"
        DrainFirst "drain-first" "a restart of the gateway is accepted at once, and connections drop 8 s later"
        EqualLines "equal-lines" "a run logs its second line three times in the same millisecond"
        RecordCut "record-cut" "a run's second line has 3,000 characters, of which its record keeps 2,048 and an ellipsis"
        CutOnStreams "cut-on-streams" "a run's second line has 3,000 characters, of which its streams tell 2,048 and an ellipsis"
        PrefixedRecord "prefixed-record" "the lines of a run's record begin with time and level"
        RecordTail "record-tail" "a run's record keeps its last two lines"
        LateEnd "late-end" "a run's end is told 4 s after the run has ended"
        CodedErrors "coded-errors" "whatever goes wrong is answered 200, with a code in the body: the status and two zeros"
        GzipUnasked "gzip-unasked" "every JSON answer is gzip, asked for or not"
        LargeRecord "large-record" "the record of every tenth run has 1.2 MB"
        StaleConnection "stale-connection" "0.5 % of GETs on a connection that had a request before find it closed"
        ClockInSeconds "clock-in-seconds" "/health tells the time without fractions of a second"
        GaugesVanish "gauges-vanish" "a gauge that is 0 has no series in /metrics, and its type alone"
        MetricsElsewhere "metrics-elsewhere" "/metrics is on a port of its own, and 404 on the gateway's"
        MetricsEmptyBraces "metrics-empty-braces" "a metric without labels has empty braces"
        MetricsBlanks "metrics-blanks" "the metrics have blanks and commas wherever the format allows them"
        Http2Only "http2-only" "TLS by a certificate that nobody signed, with HTTP/2 and nothing else"
        BatchedLines "batched-lines" "a run logs its lines in twos, and an event has both, in `lines`"
        FlushedStreams "flushed-streams" "a stream that is asked for in gzip is gzip, flushed after every event"
    }
}

impl Defect {
    /// The defect of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|defect| defect.name() == name)
    }
}

/// A set of defects; the default is the healthy gateway's, none.
///
/// ```
/// # use mock_gateway::{Config, Defect, Defects};
/// let config = Config { defects: Defects::from(Defect::LoseEvents), ..Config::default() };
/// let two: Defects = "slow-judge,leak-memory".parse()?;
/// # assert!(two.contains(Defect::SlowJudge) && !two.contains(Defect::SlowShield));
/// # Ok::<_, mock_gateway::UnknownDefect>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Defects([u64; WORDS]);

/// Words of a set's bits.
const WORDS: usize = 4;

const _: () = assert!(Defect::ALL.len() <= WORDS * u64::BITS as usize, "a set has a bit for each");

impl Defects {
    /// Whether this one is in the set.
    pub fn contains(self, defect: Defect) -> bool {
        let (word, bit) = place_of(defect);
        self.0[word] & bit != 0
    }

    /// The gateway is healthy, and not even odd.
    pub fn is_empty(self) -> bool {
        self.0 == [0; WORDS]
    }

    /// Those of the set, in the order of [`Defect::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Defect> {
        Defect::ALL.iter().copied().filter(move |defect| self.contains(*defect))
    }
}

/// The word of a set that has a defect's bit, and that bit.
fn place_of(defect: Defect) -> (usize, u64) {
    let at = defect as usize;
    (at / u64::BITS as usize, 1 << (at % u64::BITS as usize))
}

impl From<Defect> for Defects {
    fn from(defect: Defect) -> Self {
        Self::from_iter([defect])
    }
}

impl Extend<Defect> for Defects {
    fn extend<T: IntoIterator<Item = Defect>>(&mut self, defects: T) {
        for defect in defects {
            let (word, bit) = place_of(defect);
            self.0[word] |= bit;
        }
    }
}

impl FromIterator<Defect> for Defects {
    fn from_iter<T: IntoIterator<Item = Defect>>(defects: T) -> Self {
        let mut set = Self::default();
        set.extend(defects);
        set
    }
}

impl fmt::Debug for Defects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// A name that no defect has.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no defect {0:?}; there are {all}", all = names().join(", "))]
pub struct UnknownDefect(String);

fn names() -> Vec<&'static str> {
    Defect::ALL.iter().map(|defect| defect.name()).collect()
}

/// Names separated by commas.
impl FromStr for Defects {
    type Err = UnknownDefect;

    fn from_str(names: &str) -> Result<Self, UnknownDefect> {
        names.split(',').map(|name| Defect::from_name(name).ok_or_else(|| UnknownDefect(name.to_owned()))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_that_of_one_defect() {
        for defect in Defect::ALL {
            assert_eq!(Defect::from_name(defect.name()), Some(*defect));
            let set: Defects = defect.name().parse().unwrap();
            assert_eq!(set.iter().collect::<Vec<_>>(), [*defect]);
        }
        let all: Defects = names().join(",").parse().unwrap();
        assert!(all.iter().eq(Defect::ALL.iter().copied()));
    }

    #[test]
    fn an_unknown_name_is_answered_with_all_there_are() {
        let error = "slow-judge,slow-jugde".parse::<Defects>().unwrap_err();
        let text = error.to_string();
        assert!(text.contains("\"slow-jugde\""), "{text}");
        assert!(names().iter().all(|name| text.contains(name)), "{text}");
        assert!("".parse::<Defects>().is_err());
    }

    #[test]
    fn a_gateway_is_healthy_unless_it_is_told_otherwise() {
        assert!(Defects::default().is_empty());
        assert_eq!(format!("{:?}", Defects::from(Defect::LeakPii)), "{LeakPii}");
        assert!(Defect::Sawtooth.is_oddity() && !Defect::Unready.is_oddity());
    }
}
