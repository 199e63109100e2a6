//! The workers of a session, and the watch over the session itself.

use std::sync::Arc;

use tokio::task::JoinSet;
use tracing::{Instrument, instrument::WithSubscriber};

use super::{Context, SessionConfig, Worker, supervisor::supervise};
use crate::{clock::micros, journal::Finding};

/// The workers, as they play.
pub(super) struct RunningWorkers {
    pub(super) all: Vec<Arc<dyn Worker>>,
    pub(super) playing: JoinSet<()>,
    /// Ends with the crew.
    watch: JoinSet<()>,
}

impl RunningWorkers {
    /// Starts the workers.
    pub(super) fn start(config: &SessionConfig, context: &Context) -> Self {
        let all = (config.workers)(config.plan.suite, &context.schedule.resumed);
        let mut crew = Self { all, playing: JoinSet::new(), watch: JoinSet::new() };
        crew.watch_over(context);
        for worker in crew.all.clone() {
            crew.play(worker, context);
        }
        crew
    }

    fn play(&mut self, worker: Arc<dyn Worker>, context: &Context) {
        let played = supervise(worker, context.clone());
        self.playing.spawn(played.in_current_span().with_current_subscriber());
    }

    /// Notices when the session itself stands still.
    fn watch_over(&mut self, context: &Context) {
        let recorder = context.recorder.clone();
        let watch = context.recorder.stalls().clone().watch(move |stalled| {
            let stalled_ms = micros(stalled) / 1_000;
            tracing::error!("the session stood still for {stalled_ms} ms");
            recorder.incident(Finding::Stalled { stalled_ms });
        });
        self.watch.spawn(watch.in_current_span().with_current_subscriber());
    }
}
