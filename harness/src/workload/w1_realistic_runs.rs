//! W1: runs by an open model, each from create to its end. A late gateway does not slow the arrivals.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    place::CycleCursor,
    run::{self, Ending, Run},
    run_stream::{self, Followed},
    unended_runs::UnendedRuns,
};
use crate::{
    catalog::{CallName, Workload},
    clock,
    gateway::{Answer, RunView, dialect::Replay},
    journal::{Counter, Finding, Timing, clip},
    plan::PlannedRun,
    session::{Context, Fatal, FirstOpening, ResumeState, StartPoint, TaskGroup, Worker},
};

/// Maximum age of a run that a session that takes over plays, real time; a hundredth of the plan if that is more.
const MADE_UP_MIN: Duration = Duration::from_secs(5);

/// Maximum time for which a session that takes over waits for its streams before its first run.
const STREAMS_BACK_LIMIT: Duration = Duration::from_secs(1);
/// Between looks.
const STREAMS_BACK_EVERY: Duration = Duration::from_millis(10);

/// W1.
#[derive(Debug, Default)]
pub(super) struct RealisticRuns {
    place: CycleCursor,
    runs: TaskGroup,
    unended: Arc<UnendedRuns>,
}

impl RealisticRuns {
    /// Goes on after those that were played.
    pub(super) fn after(resumed: &ResumeState) -> Self {
        Self { place: CycleCursor::at(resumed.finished(Workload::Runs)), ..Self::default() }
    }
}

impl Worker for RealisticRuns {
    fn name(&self) -> &'static str {
        Workload::Runs.name()
    }

    fn background_tasks(&self) -> Option<&TaskGroup> {
        Some(&self.runs)
    }

    fn play(&self, context: Context) -> BoxFuture<'_, Result<(), Fatal>> {
        Box::pin(async move {
            let heard_from = heard(&context).await;
            while let number = self.place.next()
                && let Some(planned) = context.schedule.plan.runs.get(number as u64)
                && context.schedule.until(planned.at_ms).await
            {
                self.place.advance();
                if came_too_long_ago(&context, number, &planned) {
                    continue;
                }
                let due = context.schedule.due(planned.at_ms).max(heard_from);
                let started = context.recorder.cycle_started(Workload::Runs, due);
                let (one, unended) = (context.clone(), Arc::clone(&self.unended));
                self.runs.play(&context, Workload::Runs, async move {
                    play_run(&one, number, &planned, &unended).await;
                    one.recorder.cycle_finished(Workload::Runs, started);
                });
            }
            self.runs.over().await;
            self.unended.look_again(&context).await;
            Ok(())
        })
    }
}

/// The moment from which streams are open. A session that takes over opens its streams first, because a run without
/// streams proves little. If they do not open at once, it goes on without them.
async fn heard(context: &Context) -> Instant {
    if !context.schedule.resumed.is_there() {
        return context.schedule.began;
    }
    let limit = clock::now() + STREAMS_BACK_LIMIT;
    while context.shared_streams.log_streams_open() < context.schedule.plan.scenario.streams.count as usize
        && clock::now() < limit
        && !context.schedule.stop.is_requested()
    {
        tokio::time::sleep(STREAMS_BACK_EVERY).await;
    }
    clock::now()
}

/// Whether a run was due while no session was there, longer ago than the maximum hole: such runs are not played all at
/// once, which the plan does not promise. A run that was under way when its session died is played again.
fn came_too_long_ago(context: &Context, number: usize, planned: &PlannedRun) -> bool {
    let was_begun = number < context.schedule.resumed.started(Workload::Runs);
    let waited = context.schedule.began.saturating_duration_since(context.schedule.clock.instant(planned.at_ms));
    let allowed = context.schedule.clock.real(context.schedule.plan.duration_ms / 100).max(MADE_UP_MIN);
    context.schedule.resumed.is_there() && !was_begun && waited > allowed
}

async fn play_run(context: &Context, number: usize, planned: &PlannedRun, unended: &UnendedRuns) {
    context.calls.gate.pass().await;
    // From here on a user waits. S2 alone causes holds and late starts: the plan's timer starts runs, so no answer of
    // the gateway can delay this moment. Its lateness is recorded as `start_lateness`.
    let due = context.recorder.mark();
    let message = format!("Soak run {number}: look up the order and sum up its state.");
    let new = run::new_run(&planned.agent, format!("soak-run-{number}"), message);
    match run::create(context, Workload::Runs, &context.calls.client, &new, due).await {
        Err(why) => take_down(context, &new.id, Ending::Failure(format!("not created: {why}")), due),
        Ok((run, _)) => {
            // No user waits for the limit of a plan.
            let due = StartPoint { at: due.at + run.waited, ..due };
            let record = under_way(context, planned, &run, due, unended).await;
            run::compare_with_streams(context, &run, record, due);
        }
    }
}

/// Records how a run ended.
fn take_down(context: &Context, run: &str, ending: Ending, due: StartPoint) {
    match ending {
        Ending::Left => {}
        Ending::Unread => context.recorder.count(Counter::RunsUnread, due),
        Ending::Success => {
            context.recorder.count(Counter::RunsEnded, due);
            context.recorder.count(Counter::RunsSucceeded, due);
        }
        Ending::Unended(standing) => {
            take_down(context, run, Ending::Failure(format!("still {standing} at its timeout")), due);
        }
        Ending::Failure(answer) => {
            tracing::debug!("run {run} failed: {answer}");
            context.recorder.count(Counter::RunsEnded, due);
            context.recorder.incident_since(Finding::RunFailed { run: run.to_owned(), answer: clip(&answer) }, due);
        }
    }
}

/// Starts a run and waits for its end; meanwhile reads its own log stream, if it has one, and compares it with the
/// record. Returns the record of a run that ended in success.
async fn under_way(
    context: &Context,
    planned: &PlannedRun,
    run: &Run,
    due: StartPoint,
    unended: &UnendedRuns,
) -> Option<RunView> {
    let over = CancellationToken::new();
    // If no stream shows every run, each has its own.
    let is_heard_otherwise = context.calls.client.has(CallName::LogsStream);
    let has_own_stream =
        (planned.own_stream || !is_heard_otherwise) && context.calls.client.has(CallName::RunLogsStream);
    let is_heard_by_all = context.shared_streams.log_streams_open() > 0;
    if !has_own_stream {
        let played = start_and_wait(context, run, due, None, unended).await?;
        if is_heard_by_all {
            time_first_log(context, run, &played, None).await;
        }
        return played.record(context);
    }
    let first = FirstOpening::default();
    let play = async {
        let played = start_and_wait(context, run, due, Some(&first), unended).await;
        over.cancel();
        played
    };
    let (_orders, mut ordered) = mpsc::channel(1);
    let follow = run_stream::follow(context, Workload::Runs, &run.id, &mut ordered, &over, &first);
    let (followed, played) = tokio::join!(follow, play);
    let played = played?;
    time_first_log(context, run, &played, Some(&followed).filter(|_| !is_heard_by_all)).await;
    let due = played.due;
    let record = played.record(context)?;
    run_stream::compare(context, Workload::Runs, &run.id, &followed, &record, due);
    Some(record)
}

/// A run that was started.
struct Played {
    ending: Ending,
    /// The answer of the gateway to the last look at the run.
    last: Option<Answer>,
    /// From when on a user waited.
    due: StartPoint,
}

impl Played {
    /// The record of a run that ended in success.
    fn record(self, context: &Context) -> Option<RunView> {
        let json = self.last.filter(|_| self.ending == Ending::Success)?.json()?;
        Some(context.calls.client.dialect().run_view(&json))
    }
}

/// Starts a run and waits for its end; `None` if it did not start.
async fn start_and_wait(
    context: &Context,
    run: &Run,
    mut due: StartPoint,
    first: Option<&FirstOpening>,
    unended: &UnendedRuns,
) -> Option<Played> {
    if let Some(first) = first
        && context.calls.client.has(CallName::StartRun)
    {
        // Only a stream that is open by then shows lines that are not replayed. No user waits for that.
        due.at += first.before_start(&context.shared_streams.earliness).await;
    }
    let deadline = due.at + context.schedule.plan.scenario.runs.timeout;
    if let Err(why) = run::start(context, Workload::Runs, &context.calls.client, run).await {
        take_down(context, &run.id, Ending::Failure(format!("not started: {why}")), due);
        return None;
    }
    if let Some(first) = first {
        first.run_is_under_way();
    }
    context.shared_runs.run_started(&run.id);
    context.recorder.count(Counter::RunsStarted, due);
    let (ending, last) = run::wait_for_end(context, Workload::Runs, &context.calls.client, run, deadline).await;
    if ending != Ending::Left {
        context.recorder.time(Timing::RunDuration, due, &run.id);
    }
    if matches!(ending, Ending::Unended(_)) {
        unended.timed_out(context, &run.id, due);
    }
    take_down(context, &run.id, ending.clone(), due);
    Some(Played { ending, last, due })
}

/// Times the first log line. If streams were open and none showed one, records that the user waited at least until now.
/// If no stream was open, nothing was measured. `own` is the run's own stream, if it is the only one.
async fn time_first_log(context: &Context, run: &Run, played: &Played, own: Option<&Followed>) {
    let Some(watch) = &run.watch else { return };
    if played.ending == Ending::Left {
        return;
    }
    let due = played.due;
    let is_shown = watch.logged_within(Duration::ZERO).await || watch.logged_within(run_stream::LOG_GRACE).await;
    if let Some(opened) = own.and_then(|own| line_before(context, own, played)) {
        // It was there when the stream opened, or before.
        let took = context.recorder.between(due.at, opened);
        context.recorder.time_of(Timing::StartToLog, took, due, &run.id);
        context.recorder.count(Counter::FirstLinesUnseen, due);
    } else if let Some(first) = watch.first_log().filter(|_| is_shown) {
        let took = context.recorder.between(due.at, first);
        context.recorder.time_of(Timing::StartToLog, took, due, &run.id);
    } else if context.shared_streams.log_streams_open() > 0 || own.is_some_and(Followed::is_complete) {
        context.recorder.time(Timing::StartToLog, due, &run.id);
    }
}

/// When the stream was open, if the run's record shows that its first line had come by then: the stream was opened
/// after the start of the run, and begins with a later line.
fn line_before(context: &Context, own: &Followed, played: &Played) -> Option<Instant> {
    let dialect = context.calls.client.dialect();
    let (opened, is_early) = own.opened?;
    if is_early || dialect.events.replay == Replay::Yes {
        return None;
    }
    let record = played.last.as_ref()?.json()?;
    let view = dialect.run_view(&record);
    own.shown.lines_before(&view.messages()).is_some_and(|lines| lines > 0).then_some(opened)
}
