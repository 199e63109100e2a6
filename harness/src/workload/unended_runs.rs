//! Runs that had not ended at their timeout are looked at once more when all others have ended: a gateway that never
//! ends some of its runs keeps them for ever.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::{
    catalog::CallName,
    clock,
    gateway::RunStanding,
    journal::{Counter, Finding},
    session::{Context, StartPoint},
};

/// Maximum number of runs that are looked at again.
const RUNS_MAX: usize = 64;
/// Maximum time for all looks together, and for one of them.
const LOOKS_LIMIT: Duration = Duration::from_secs(10);
const LOOK_LIMIT: Duration = Duration::from_secs(1);
/// Minimum age of an unended run, in timeouts: a run that needs a little longer than its timeout does end.
const TIMEOUTS_MIN: u32 = 2;

/// Runs of W1 that had not ended at their timeout, with no chaos in between.
#[derive(Debug, Default)]
pub(super) struct UnendedRuns(Mutex<Vec<(String, StartPoint)>>);

impl UnendedRuns {
    /// Takes in a run that had not ended at its timeout, unless its gateway was disturbed, which may have lost it.
    pub(super) fn timed_out(&self, context: &Context, run: &str, due: StartPoint) {
        let mut runs = self.0.lock();
        if context.recorder.is_calm_since(due.at) && runs.len() < RUNS_MAX {
            runs.push((run.to_owned(), due));
        }
    }

    /// Looks at them once more, and records each that has not ended.
    pub(super) async fn look_again(&self, context: &Context) {
        let runs = std::mem::take(&mut *self.0.lock());
        let looks = async {
            for (run, due) in &runs {
                look(context, run, *due).await;
            }
        };
        tokio::select! {
            biased;
            () = context.schedule.stop.requested() => {}
            _ = tokio::time::timeout(LOOKS_LIMIT, looks) => {}
        }
    }
}

/// Whether a chaos event was planned between two moments. A run that takes longer than its timeout may be lost in it.
fn is_disturbed(context: &Context, from: Instant, to: Instant) -> bool {
    let (from_ms, to_ms) = (context.schedule.clock.at_ms(from), context.schedule.clock.at_ms(to));
    context.schedule.plan.chaos.iter().any(|event| (from_ms..=to_ms).contains(&event.at_ms))
}

async fn look(context: &Context, run: &str, due: StartPoint) {
    let age = clock::now().saturating_duration_since(due.at);
    let counts_from = due.at + context.schedule.plan.scenario.runs.timeout * TIMEOUTS_MIN;
    if clock::now() < counts_from || is_disturbed(context, due.at, counts_from) {
        return;
    }
    // Not counted as a request: S2 alone wants to know, and the gateway may have forgotten the run by now.
    let Ok(Ok(answer)) = tokio::time::timeout(LOOK_LIMIT, context.calls.client.run(run)).await else { return };
    if !context.calls.client.is_yes(CallName::Run, &answer) {
        return;
    }
    let dialect = context.calls.client.dialect();
    let word = match answer.json().map(|json| dialect.standing(&dialect.run_view(&json))) {
        Some(RunStanding::Waiting) => "waiting",
        Some(RunStanding::UnderWay) => "under way",
        _ => return,
    };
    context.recorder.count(Counter::RunsUnended, due);
    let answer = format!("still {word} after {} s", age.as_secs());
    context.recorder.incident_since(Finding::RunUnended { run: run.to_owned(), answer }, due);
}
