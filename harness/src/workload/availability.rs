//! `/ready`, every second of scenario, whatever else goes on.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;

use super::place::CycleCursor;
use crate::{
    catalog::{CallName, Workload},
    clock,
    journal::{Counter, Finding, Timing},
    plan::millis,
    session::{Context, Fatal, TaskGroup, Worker},
};

/// Probes under way at once. A probe lives two seconds at most, so that only a pace above a hundred gets here; a probe
/// that finds no room is counted as one that was not answered.
const UNDER_WAY_MAX: usize = 256;

/// The readiness probes.
#[derive(Debug)]
pub(super) struct Availability {
    place: CycleCursor,
    probes: TaskGroup,
    room: Arc<Semaphore>,
}

impl Default for Availability {
    fn default() -> Self {
        Self {
            place: CycleCursor::default(),
            probes: TaskGroup::default(),
            room: Arc::new(Semaphore::new(UNDER_WAY_MAX)),
        }
    }
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
            // What was due while no session was there is a sample that nobody can take any more.
            self.place.skip_to(context.schedule.first_tick(every_ms));
            loop {
                let due_ms = self.place.next() as u64 * every_ms;
                if due_ms >= context.schedule.plan.duration_ms || !context.schedule.until(due_ms).await {
                    break;
                }
                self.place.advance();
                let mark = context.recorder.cycle_started(Workload::Availability, context.schedule.due(due_ms));
                let Ok(room) = Arc::clone(&self.room).try_acquire_owned() else {
                    context.recorder.count(Counter::ReadyProbes, mark);
                    let answer = format!("not sent: {UNDER_WAY_MAX} probes are waiting for an answer");
                    context.recorder.incident_since(Finding::NotReady { answer }, mark);
                    context.recorder.cycle_finished(Workload::Availability, mark);
                    continue;
                };
                let one = context.clone();
                self.probes.play(&context, Workload::Availability, async move {
                    let outcome = one.calls.client.ready().await;
                    if outcome.is_err() && !one.recorder.stalls.within(mark.at, clock::now()).is_zero() {
                        // This process stood still when an answer was due, so that the lack of one says nothing. An answer is an
                        // answer, whenever it is read.
                        one.recorder.count(Counter::ReadyUnheard, mark);
                        return one.recorder.cycle_finished(Workload::Availability, mark);
                    }
                    one.recorder.count(Counter::ReadyProbes, mark);
                    one.recorder.time(Timing::ReadyRoundTrip, mark, one.calls.client.dialect().route(CallName::Ready));
                    let repeated = outcome.as_ref().ok().and_then(|answer| answer.repeated.as_ref());
                    one.recorder.add(Counter::ProbesRepeated, u64::from(repeated.is_some()), mark);
                    let answer = match outcome {
                        Ok(answer) if one.calls.client.says_ready(&answer) => {
                            one.recorder.count(Counter::ReadyOk, mark);
                            None
                        }
                        Ok(answer) => Some(answer.to_string()),
                        Err(trouble) => Some(trouble.text),
                    };
                    if let Some(answer) = answer {
                        one.recorder.incident_since(Finding::NotReady { answer }, mark);
                    }
                    one.recorder.cycle_finished(Workload::Availability, mark);
                    drop(room);
                });
            }
            self.probes.over().await;
            Ok(())
        })
    }
}
