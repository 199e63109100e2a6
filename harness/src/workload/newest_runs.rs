//! Where no stream shows every run, W2 keeps its streams on the newest ones: each is opened anew for each run.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::run_stream;
use crate::{
    catalog::{CallName, Workload},
    clock,
    session::{Context, FirstOpening, StreamCommand},
};

/// Additional time for which a run is followed if its stream never shows its end, beyond the maximum duration of a run.
const BEYOND: Duration = Duration::from_secs(10);

/// Follows one run after another, always the newest, until the streams are to close. An order to churn that comes between
/// two runs waits for the next.
pub(super) async fn follow(context: &Context, mut orders: mpsc::Receiver<StreamCommand>) {
    let mut last = None;
    while let Some(run) = newer(context, last.as_deref()).await {
        follow_one(context, &run, &mut orders).await;
        last = Some(run);
    }
}

/// The newest run, once there is a newer one than that; none where the streams are to close before.
async fn newer(context: &Context, last: Option<&str>) -> Option<String> {
    tokio::select! {
        biased;
        () = context.schedule.closing.cancelled() => None,
        run = context.shared_runs.newer_run(last) => Some(run),
    }
}

async fn follow_one(context: &Context, run: &str, orders: &mut mpsc::Receiver<StreamCommand>) {
    let since = context.recorder.mark();
    let over = CancellationToken::new();
    let limit = context.schedule.plan.scenario.runs.timeout + BEYOND;
    let first = FirstOpening::default();
    first.run_is_under_way();
    let following = run_stream::follow(context, Workload::Churn, run, orders, &over, &first);
    let followed = tokio::select! {
        followed = following => followed,
        () = tokio::time::sleep_until(clock::now() + limit) => return,
    };
    if context.schedule.closing.is_cancelled() {
        return;
    }
    // It may have come back after a churn: what it has not shown then, it has missed.
    let call = context.calls.of(Workload::Churn, CallName::Run, run);
    if let Some(record) =
        context.calls.call(call, || context.calls.client.run(run)).await.and_then(|answer| answer.json())
    {
        let record = context.calls.client.dialect().run_view(&record);
        run_stream::compare(context, Workload::Churn, run, &followed, &record, since);
    }
}
