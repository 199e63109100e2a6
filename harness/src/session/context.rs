//! What every worker is given.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Calls, Ledger, Recorder, ResumeState, SharedGateway, SharedRuns, SharedStreams, Stop};
use crate::{
    catalog::{CallName, Chaos},
    clock::{self, Clock},
    gateway::GatewayAccess,
    plan::{Lever, Plan},
    proxy::FaultProxy,
};

/// What every worker is given. Clones are of the same session.
#[derive(Debug, Clone)]
pub struct Context {
    /// Where the live page is, if there is one.
    pub live: Option<Arc<str>>,
    /// What is to be played.
    pub plan: Arc<Plan>,
    /// Where it is played.
    pub access: Arc<GatewayAccess>,
    /// The scenario's clock.
    pub clock: Clock,
    /// Where measurements go.
    pub recorder: Recorder,
    /// Asks for a stop, and hears of one.
    pub stop: Stop,
    /// Asks the streams to close: with a stop, or when all that was to come has come.
    pub closing: CancellationToken,
    /// How workers speak to the gateway.
    pub calls: Calls,
    /// What workers know of one another's runs.
    pub shared_runs: Arc<SharedRuns>,
    /// What they know of the streams.
    pub shared_streams: Arc<SharedStreams>,
    /// What they know of the gateway.
    pub shared_gateway: Arc<SharedGateway>,
    /// The ledger of the workspace log streams.
    pub ledger: Arc<Mutex<Ledger>>,
    /// How each chaos event is brought about.
    pub levers: Arc<BTreeMap<Chaos, Lever>>,
    /// Stands between us and the gateway, where a lever needs that.
    pub proxy: Option<Arc<FaultProxy>>,
    /// When this session began to play. What was due before is due then.
    pub began: Instant,
    /// What the sessions before it have left to be played.
    pub resumed: Arc<ResumeState>,
    /// Tells this soak's names from those of others at the same gateway.
    pub nonce: Arc<str>,
}

impl Context {
    /// The streams that are kept open: the workspace's, or those of single runs where there are no others.
    #[must_use]
    pub fn kept_streams_open(&self) -> usize {
        let is_there = self.calls.client.has(CallName::LogsStream);
        if is_there { self.shared_streams.log_streams_open() } else { self.shared_streams.all_streams_open() }
    }

    /// Whose runs are created where it does not matter: the first agent of the settings.
    #[must_use]
    pub fn agent(&self) -> &str {
        self.plan.scenario.runs.agents.first().map_or("", |(agent, _)| agent)
    }

    /// Waits until a scenario moment; `false` if the session is to stop before.
    pub async fn until(&self, at_ms: u64) -> bool {
        if self.stop.is_requested() {
            return false;
        }
        tokio::select! {
            biased;
            () = self.stop.requested() => false,
            () = self.clock.until(at_ms) => true,
        }
    }

    /// When something that is planned for a scenario moment can begin: then, or when this session began to play.
    #[must_use]
    pub fn due(&self, at_ms: u64) -> Instant {
        self.clock.instant(at_ms).max(self.began)
    }

    /// The number of the first of evenly spaced moments that this session can be there for.
    #[must_use]
    pub fn first_tick(&self, every_ms: u64) -> usize {
        let began_ms = if self.resumed.is_there() { self.clock.at_ms(self.began) } else { 0 };
        usize::try_from(began_ms.div_ceil(every_ms.max(1))).unwrap_or(usize::MAX)
    }

    /// The ledger.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Real milliseconds since the start, as the ledger counts them.
    #[must_use]
    pub fn ledger_ms(&self) -> u64 {
        self.ledger_ms_at(clock::now())
    }

    /// The same, at a moment.
    #[must_use]
    pub fn ledger_ms_at(&self, at: Instant) -> u64 {
        let elapsed = at.saturating_duration_since(self.clock.instant(0));
        u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
    }
}
