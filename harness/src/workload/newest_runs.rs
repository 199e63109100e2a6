//! If no stream shows every run, W2 keeps its streams on the newest runs: each is opened again for each run.

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

/// Follows one run after another, always the newest, until the streams are to close. A churn between two waits.
pub(super) async fn follow(context: &Context, mut orders: mpsc::Receiver<StreamCommand>) {
    let mut last = None;
    let closing = &context.schedule.closing;
    while let Some(run) = closing.run_until_cancelled(context.shared_runs.newer_run(last.as_deref())).await {
        follow_one(context, &run, &mut orders).await;
        last = Some(run);
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
    // It may have come back after a churn: it has missed the lines that it has not shown then.
    let call = context.calls.of(Workload::Churn, CallName::Run, run);
    if let Some(record) =
        context.calls.call(call, || context.calls.client.run(run)).await.and_then(|answer| answer.json())
    {
        let record = context.calls.client.dialect().run_view(&record);
        run_stream::compare(context, Workload::Churn, run, &followed, &record, since);
    }
}
