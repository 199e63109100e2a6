//! The workers of a session, and the watch over the session itself.

use std::{sync::Arc, time::Duration};

use tokio::{runtime::Handle, task::JoinSet, time::sleep_until};
use tracing::{Instrument, instrument::WithSubscriber};

use super::{Context, Recorder, SessionConfig, Worker, supervisor::supervise};
use crate::{
    clock::{self, micros},
    journal::Finding,
};

/// Time between two measurements of the lateness of the stream threads.
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub(super) struct RunningWorkers {
    pub(super) all: Vec<Arc<dyn Worker>>,
    pub(super) playing: JoinSet<()>,
    watch: JoinSet<()>,
}

impl RunningWorkers {
    pub(super) fn start(config: &SessionConfig, context: &Context) -> Self {
        let all = (config.workers)(config.plan.suite, &context.schedule.resumed);
        let mut workers = Self { all, playing: JoinSet::new(), watch: JoinSet::new() };
        workers.watch_over(context);
        for worker in &workers.all {
            let played = supervise(Arc::clone(worker), context.clone());
            workers.playing.spawn(played.in_current_span().with_current_subscriber());
        }
        workers
    }

    /// Records stalls of the session itself, and the lateness with which it reads the workspace streams.
    fn watch_over(&mut self, context: &Context) {
        let recorder = context.recorder.clone();
        let watch = context.recorder.stalls.clone().watch(move |stalled| {
            let stalled_ms = micros(stalled) / 1_000;
            tracing::error!("the session stood still for {stalled_ms} ms");
            recorder.incident(Finding::Stalled { stalled_ms });
        });
        self.watch.spawn(watch.in_current_span().with_current_subscriber());
        let recorder = context.recorder.clone();
        // Without workspace streams the events come on runs' own streams, which are read with everything else.
        let has_streams = !context.schedule.plan.unsupported.workspace_stream;
        let runtime = context.stream_runtime.clone().filter(|_| has_streams).unwrap_or_else(Handle::current);
        self.watch.spawn_on(watch_reading(recorder), &runtime);
    }
}

/// Measures the lateness of a task on the threads that read streams. An event on these streams waits as long.
async fn watch_reading(recorder: Recorder) {
    loop {
        let due = clock::now() + LOOK_EVERY;
        sleep_until(due).await;
        recorder.read_late(due);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        journal::Timing,
        session::tests::{config, context, short},
    };

    #[test]
    fn a_busy_thread_of_the_streams_is_seen_to_read_late() {
        const BUSY: Duration = Duration::from_millis(190);
        let out = tempfile::tempdir().unwrap();
        let streams = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let others = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        others.block_on(async {
            let recorder = context(&config(out.path(), "http://127.0.0.1:9", &short(2))).recorder.clone();
            streams.spawn(watch_reading(recorder.clone()));
            let reading = recorder.clone();
            // It leaves the thread for a moment only, as ten thousand streams do.
            streams.spawn(async move {
                loop {
                    reading.delivered(reading.mark(), None, None, "run");
                    std::thread::sleep(BUSY);
                    tokio::task::yield_now().await;
                }
            });
            let is_seen =
                || recorder.recorded(Timing::ReadLateness).last().is_some_and(|slowest| slowest.0 >= micros(BUSY) / 4);
            let limit = clock::now() + Duration::from_secs(30);
            while !is_seen() {
                assert!(clock::now() < limit, "the lateness was not seen");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        streams.shutdown_background();
    }
}
