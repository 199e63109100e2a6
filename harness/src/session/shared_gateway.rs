//! Shared knowledge of the workers about the gateway: its clock, and its metrics as last scraped.

use parking_lot::Mutex;

use super::GatewayClock;
use crate::gateway::Exposition;

/// The gateway of a session, as its workers know it.
#[derive(Debug, Default)]
pub struct SharedGateway {
    clock: GatewayClock,
    exposition: Mutex<Option<Exposition>>,
}

impl SharedGateway {
    /// Returns the known properties of the gateway's clock.
    pub const fn clock(&self) -> &GatewayClock {
        &self.clock
    }

    /// The gateway's metrics as last scraped.
    pub fn set_exposition(&self, exposition: Exposition) {
        *self.exposition.lock() = Some(exposition);
    }

    /// The gateway's metrics as last scraped.
    #[must_use]
    pub fn exposition(&self) -> Option<Exposition> {
        self.exposition.lock().clone()
    }
}
