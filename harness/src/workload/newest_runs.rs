//! If no stream shows every run, W2 keeps its streams on the newest runs: each is opened again for each run, one after
//! another.

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
/// Time within which the streams are opened on a new run. Opened at once, all would fail at one moment of a restart.
const OPENED_WITHIN: Duration = Duration::from_millis(500);
/// Minimum time between two openings: thousands of streams take longer.
const OPENING_EVERY: Duration = Duration::from_micros(500);

/// Follows one run after another, always the newest, until the streams are to close. A churn between two waits.
/// `number` is the stream's number, which sets its delay.
pub(super) async fn follow(context: &Context, number: usize, mut orders: mpsc::Receiver<StreamCommand>) {
    let mut last = None;
    let closing = &context.schedule.closing;
    let delay = opening_delay(number, context.schedule.plan.scenario.streams.count);
    let newer_run = async |last: Option<&str>| {
        context.shared_runs.newer_run(last).await;
        tokio::time::sleep(delay).await;
        // There may be a newer one by now.
        context.shared_runs.newer_run(last).await
    };
    while let Some(run) = closing.run_until_cancelled(newer_run(last.as_deref())).await {
        follow_one(context, &run, &mut orders).await;
        last = Some(run);
    }
}

/// The delay of a stream, by its number.
fn opening_delay(number: usize, count: u32) -> Duration {
    (OPENED_WITHIN / count.max(1)).max(OPENING_EVERY) * u32::try_from(number).unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_open_one_after_another_on_a_new_run() {
        let delays: Vec<Duration> = (0..20).map(|number| opening_delay(number, 20)).collect();
        assert_eq!(Duration::ZERO, delays[0]);
        assert!(delays.windows(2).all(|two| two[1] - two[0] == OPENED_WITHIN / 20) && delays[19] < OPENED_WITHIN);
        assert_eq!(OPENING_EVERY * 9_999, opening_delay(9_999, 10_000));
        assert_eq!(Duration::ZERO, opening_delay(0, 1));
    }
}
