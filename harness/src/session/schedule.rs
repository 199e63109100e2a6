//! The plan that is played, the clock that it follows, and the end of play.

use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{ResumeState, Stop};
use crate::{clock::Clock, plan::Plan};

/// The plan of a session, and the moments at which it is played.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// The plan.
    pub plan: Arc<Plan>,
    /// The scenario's clock.
    pub clock: Clock,
    /// Asks for a stop, and hears of one.
    pub stop: Stop,
    /// Asks the streams to close: with a stop, or when all events have come.
    pub closing: CancellationToken,
    /// When this session began to play. Whatever was due before is due then.
    pub began: Instant,
    /// The part that the earlier sessions have left to be played.
    pub resumed: Arc<ResumeState>,
}

impl Schedule {
    /// The agent of runs for which any will do: the first one of the settings.
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
    pub fn due(&self, at_ms: u64) -> Instant {
        self.clock.instant(at_ms).max(self.began)
    }

    /// The number of the first of evenly spaced moments that this session can be there for.
    pub fn first_tick(&self, every_ms: u64) -> usize {
        let began_ms = if self.resumed.is_there() { self.clock.at_ms(self.began) } else { 0 };
        usize::try_from(began_ms.div_ceil(every_ms.max(1))).unwrap_or(usize::MAX)
    }
}
