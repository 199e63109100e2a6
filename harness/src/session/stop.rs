//! Why and when a session stops.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::journal::EndReason;

/// Asks a session to stop in good order. Clones ask the same session.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    pub(super) token: CancellationToken,
    why: Arc<Mutex<Option<(EndReason, String)>>>,
}

impl Stop {
    /// Asks for a stop. The severest of several reasons is kept, with its message.
    pub fn request(&self, reason: EndReason, message: impl Into<String>) {
        let mut why = self.why.lock();
        if why.as_ref().is_none_or(|(kept, _)| reason > *kept) {
            *why = Some((reason, message.into()));
        }
        drop(why);
        self.token.cancel();
    }

    /// Comes back when a stop has been asked for.
    pub async fn requested(&self) {
        self.token.cancelled().await;
    }

    /// Whether a stop has been asked for.
    pub fn is_requested(&self) -> bool {
        self.token.is_cancelled()
    }

    /// The severest reason so far, and its message.
    pub fn why(&self) -> Option<(EndReason, String)> {
        self.why.lock().clone()
    }
}
