//! The load to play, before random draws: durations, intervals and rates, all in scenario time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Regular;

/// The shape of a soak. `tests/soak.toml` sets it; [`Scenario::default`] is the design's. Durations are scenario time,
/// which pace divides, unless a field says that it belongs to the wire.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scenario {
    /// Length of `smoke`.
    pub smoke_duration: Duration,
    /// Length of `rehearsal` and `full`.
    pub full_duration: Duration,
    /// Between heartbeats.
    pub heartbeat_every: Duration,
    /// Between snapshots, and rewritten results.
    pub snapshot_every: Duration,
    /// Left out of every drift.
    pub warm_up: Duration,
    /// W1.
    pub runs: RunLoad,
    /// W2.
    pub streams: StreamLoad,
    /// W3.
    pub registry: RegistryLoad,
    /// W4.
    pub safety: Pulse,
    /// W5.
    pub privacy: PrivacyLoad,
    /// W6.
    pub chaos: ChaosLoad,
    /// Between `/ready` probes.
    pub availability_every: Duration,
    /// Between scrapes.
    pub metrics_every: Duration,
}

/// Maximum duration in a scenario, a week: every leak that the drifts look for shows sooner.
pub const SOAK_MAX: Duration = minutes(7 * 24 * 60);
/// Maximum number of workspace log streams: twice as many as one session is made for.
pub const STREAMS_MAX: u32 = 20_000;
/// Maximum number of runs of W1 a minute.
pub const PER_MINUTE_MAX: u32 = 120_000;

/// A first time, and every so often from then on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Pulse {
    /// The first.
    pub first_at: Duration,
    /// From one to the next.
    pub every: Duration,
}

impl Pulse {
    /// The moments of the pulse before `end`.
    pub(super) fn before(self, end: Duration) -> Regular {
        Regular::before(millis(self.first_at), millis(self.every), millis(end))
    }

    /// How often it comes before `end`.
    #[must_use]
    pub fn count(self, end: Duration) -> u64 {
        self.before(end).count
    }
}

/// W1: runs by an open model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunLoad {
    /// Arrivals a minute, spread evenly and jittered within their slot.
    pub per_minute: u32,
    /// How long a run may take. Belongs to the wire.
    pub timeout: Duration,
    /// Of a hundred runs, those with a log stream of their own.
    pub own_stream_percent: u32,
    /// Agents and their weights.
    pub agents: Vec<(String, u32)>,
}

/// W2: workspace log streams.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StreamLoad {
    /// Streams held open.
    pub count: u32,
    /// Between churns.
    pub churn_every: Duration,
    /// Of a hundred streams, those that a churn closes; 30 at most.
    pub churn_percent: u32,
    /// The least delay before a stream comes back. Belongs to the wire.
    pub reconnect_delay_min: Duration,
    /// The greatest delay before a stream's first attempt to come back. Belongs to the wire.
    pub reconnect_delay_max: Duration,
}

/// W3: publishing and searching.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RegistryLoad {
    /// Publish, search, look again.
    pub pulse: Pulse,
    /// Between tampered manifests; the first goes with the first pulse. By default the last comes after the gateway's
    /// restart, which a check of signatures may not survive.
    pub tamper_every: Duration,
}

/// W5: the privacy slice.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PrivacyLoad {
    /// When.
    pub pulse: Pulse,
    /// How long the toggle may take to work. Belongs to the wire.
    pub toggle_delay: Duration,
}

/// W6: light chaos.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ChaosLoad {
    /// When the store restarts.
    pub redis_restart_at: Duration,
    /// When the gateway restarts.
    pub gateway_restart_at: Duration,
    /// When answers become later.
    pub latency_at: Duration,
    /// By how much. Belongs to the wire.
    pub latency_added: Duration,
    /// For how long.
    pub latency_duration: Duration,
    /// Time for which a window stays open after the gateway is ready again.
    pub settle: Duration,
}

const fn minutes(n: u64) -> Duration {
    Duration::from_secs(n * 60)
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            smoke_duration: minutes(15),
            full_duration: minutes(120),
            heartbeat_every: minutes(5),
            snapshot_every: minutes(10),
            warm_up: minutes(10),
            runs: RunLoad {
                per_minute: 3,
                timeout: Duration::from_secs(90),
                own_stream_percent: 30,
                agents: vec![("demo-enricher".into(), 70), ("demo-scraper".into(), 15), ("demo-emailer".into(), 15)],
            },
            streams: StreamLoad {
                count: 20,
                churn_every: minutes(5),
                churn_percent: 20,
                reconnect_delay_min: Duration::from_secs(1),
                reconnect_delay_max: Duration::from_secs(2),
            },
            registry: RegistryLoad {
                pulse: Pulse { first_at: minutes(1), every: minutes(10) },
                tamper_every: minutes(40),
            },
            safety: Pulse { first_at: Duration::from_secs(150), every: minutes(15) },
            privacy: PrivacyLoad {
                pulse: Pulse { first_at: minutes(4), every: minutes(20) },
                toggle_delay: Duration::from_secs(2),
            },
            chaos: ChaosLoad {
                redis_restart_at: minutes(45),
                gateway_restart_at: minutes(75),
                latency_at: minutes(90),
                latency_added: Duration::from_millis(150),
                latency_duration: minutes(5),
                settle: minutes(2),
            },
            availability_every: Duration::from_secs(1),
            metrics_every: Duration::from_secs(10),
        }
    }
}

/// Whole milliseconds, saturating: no scenario is 500 million years long.
#[must_use]
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
