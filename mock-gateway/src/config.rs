//! Settings, their default values and their units.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::call::Call;
use crate::defect::Defects;

/// How one mock gateway behaves. Every duration is real time; every capacity is a bound that holds.
///
/// The capacities are chosen so that whatever is kept fills within seconds under load, or is taken at the start: the
/// memory of a gateway without defects is flat, and a harness may hold it to that.
///
/// ```
/// # use mock_gateway::Config;
/// let config = Config { token: Some("secret".into()), ..Config::default() };
/// ```
#[derive(Clone)]
pub struct Config {
    /// Where to listen; port 0 lets the system choose. Default `127.0.0.1:0`.
    pub listen: SocketAddr,
    /// The bearer token that every request must carry; without one, none is asked for. Default none.
    pub token: Option<String>,
    /// The URL of the Redis that keeps the gateway's state, such as `redis://127.0.0.1:6379`; without one, it is kept in
    /// memory, and gone with the gateway. One gateway at a time may use it, or [a part of it](Self::redis_prefix).
    /// Default none.
    pub redis: Option<String>,
    /// Prefix of the names of all keys in Redis, before a colon. Default `mock-gateway`.
    pub redis_prefix: String,
    /// Keep every request for [`MockGateway::received_requests`](crate::MockGateway::received_requests). They are
    /// kept without bound: for tests of seconds, never for a soak. Default false.
    pub record_requests: bool,
    /// Seed of every chosen duration and score, and of when defects strike. Default 0.
    pub seed: u64,
    /// Defects of the gateway. Default none.
    pub defects: Defects,
    /// Calls that it does not have: they are answered 404. Default none.
    pub without: Vec<Call>,

    /// Duration of a run, from its start to its end. Default 150 to 450 ms.
    pub run_duration: RangeInclusive<Duration>,
    /// Log lines of one run, spread over its duration. At least 2, the first at its start and the last at its end.
    /// Default 4.
    pub log_lines: usize,
    /// Time that the judge takes for a run. Default 40 to 120 ms.
    pub judge_duration: RangeInclusive<Duration>,
    /// Time that the shield takes for a run. Default 5 to 40 ms.
    pub shield_duration: RangeInclusive<Duration>,
    /// A run that was created and not started by then is canceled. Default 10 s.
    pub start_timeout: Duration,
    /// From a version's publishing to its being found. Default 50 ms.
    pub index_delay: Duration,
    /// From a privacy toggle to its taking effect; the contract allows 2 s. Default 250 ms.
    pub privacy_delay: Duration,

    /// From the answer to a chaos call to its effect, so that the answer gets out. Default 50 ms.
    pub chaos_delay: Duration,
    /// Time for which a restarting gateway refuses connections. Default 1 s.
    pub restart_downtime: Duration,
    /// Time for which a gateway that listens again is not yet ready. Default 100 ms.
    pub restart_warmup: Duration,
    /// Time for which a restarting store is away. Default 500 ms.
    pub store_downtime: Duration,

    /// A comment line goes to a stream that was idle for so long. Default 15 s.
    pub keep_alive: Duration,
    /// Events kept for replay, over all streams; the oldest goes first. In memory, that is taken at the start. Default
    /// 2,048.
    pub event_log_capacity: usize,
    /// Events that wait for one stream's connection; a stream that lags further is disconnected, and can resume by
    /// its `Last-Event-ID`. Default 256.
    pub stream_queue_capacity: usize,
    /// Streams open at a time; 503 beyond. Default 24,000.
    pub stream_capacity: usize,
    /// Connections open at a time; further ones wait in the listener's backlog. Default 28,000.
    pub connection_capacity: usize,
    /// Ended runs kept for `GET`; the oldest goes first. Default 128.
    pub finished_run_capacity: usize,
    /// Runs created and not ended; 503 beyond. Default 1,024.
    pub live_run_capacity: usize,
    /// Runs under way at a time; further ones are queued. Default 256.
    pub worker_capacity: usize,
    /// Published versions; 503 beyond, since a version stays found. Default 5,000.
    pub version_capacity: usize,
    /// Workspaces with a plan or a privacy setting; 503 beyond. Default 1,024.
    pub workspace_capacity: usize,
    /// Size of a request's body; 413 beyond. Default 1 MiB.
    pub body_bytes_max: usize,
    /// Size of a run's `input`, which is kept with the run; 413 beyond. Default 64 KiB.
    pub input_bytes_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            token: None,
            redis: None,
            redis_prefix: "mock-gateway".into(),
            record_requests: false,
            seed: 0,
            defects: Defects::default(),
            without: Vec::new(),
            run_duration: Duration::from_millis(150)..=Duration::from_millis(450),
            log_lines: 4,
            judge_duration: Duration::from_millis(40)..=Duration::from_millis(120),
            shield_duration: Duration::from_millis(5)..=Duration::from_millis(40),
            start_timeout: Duration::from_secs(10),
            index_delay: Duration::from_millis(50),
            privacy_delay: Duration::from_millis(250),
            chaos_delay: Duration::from_millis(50),
            restart_downtime: Duration::from_secs(1),
            restart_warmup: Duration::from_millis(100),
            store_downtime: Duration::from_millis(500),
            keep_alive: Duration::from_secs(15),
            event_log_capacity: 2_048,
            stream_queue_capacity: 256,
            stream_capacity: 24_000,
            connection_capacity: 28_000,
            finished_run_capacity: 128,
            live_run_capacity: 1_024,
            worker_capacity: 256,
            version_capacity: 5_000,
            workspace_capacity: 1_024,
            body_bytes_max: 1 << 20,
            input_bytes_max: 64 << 10,
        }
    }
}
