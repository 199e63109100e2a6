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

/// Runs that were due in the last so long, real time, are played by a session that takes over; a hundredth of the plan,
/// if that is more.
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
            while let Some(planned) = context.schedule.plan.runs.get(self.place.next() as u64) {
                if !context.schedule.until(planned.at_ms).await {
                    break;
                }
                let number = self.place.next();
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

/// From when on runs are listened to. A session that takes over opens its streams first: a run that nobody hears proves
/// little. Where they do not come at once, it goes on without them.
async fn heard(context: &Context) -> Instant {
    if context.schedule.resumed.is_there() {
        let limit = clock::now() + STREAMS_BACK_LIMIT;
        while context.shared_streams.log_streams_open() < context.schedule.plan.scenario.streams.count as usize
            && clock::now() < limit
            && !context.schedule.stop.is_requested()
        {
            tokio::time::sleep(STREAMS_BACK_EVERY).await;
        }
        return clock::now();
    }
    context.schedule.began
}

/// Whether a run was due while no session was there, longer ago than a hole may be: what came to nobody in that time is
/// not played all at once, which no gateway was promised. A run that was under way when its session died is played again.
fn came_too_long_ago(context: &Context, number: usize, planned: &PlannedRun) -> bool {
    let was_begun = number < context.schedule.resumed.started(Workload::Runs);
    let waited = context.schedule.began.saturating_duration_since(context.schedule.clock.instant(planned.at_ms));
    let allowed = context.schedule.clock.real(context.schedule.plan.duration_ms / 100).max(MADE_UP_MIN);
    context.schedule.resumed.is_there() && !was_begun && waited > allowed
}

async fn play_run(context: &Context, number: usize, planned: &PlannedRun, unended: &UnendedRuns) {
    context.calls.gate.pass().await;
    // From here on a user waits. A hold is ours, and so is a late start: no answer of the gateway can delay this moment, since
    // runs are started by the plan's timer alone. How late it is stands in the record as `start_lateness`.
    let due = context.recorder.mark();
    let message = format!("Soak run {number}: look up the order and sum up its state.");
    let new = run::new_run(&planned.agent, format!("soak-run-{number}"), message);
    match run::create(context, Workload::Runs, &context.calls.client, &new, due).await {
        Err(why) => take_down(context, &new.id, Ending::Failure(format!("not created: {why}")), due),
        Ok((run, _)) => {
            // What a plan's limit made it wait, no user waited for.
            let due = StartPoint { at: due.at + run.waited, ..due };
            let record = under_way(context, planned, &run, due, unended).await;
            run::compare_with_streams(context, &run, record, due);
        }
    }
}

/// Takes down how a run ended.
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

/// Starts a run and waits for its end; its own log stream, if it has one, is read beside that, and compared with its
/// record. The record of a run that ended in success comes back.
async fn under_way(
    context: &Context,
    planned: &PlannedRun,
    run: &Run,
    due: StartPoint,
    unended: &UnendedRuns,
) -> Option<RunView> {
    let over = CancellationToken::new();
    // Where no stream shows every run, each is listened to by its own.
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
    let follow = async {
        let (orders, mut ordered) = mpsc::channel(1);
        let followed = run_stream::follow(context, Workload::Runs, &run.id, &mut ordered, &over, &first).await;
        drop(orders);
        followed
    };
    let (followed, played) = tokio::join!(follow, play);
    let played = played?;
    let own = OwnStream { opened: first.opened(), followed };
    time_first_log(context, run, &played, Some(&own).filter(|_| !is_heard_by_all)).await;
    let due = played.due;
    let record = played.record(context)?;
    run_stream::compare(context, Workload::Runs, &run.id, &own.followed, &record, due);
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

/// A run's own log stream, where there is no other that shows it.
struct OwnStream {
    /// When it was open, and whether that was before the start of the run.
    opened: Option<(Instant, bool)>,
    followed: Followed,
}

/// Starts a run and waits for its end; none where it did not start.
async fn start_and_wait(
    context: &Context,
    run: &Run,
    due: StartPoint,
    first: Option<&FirstOpening>,
    unended: &UnendedRuns,
) -> Option<Played> {
    let mut due = due;
    if let Some(first) = first
        && context.calls.client.has(CallName::StartRun)
    {
        // What is not replayed is heard only by a stream that is open by then. That wait is ours: no user waits for it.
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

/// Times the first log line. Where streams were open and none showed one, the user waited at least until now: that is
/// what is recorded. Where no stream was open, nothing was measured. `own` is the run's own stream, where it is the only one.
async fn time_first_log(context: &Context, run: &Run, played: &Played, own: Option<&OwnStream>) {
    let Some(watch) = &run.watch else { return };
    if played.ending == Ending::Left {
        return;
    }
    let due = played.due;
    let is_shown = watch.logged_within(Duration::ZERO).await || watch.logged_within(run_stream::LOG_GRACE).await;
    if let Some(opened) = own.and_then(|own| line_before(context, own, played)) {
        // Whenever it came, it was there when the stream opened.
        let took = context.recorder.between(due.at, opened);
        context.recorder.time_of(Timing::StartToLog, took, due, &run.id);
        context.recorder.count(Counter::FirstLinesUnseen, due);
    } else if let Some(first) = watch.first_log().filter(|_| is_shown) {
        let took = context.recorder.between(due.at, first);
        context.recorder.time_of(Timing::StartToLog, took, due, &run.id);
    } else if context.shared_streams.log_streams_open() > 0 || own.is_some_and(|own| own.followed.is_complete()) {
        context.recorder.time(Timing::StartToLog, due, &run.id);
    }
}

/// When the stream was open, where the run's record shows that its first line had come by then: the stream was opened after
/// the start of the run, and begins with a later line.
fn line_before(context: &Context, own: &OwnStream, played: &Played) -> Option<Instant> {
    let dialect = context.calls.client.dialect();
    let (opened, is_early) = own.opened?;
    if is_early || dialect.events.replay == Replay::Yes {
        return None;
    }
    let record = played.last.as_ref()?.json()?;
    let view = dialect.run_view(&record);
    own.followed.shown.lines_before(&view.messages()).is_some_and(|lines| lines > 0).then_some(opened)
}
