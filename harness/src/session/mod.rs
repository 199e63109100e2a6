//! Plays the plan: the only part with sockets, timers and tasks.
//!
//! [`play`] starts the workers of a suite under one supervisor and one [`Stop`], sums up what they measure every ten
//! scenario seconds, and writes snapshots and results as it goes, so that a session that is killed leaves both.

mod artifacts;
mod board;
mod context;
mod gate;
mod keeper;
mod ledger;
mod log;
mod play;
mod preflight;
mod recorder;
mod stop;
mod supervisor;

use std::collections::BTreeMap;

pub(crate) use artifacts::{ArtifactError, replace};
pub use board::{Board, Watch};
pub use context::{Call, Context};
pub use gate::Gate;
pub use keeper::{HeldOpen, Kept, Order};
pub use ledger::{Got, Ledger, Missed, Repeated, Settled, Sighting};
pub use log::{FATAL_TARGET, HEARTBEAT_TARGET};
pub use play::play;
pub use recorder::{Mark, Recorder};
pub use stop::Stop;
pub use supervisor::{Fatal, Side, Worker};

pub use crate::gateway::GatewayAccess;
use crate::{
    judge::Targets,
    plan::{Kpi, Plan},
    report::RunFolder,
};

/// What a session is to play, where, and by which measure.
#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// What happens when.
    pub plan: Plan,
    /// The gateway.
    pub gateway: GatewayAccess,
    /// Where everything is left.
    pub folder: RunFolder,
    /// What the results are held against.
    pub targets: Targets,
    /// KPIs that are not judged, and why.
    pub waivers: BTreeMap<Kpi, String>,
    /// Settings as a reader of the journal may see them: no secrets.
    pub shown: BTreeMap<String, String>,
    /// What is logged, as an `EnvFilter`; `info` where there is none.
    pub log_filter: Option<String>,
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod throttle_tests;
