//! The handles that every worker is given.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;
use tokio::runtime::Handle;

use super::{Calls, Deliveries, GatewayClock, Recorder, Schedule, SharedRuns, SharedStreams};
use crate::{
    catalog::{CallName, Chaos},
    gateway::{Exposition, GatewayAccess},
    plan::Lever,
    proxy::FaultProxy,
};

/// The handles of a session, for every worker and every stream.
pub type Context = Arc<Handles>;

/// The handles of a session.
#[derive(Debug)]
pub struct Handles {
    /// The plan and its timing.
    pub schedule: Schedule,
    /// The calls of the gateway.
    pub calls: Calls,
    /// The recorder of measurements.
    pub recorder: Recorder,
    /// The deliveries of the streams.
    pub deliveries: Arc<Deliveries>,
    /// Shared knowledge of the workers about one another's runs.
    pub shared_runs: Arc<SharedRuns>,
    /// Shared knowledge of the workers about the streams.
    pub shared_streams: Arc<SharedStreams>,
    /// Known properties of the gateway's clock.
    pub gateway_clock: GatewayClock,
    /// The gateway's metrics as last scraped.
    pub exposition: Mutex<Option<Exposition>>,
    /// The lever of each chaos event.
    pub levers: BTreeMap<Chaos, Lever>,
    /// The proxy between the harness and the gateway, where a lever needs it.
    pub proxy: Option<Arc<FaultProxy>>,
    /// The gateway.
    pub access: GatewayAccess,
    /// Distinguishes this soak's names from those of others at the same gateway.
    pub nonce: String,
    /// The URL of the live page, if there is one.
    pub live_url: Option<String>,
    /// The runtime that reads the workspace streams, where they have one of their own.
    pub stream_runtime: Option<Handle>,
}

impl Handles {
    /// The streams that are kept open: the workspace's, or those of single runs where there are no others.
    pub fn kept_streams_open(&self) -> usize {
        let is_there = self.calls.client.has(CallName::LogsStream);
        if is_there { self.shared_streams.log_streams_open() } else { self.shared_streams.all_streams_open() }
    }
}
