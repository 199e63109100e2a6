//! Plays the plan: the only part with sockets, timers and tasks.
//!
//! [`play`] starts the workers of a suite under one supervisor and one [`Stop`], sums up their measurements every ten
//! scenario seconds, and writes snapshots and results as it goes, so that a session that is killed leaves both. The
//! next session reads them, and plays on.

mod artifacts;
mod as_a_browser;
mod begin;
mod calls;
mod checkpoint;
mod context;
mod deliveries;
mod descriptors;
mod gate;
mod gateway_clock;
mod keeper;
mod live;
mod log;
mod opening_pace;
mod output_files;
mod play;
mod ports;
mod preflight;
mod recorder;
mod reserve;
mod resume_state;
mod run_comparison;
mod run_watch;
mod running_workers;
mod schedule;
mod shared_runs;
mod shared_streams;
mod stalls;
mod stop;
mod supervisor;
mod takeover;
mod watched_runs;

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use tokio::runtime::Handle;

pub(crate) use artifacts::{ArtifactError, display_path, replace};
pub use calls::{Call, Calls, Sent, Wrong};
pub use context::{Context, Handles};
pub use deliveries::{Deliveries, Entered};
pub(crate) use descriptors::raise_limit;
pub use futures_util::future::BoxFuture;
pub use gate::Gate;
pub(crate) use gateway_clock::seems_coarse;
pub use gateway_clock::{ClockReading, GatewayClock};
pub use keeper::{Earliness, FirstOpening, KeptUntil, OpenStreamGuard, StreamCommand, StreamSpec, keep};
pub use log::{FATAL_TARGET, HEARTBEAT_TARGET};
pub(crate) use play::OVERTIME;
pub use play::play;
pub use recorder::{Recorder, StartPoint};
pub use resume_state::ResumeState;
pub use run_watch::RunWatch;
pub use schedule::Schedule;
pub use shared_runs::SharedRuns;
pub use shared_streams::SharedStreams;
pub use stalls::Stalls;
pub use stop::Stop;
pub use supervisor::{Fatal, TaskGroup, Worker};

pub use crate::gateway::GatewayAccess;
use crate::{
    catalog::{Chaos, Suite},
    judge::Targets,
    plan::{Lever, Plan},
    report::RunFolder,
    results::Waivers,
};

/// Makes the workers of a suite, each at the place where the session before left it.
pub type Workers = fn(Suite, &ResumeState) -> Vec<Arc<dyn Worker>>;

/// Configuration of a session: the plan, the gateway and the folder, and the targets.
#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// The events and their times.
    pub plan: Plan,
    /// The gateway.
    pub gateway: GatewayAccess,
    /// The folder of all files.
    pub folder: RunFolder,
    /// The targets that the results are compared with.
    pub targets: Targets,
    /// How each chaos event is injected; by a call of the gateway's where there is no entry.
    pub levers: BTreeMap<Chaos, Lever>,
    /// Parts that are not judged, each with the reason.
    pub waivers: Waivers,
    /// Settings for readers of the journal, without secrets.
    pub shown: BTreeMap<String, String>,
    /// The contract's routes that have another name in the dialect, each with that name.
    pub routes: BTreeMap<String, String>,
    /// The function that makes the workers.
    pub workers: Workers,
    /// The log filter, as an `EnvFilter`; `info` if there is none.
    pub log_filter: Option<String>,
    /// The address of the live page, if there is one.
    pub live: Option<SocketAddr>,
    /// The runtime that reads the workspace streams; the one that plays the session where there is none.
    pub stream_runtime: Option<Handle>,
}

#[cfg(test)]
mod probe_latency_tests;
#[cfg(test)]
pub(crate) mod tests;
#[cfg(test)]
mod throttle_tests;
#[cfg(test)]
mod token_tests;
#[cfg(test)]
mod trust_tests;
