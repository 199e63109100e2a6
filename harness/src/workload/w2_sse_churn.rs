//! W2: workspace log streams that come and go. Each churn closes some, and each of these comes back where it left off.

use futures_util::future::{BoxFuture, join_all};
use parking_lot::Mutex;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

use super::{newest_runs, place::CycleCursor};
use crate::{
    catalog::{CallName, Workload},
    clock,
    plan::{PlannedChurn, asks_as_a_browser, log_stream_name},
    session::{Context, Fatal, ResumeState, StreamCommand, StreamSpec, TaskGroup, Worker, keep},
};

/// Maximum time for which a churn waits for its streams to come back. After that, it is over without them.
const RETURN_TIMEOUT: Duration = Duration::from_secs(10);
/// The same for streams of single runs, of which there may be none at the moment.
const NEXT_RUN_TIMEOUT: Duration = Duration::from_secs(90);
/// Between tries to churn such a stream.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(50);
/// Between looks at whether every client has what the others have.
const SETTLE_EVERY: Duration = Duration::from_millis(250);

/// W2.
#[derive(Debug, Default)]
pub(super) struct SseChurn {
    place: CycleCursor,
    streams: TaskGroup,
    churns: TaskGroup,
    orders: Mutex<Vec<mpsc::Sender<StreamCommand>>>,
}

impl Worker for SseChurn {
    fn name(&self) -> &'static str {
        Workload::Churn.name()
    }

    fn background_tasks(&self) -> Option<&TaskGroup> {
        Some(&self.streams)
    }

    fn play(&self, context: Context) -> BoxFuture<'_, Result<(), Fatal>> {
        Box::pin(async move {
            let orders = self.open_streams(&context);
            while let Some(planned) = context.schedule.plan.churns.get(self.place.next() as u64)
                && let Some(cycle) = self.place.begin(&context, Workload::Churn, planned.at_ms).await
            {
                // In the background: at a high pace the churn before may still wait for its streams, or for a probe.
                let (one, orders) = (context.clone(), orders.clone());
                self.churns.play(&context, Workload::Churn, async move {
                    churn(&one, &planned, &orders).await;
                    one.recorder.cycle_finished(Workload::Churn, cycle);
                });
            }
            self.churns.over().await;
            // The streams stay open for the remaining runs.
            let _ = context.schedule.until(context.schedule.plan.duration_ms).await;
            Ok(())
        })
    }
}

impl SseChurn {
    /// Goes on after those that were played. The opening of the streams counts as the first.
    pub(super) fn after(resumed: &ResumeState) -> Self {
        Self { place: CycleCursor::at(resumed.finished(Workload::Churn).saturating_sub(1)), ..Self::default() }
    }

    /// Opens the streams, once: a restarted worker finds them there.
    fn open_streams(&self, context: &Context) -> Vec<mpsc::Sender<StreamCommand>> {
        let mut orders = self.orders.lock();
        if orders.is_empty() {
            // A session that takes over opens them too, and only the first opening is a cycle of the plan.
            let is_first = context.schedule.resumed.finished(Workload::Churn) == 0;
            let cycle = is_first.then(|| context.recorder.cycle_started(Workload::Churn, context.schedule.due(0)));
            let count = context.schedule.plan.scenario.streams.count as usize;
            for number in 0..count {
                let (order, mut ordered) = mpsc::channel(1);
                orders.push(order);
                let one = context.clone();
                self.streams.play_stream(context, Workload::Churn, async move {
                    if !one.calls.client.has(CallName::LogsStream) {
                        return newest_runs::follow(&one, number, ordered).await;
                    }
                    let kept = StreamSpec {
                        name: log_stream_name(number, count),
                        path: one.calls.client.stream_path(CallName::LogsStream, None),
                        call: CallName::LogsStream,
                        workload: Workload::Churn,
                        client: Some(number),
                        as_a_browser: asks_as_a_browser(number, count),
                        run: None,
                    };
                    keep(&one, &kept, &mut ordered, None, &mut |_, _| true).await;
                });
            }
            let one = context.clone();
            self.streams.play(context, Workload::Churn, async move { settle_ledger(&one).await });
            if let Some(cycle) = cycle {
                context.recorder.cycle_finished(Workload::Churn, cycle);
            }
        }
        orders.clone()
    }
}

/// Closes the churn's streams, and waits until all are back. No safety probe is under way meanwhile.
async fn churn(context: &Context, planned: &PlannedChurn, orders: &[mpsc::Sender<StreamCommand>]) {
    let _quiet = tokio::select! {
        () = context.schedule.stop.requested() => return,
        quiet = context.calls.gate.quiet_streams() => quiet,
    };
    let is_kept_for_hours = context.calls.client.has(CallName::LogsStream);
    let returns = planned.streams.iter().filter_map(|number| orders.get(*number as usize)).map(|order| async move {
        loop {
            let (back, returned) = oneshot::channel();
            // A keeper whose stream was away drops its answer, and so does one that ends with the session.
            let is_over = order.send(StreamCommand::Churn(back)).await.is_err() || returned.await.is_ok();
            if is_over || is_kept_for_hours || context.schedule.closing.is_cancelled() {
                return;
            }
            // The stream of a run that was just over, or not open yet: the next one is churned.
            tokio::time::sleep(TRY_AGAIN_AFTER).await;
        }
    });
    let limit = if is_kept_for_hours { RETURN_TIMEOUT } else { NEXT_RUN_TIMEOUT };
    tokio::select! {
        () = context.schedule.stop.requested() => {}
        _ = tokio::time::timeout(limit, join_all(returns)) => {}
    }
}

/// Settles the ledger again and again: which events have been missed by now.
async fn settle_ledger(context: &Context) {
    while !context.schedule.closing.is_cancelled() {
        let closing = context.schedule.closing.cancelled();
        let _ = tokio::time::timeout_at(clock::now() + SETTLE_EVERY, closing).await;
        context.deliveries.settle();
    }
}
