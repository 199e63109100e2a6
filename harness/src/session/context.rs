//! The handles that every worker is given.

use std::{collections::BTreeMap, ops::Deref, sync::Arc};

use tokio::runtime::Handle;

use super::{Calls, Deliveries, Recorder, Schedule, SharedGateway, SharedRuns, SharedStreams};
use crate::{
    catalog::{CallName, Chaos},
    gateway::GatewayAccess,
    plan::Lever,
    proxy::FaultProxy,
};

/// The handles of a session, as every worker and every stream has them. Clones are of the same session.
#[derive(Debug, Clone)]
pub struct Context(Arc<Handles>);

/// The handles of a session.
#[derive(Debug)]
pub struct Handles {
    /// The plan and its timing.
    pub schedule: Schedule,
    /// How workers call the gateway.
    pub calls: Calls,
    /// Where measurements go.
    pub recorder: Recorder,
    /// The deliveries of the streams.
    pub deliveries: Arc<Deliveries>,
    /// Shared knowledge of the workers about one another's runs.
    pub shared_runs: Arc<SharedRuns>,
    /// Shared knowledge of the workers about the streams.
    pub shared_streams: Arc<SharedStreams>,
    /// Shared knowledge of the workers about the gateway.
    pub shared_gateway: Arc<SharedGateway>,
    /// How chaos events are injected.
    pub disturbance: Disturbance,
    /// Which session it is.
    pub facts: SessionFacts,
    /// The runtime that reads the workspace streams, where they have one of their own.
    pub stream_runtime: Option<Handle>,
}

/// How chaos events are injected.
#[derive(Debug, Clone, Default)]
pub struct Disturbance {
    /// The lever of each chaos event.
    pub levers: Arc<BTreeMap<Chaos, Lever>>,
    /// The proxy between the harness and the gateway, where a lever needs it.
    pub proxy: Option<Arc<FaultProxy>>,
}

/// Facts that distinguish a session from others.
#[derive(Debug, Clone)]
pub struct SessionFacts {
    /// The gateway.
    pub access: Arc<GatewayAccess>,
    /// Tells this soak's names from those of others at the same gateway.
    pub nonce: Arc<str>,
    /// The URL of the live page, if there is one.
    pub live: Option<Arc<str>>,
}

impl From<Handles> for Context {
    fn from(handles: Handles) -> Self {
        Self(Arc::new(handles))
    }
}

impl Deref for Context {
    type Target = Handles;

    fn deref(&self) -> &Handles {
        &self.0
    }
}

impl Handles {
    /// The streams that are kept open: the workspace's, or those of single runs where there are no others.
    #[must_use]
    pub fn kept_streams_open(&self) -> usize {
        let is_there = self.calls.client.has(CallName::LogsStream);
        if is_there { self.shared_streams.log_streams_open() } else { self.shared_streams.all_streams_open() }
    }
}
