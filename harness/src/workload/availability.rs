//! `/ready`, every second of scenario, whatever else goes on.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::place::CycleCursor;
use crate::{
    catalog::{CallName, Workload},
    clock,
    journal::{Counter, Finding, Timing},
    plan::millis,
    session::{Context, Fatal, StartPoint, TaskGroup, Worker},
};

/// Maximum number of probes under way, which only a pace above a hundred reaches. A further probe counts as unanswered.
const UNDER_WAY_MAX: usize = 256;

/// The readiness probes.
#[derive(Debug, Default)]
pub(super) struct Availability {
    place: CycleCursor,
    probes: TaskGroup,
    /// Held by each probe under way.
    under_way: Arc<()>,
}

impl Worker for Availability {
    fn name(&self) -> &'static str {
        Workload::Availability.name()
    }

    fn background_tasks(&self) -> Option<&TaskGroup> {
        Some(&self.probes)
    }

    fn play(&self, context: Context) -> BoxFuture<'_, Result<(), Fatal>> {
        Box::pin(async move {
            let every_ms = millis(context.schedule.plan.scenario.availability_every).max(1);
            // Samples that were due while no session was there are lost.
            self.place.skip_to(context.schedule.first_tick(every_ms));
            while let due_ms = self.place.next() as u64 * every_ms
                && due_ms < context.schedule.plan.duration_ms
                && let Some(mark) = self.place.begin(&context, Workload::Availability, due_ms).await
            {
                if Arc::strong_count(&self.under_way) > UNDER_WAY_MAX {
                    context.recorder.count(Counter::ReadyProbes, mark);
                    let answer = format!("not sent: {UNDER_WAY_MAX} probes are waiting for an answer");
                    context.recorder.incident_since(Finding::NotReady { answer }, mark);
                    context.recorder.cycle_finished(Workload::Availability, mark);
                    continue;
                }
                let (one, under_way) = (context.clone(), Arc::clone(&self.under_way));
                self.probes.play(&context, Workload::Availability, async move {
                    probe(&one, mark).await;
                    one.recorder.cycle_finished(Workload::Availability, mark);
                    drop(under_way);
                });
            }
            self.probes.over().await;
            Ok(())
        })
    }
}

async fn probe(context: &Context, mark: StartPoint) {
    let (client, recorder) = (&context.calls.client, &context.recorder);
    let outcome = client.ready().await;
    if outcome.is_err() && !recorder.stalls.within(mark.at, clock::now()).is_zero() {
        // This process stood still when an answer was due: its lack proves nothing. A late answer counts.
        return recorder.count(Counter::ReadyUnheard, mark);
    }
    recorder.count(Counter::ReadyProbes, mark);
    recorder.time(Timing::ReadyRoundTrip, mark, client.dialect().route(CallName::Ready));
    let is_repeated = outcome.as_ref().is_ok_and(|answer| answer.repeated.is_some());
    recorder.add(Counter::ProbesRepeated, u64::from(is_repeated), mark);
    let answer = match outcome {
        Ok(answer) if client.says_ready(&answer) => return recorder.count(Counter::ReadyOk, mark),
        Ok(answer) => answer.to_string(),
        Err(trouble) => trouble.text,
    };
    recorder.incident_since(Finding::NotReady { answer }, mark);
}
