//! Runs the workers: a panic is caught and the worker restarted, a limited number of times; a fatal error stops all.

use std::{any::Any, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::{FutureExt, future::BoxFuture};
use tokio_util::task::TaskTracker;
use tracing::{Instrument, instrument::WithSubscriber};

use super::Context;
use crate::{
    catalog::Workload,
    journal::{EndReason, Finding, clip},
};

/// Maximum number of restarts of a worker.
const RESTARTS_MAX: u32 = 5;
/// The delay before the first restart; doubled with each.
const BACKOFF_MIN: Duration = Duration::from_millis(100);

/// Reason to stop a session: not the gateway's misbehaviour, but the harness's inability to do its own work.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Fatal(pub String);

/// Plays its part of the plan. It keeps its place across restarts: nothing from before a panic is played again.
pub trait Worker: Send + Sync + 'static {
    /// Returns its name: a workload's name, or `heartbeat`.
    fn name(&self) -> &'static str;

    /// Plays until its part of the plan is over or the session is to stop.
    fn play(&self, context: Context) -> BoxFuture<'_, Result<(), Fatal>>;

    /// Returns the tasks that still run after its part of the plan is over: streams, until
    /// [`Schedule::closing`](super::Schedule::closing).
    fn background_tasks(&self) -> Option<&TaskGroup> {
        None
    }
}

/// Plays a worker to its end, through panics.
pub(super) async fn supervise(worker: Arc<dyn Worker>, context: Context) {
    let name = worker.name();
    let mut panics = 0;
    let stop = &context.schedule.stop;
    loop {
        let panic = match AssertUnwindSafe(worker.play(context.clone())).catch_unwind().await {
            Ok(Ok(())) => {
                if !stop.is_requested() {
                    context.recorder.incident(Finding::WorkerDone { worker: name.into() });
                }
                return tracing::debug!("{name} is done");
            }
            Ok(Err(Fatal(message))) => return stop.request(EndReason::Fatal, format!("{name}: {message}")),
            Err(panic) => panic,
        };
        panics += 1;
        report_panic(&context, name, panics, panic.as_ref());
        if panics > RESTARTS_MAX {
            tracing::error!("{name} has panicked {panics} times and is not restarted any more");
            context.recorder.incident(Finding::WorkerGaveUp { worker: name.into() });
            return;
        }
        tokio::select! {
            () = stop.requested() => return,
            () = tokio::time::sleep(BACKOFF_MIN * 2_u32.pow(panics - 1)) => {}
        }
    }
}

fn report_panic(context: &Context, worker: &str, count: u32, panic: &(dyn Any + Send)) {
    let message = panic.downcast_ref::<String>().map(String::as_str);
    let message = clip(message.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message"));
    tracing::error!("{worker} panicked ({count}): {message}");
    context.recorder.incident(Finding::WorkerPanicked { worker: worker.into(), count, message });
}

/// Tasks that a worker runs side by side: runs of an open model, keepers of streams. A panic ends no other task.
#[derive(Debug, Default)]
pub struct TaskGroup(TaskTracker);

impl TaskGroup {
    /// Plays something beside the worker. A panic in it is an incident of the worker's.
    pub fn play(&self, context: &Context, workload: Workload, task: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(Self::caught(context, workload, task));
    }

    /// The same on the runtime of the workspace streams, where thousands of them delay no probe and no run.
    pub fn play_stream(&self, context: &Context, workload: Workload, task: impl Future<Output = ()> + Send + 'static) {
        let caught = Self::caught(context, workload, task);
        match &context.stream_runtime {
            Some(runtime) => self.0.spawn_on(caught, runtime),
            None => self.0.spawn(caught),
        };
    }

    fn caught(
        context: &Context,
        workload: Workload,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> impl Future<Output = ()> + Send + 'static {
        let context = context.clone();
        // Boxed: an async block holds both its captured value and the future made of it, each as large as the task.
        let task = Box::pin(task);
        let caught = async move {
            if let Err(panic) = AssertUnwindSafe(task).catch_unwind().await {
                report_panic(&context, workload.name(), 1, panic.as_ref());
            }
        };
        caught.in_current_span().with_current_subscriber()
    }

    /// Waits until all tasks are over.
    pub async fn over(&self) {
        self.0.close();
        self.0.wait().await;
    }
}
