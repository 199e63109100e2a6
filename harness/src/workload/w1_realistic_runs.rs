//! W1: runs by an open model, each from create to its end. A late gateway does not slow the arrivals.

use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    place::Place,
    run::{self, Ending, Run},
    run_stream,
};
use crate::{
    clock,
    gateway::{Answer, CallName},
    journal::{Counter, Finding, Timing, clip},
    plan::{PlannedRun, Workload},
    session::{Context, Fatal, Mark, Past, Side, Worker},
};

/// Runs that were due in the last so long, real time, are played by a session that takes over; a hundredth of the plan,
/// if that is more.
const MADE_UP_MIN: Duration = Duration::from_secs(5);

/// How long a session that takes over waits for its streams before its first run.
const STREAMS_BACK_LIMIT: Duration = Duration::from_secs(1);
/// Between looks.
const STREAMS_BACK_EVERY: Duration = Duration::from_millis(10);

/// W1.
#[derive(Debug, Default)]
pub(super) struct RealisticRuns {
    place: Place,
    runs: Side,
}

impl RealisticRuns {
    /// Goes on after those that were played.
    pub(super) fn after(past: &Past) -> Self {
        Self { place: Place::at(past.finished(Workload::Runs)), ..Self::default() }
    }
}

impl Worker for RealisticRuns {
    fn name(&self) -> &'static str {
        Workload::Runs.name()
    }

    fn beside(&self) -> Option<&Side> {
        Some(&self.runs)
    }

    fn play(&self, context: Context) -> BoxFuture<'_, Result<(), Fatal>> {
        Box::pin(async move {
            let heard_from = heard(&context).await;
            while let Some(planned) = context.plan.runs.get(self.place.next()) {
                if !context.until(planned.at_ms).await {
                    break;
                }
                let number = self.place.next();
                self.place.advance();
                if came_too_long_ago(&context, number, planned) {
                    continue;
                }
                let due = context.due(planned.at_ms).max(heard_from);
                let started = context.recorder.cycle_started(Workload::Runs, due);
                let (planned, one) = (planned.clone(), context.clone());
                self.runs.play(&context, Workload::Runs, async move {
                    play_run(&one, number, &planned, due).await;
                    one.recorder.cycle_finished(Workload::Runs, started);
                });
            }
            self.runs.over().await;
            Ok(())
        })
    }
}

/// From when on runs are listened to. A session that takes over opens its streams first: a run that nobody hears proves
/// little. Where they do not come at once, it goes on without them.
async fn heard(context: &Context) -> Instant {
    if context.past.is_there() {
        let limit = clock::now() + STREAMS_BACK_LIMIT;
        while context.board.log_streams_open() < context.plan.scenario.streams.count as usize
            && clock::now() < limit
            && !context.stop.is_requested()
        {
            tokio::time::sleep(STREAMS_BACK_EVERY).await;
        }
        return clock::now();
    }
    context.began
}

/// Whether a run was due while no session was there, longer ago than a hole may be: what came to nobody in that time is
/// not played all at once, which no gateway was promised. A run that was under way when its session died is played again.
fn came_too_long_ago(context: &Context, number: usize, planned: &PlannedRun) -> bool {
    let was_begun = number < context.past.started(Workload::Runs);
    let waited = context.began.saturating_duration_since(context.clock.instant(planned.at_ms));
    let allowed = context.clock.real(context.plan.duration_ms / 100).max(MADE_UP_MIN);
    context.past.is_there() && !was_begun && waited > allowed
}

async fn play_run(context: &Context, number: usize, planned: &PlannedRun, due: Instant) {
    let began = clock::now();
    context.gate.pass().await;
    // A hold is ours, not the gateway's: it moves the moment from which a user would have waited.
    let held = clock::now().saturating_duration_since(began);
    let due = context.recorder.mark_at(due + held);
    let message = format!("Soak run {number}: look up the order and sum up its state.");
    let new = run::new_run(&planned.agent, format!("soak-run-{number}"), message);
    match run::create(context, Workload::Runs, &context.client, &new, due).await {
        Err(why) => take_down(context, &new.id, Ending::Failure(format!("not created: {why}")), due),
        Ok((run, _)) => {
            // What a plan's limit made it wait, no user waited for.
            let due = Mark { at: due.at + run.waited, ..due };
            let record = under_way(context, planned, &run, due).await;
            hold_against_streams(context, &run, record, due);
        }
    }
}

/// Takes down how a run ended.
fn take_down(context: &Context, run: &str, ending: Ending, due: Mark) {
    match ending {
        Ending::Left => {}
        Ending::Unread => context.recorder.count(Counter::RunsUnread, due),
        Ending::Success => {
            context.recorder.count(Counter::RunsEnded, due);
            context.recorder.count(Counter::RunsSucceeded, due);
        }
        Ending::Failure(answer) => {
            tracing::debug!("run {run} failed: {answer}");
            context.recorder.count(Counter::RunsEnded, due);
            context.recorder.incident_since(Finding::RunFailed { run: run.to_owned(), answer: clip(&answer) }, due);
        }
    }
}

/// Looks away from a run, or holds what the workspace streams showed of it against its record: that of one that ended in
/// success and has no stream of its own. What may still come is waited for elsewhere, since it is no part of the run.
fn hold_against_streams(context: &Context, run: &Run, record: Option<Answer>, due: Mark) {
    match (&run.watch, record.and_then(|answer| answer.json())) {
        (Some(watch), Some(record)) if context.client.has(CallName::LogsStream) => {
            let view = context.client.dialect().run_view(&record);
            context.hold_against_streams(&run.id, watch, &view.messages(), due);
        }
        _ => context.board.forget(&run.id),
    }
}

/// Starts a run and waits for its end; its own log stream, if it has one, is read beside that. The record of one that has
/// none, and ended in success, comes back.
async fn under_way(context: &Context, planned: &PlannedRun, run: &Run, due: Mark) -> Option<Answer> {
    let deadline = due.at + context.plan.scenario.runs.timeout;
    let over = CancellationToken::new();
    // Where no stream shows every run, each is listened to by its own.
    let is_heard_otherwise = context.client.has(CallName::LogsStream);
    let has_own_stream = (planned.own_stream || !is_heard_otherwise) && context.client.has(CallName::RunLogsStream);
    let play = async {
        let streams_were_open = has_own_stream || context.board.log_streams_open() > 0;
        if let Err(why) = run::start(context, Workload::Runs, &context.client, run).await {
            take_down(context, &run.id, Ending::Failure(format!("not started: {why}")), due);
            over.cancel();
            return None;
        }
        context.board.run_started(&run.id);
        context.recorder.count(Counter::RunsStarted, due);
        let (ending, last) = run::wait_for_end(context, Workload::Runs, &context.client, run, deadline).await;
        if ending != Ending::Left {
            context.recorder.time(Timing::RunDuration, due, &run.id);
            time_first_log(context, run, due, streams_were_open).await;
        }
        let record = last.filter(|_| ending == Ending::Success);
        take_down(context, &run.id, ending, due);
        over.cancel();
        record
    };
    if has_own_stream {
        // The stream is asked for first, and read until it has shown the end; a gateway replays what it may have missed.
        let follow = async {
            let (orders, mut ordered) = mpsc::channel(1);
            let shown = run_stream::follow(context, Workload::Runs, &run.id, &mut ordered, &over).await;
            drop(orders);
            shown
        };
        let (shown, record) = tokio::join!(follow, play);
        if let Some(record) = record.and_then(|answer| answer.json()) {
            run_stream::compare(context, Workload::Runs, &run.id, &shown, &record, due);
        }
        None
    } else {
        play.await
    }
}

/// Times the first log line. Where streams were open and none showed one, the user waited at least until now: that is
/// what is recorded. Where no stream was open, nothing was measured.
async fn time_first_log(context: &Context, run: &Run, due: Mark, streams_were_open: bool) {
    let Some(watch) = &run.watch else { return };
    if watch.logged_within(Duration::ZERO).await
        || (streams_were_open && watch.logged_within(run_stream::LOG_GRACE).await)
    {
        if let Some(first) = watch.first_log() {
            let took = context.recorder.between(due.at, first);
            context.recorder.time_of(Timing::StartToLog, took, due, &run.id);
        }
    } else if streams_were_open && context.board.log_streams_open() > 0 {
        context.recorder.time(Timing::StartToLog, due, &run.id);
    }
}
