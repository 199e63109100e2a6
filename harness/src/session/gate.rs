//! Holds new requests while the gateway is known to be down, and keeps churn and safety probes apart.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Mutex, OwnedMutexGuard, watch},
    time::Instant,
};

use crate::clock;

/// Maximum time of a hold, whatever the gateway does: from then on its failures show as failures.
const HOLD_MAX: Duration = Duration::from_secs(60);

/// Open, or held.
#[derive(Debug, Clone, Default)]
pub struct Gate {
    /// Until when requests are held, if they are.
    held: Arc<watch::Sender<Option<Instant>>>,
    churn: Arc<Mutex<()>>,
}

impl Gate {
    /// Holds requests, for a minute at most, or lets them through.
    pub fn hold(&self, held: bool) {
        self.held.send_replace(held.then(|| clock::now() + HOLD_MAX));
    }

    /// Waits while the gate is held.
    pub async fn pass(&self) {
        let mut held = self.held.subscribe();
        let until = *held.borrow_and_update();
        if let Some(until) = until {
            // The sender lives as long as the gate, so the only other outcome is that the time is over.
            let _ = tokio::time::timeout_at(until, held.wait_for(Option::is_none)).await;
        }
    }

    /// Waits until no churned stream is away and no safety probe is under way, and keeps it so while the guard lives.
    pub async fn quiet_streams(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.churn).lock_owned().await
    }
}
