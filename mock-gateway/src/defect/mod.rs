//! Defects that a gateway can be given, so that a harness can show that it finds them; and oddities, which a healthy
//! gateway may have, and which a harness must not take for defects.
//!
//! Here are their names and what they do. `faults` and `streams` are where each is decided, with its share or size; the
//! one line that calls it stands where the behaviour is. `leaks` is what grows.

mod faults;
mod leaks;
mod streams;

use std::fmt;
use std::str::FromStr;

pub(crate) use faults::{Faults, Slips};
pub(crate) use leaks::breathe;
pub(crate) use streams::{Delivery, Ending};

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

            /// What it does, in one line.
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
        CloseStreams "close-streams" "every stream is closed in good order after 10 s"
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
        RestartNotDone "restart-not-done" "a restart, of gateway or store, is accepted and not done"
        SlowRecovery "slow-recovery" "a restarting gateway refuses connections for 3 s"
        NoMetrics "no-metrics" "/metrics is 404"
        NoHistograms "no-histograms" "/metrics has no histograms"
        MetricsFrozen "metrics-frozen" "from 5 s after the start, /metrics never changes"
    }
    oddities {
        Sawtooth "sawtooth" "memory rises by 16 % and falls back, every 3 s"
        WarmUpGrowth "warm-up-growth" "memory grows by 25 % in the first 4 s, and then no more"
        SparseIds "sparse-ids" "event ids have holes of up to six"
        IdsPerConnection "ids-per-connection" "event ids start anew on every connection, and streams resume all the same"
        BurstEvents "burst-events" "events are written in bursts, every 100 ms"
        SlowButSteady "slow-but-steady" "first log after 0.9 s, events written after 120 ms, verdicts after 250 ms, decisions after 150 ms, versions found after 8 s"
        KeepAliveOnly "keep-alive-only" "guard streams carry comments only; every idle stream gets one a second"
        LogBeforeAnswer "log-before-answer" "a start is answered 50 ms after the run's first log line"
        HourlyClose "hourly-close" "every stream is closed in good order once, 30 s after the start"
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
pub struct Defects(u64);

const _: () = assert!(Defect::ALL.len() <= u64::BITS as usize, "a set has a bit for each");

impl Defects {
    /// Whether this one is in the set.
    pub fn contains(self, defect: Defect) -> bool {
        self.0 & bit(defect) != 0
    }

    /// The gateway is healthy, and not even odd.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those of the set, in the order of [`Defect::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Defect> {
        Defect::ALL.iter().copied().filter(move |defect| self.contains(*defect))
    }
}

fn bit(defect: Defect) -> u64 {
    1 << defect as u32
}

impl From<Defect> for Defects {
    fn from(defect: Defect) -> Self {
        Self(bit(defect))
    }
}

impl Extend<Defect> for Defects {
    fn extend<T: IntoIterator<Item = Defect>>(&mut self, defects: T) {
        for defect in defects {
            self.0 |= bit(defect);
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
        assert_eq!(Defect::ALL.iter().filter(|defect| defect.is_oddity()).count(), 9);
    }
}
