//! A run, from create to its end, as several workloads play it.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    catalog::{CallName, Workload},
    clock,
    gateway::{Answer, Client, NewRun, RunStanding, RunView},
    session::{Call, Context, RunWatch, Sent, StartPoint},
};

/// Between the first looks at a run whose end no stream has shown.
const POLL_EVERY_MIN: Duration = Duration::from_millis(500);
/// Between later looks, so that a long run is not looked at a hundred times.
const POLL_EVERY_MAX: Duration = Duration::from_secs(5);
/// Between the first looks at a run whose end was shown: it has ended, or will soon.
const SHOWN_POLL_MIN: Duration = Duration::from_millis(100);

/// A run under way.
#[derive(Debug)]
pub(super) struct Run {
    /// Its id, as the gateway names it.
    pub(super) id: String,
    /// The run as the streams show it; `None` if too many runs are watched already.
    pub(super) watch: Option<Arc<RunWatch>>,
    /// When it was due, and in which phase.
    pub(super) since: StartPoint,
    /// The wait before its creation, as the gateway requested it.
    pub(super) waited: Duration,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ending {
    Success,
    /// In any other way, with the reason.
    Failure(String),
    /// Not at all: its standing at its timeout.
    Unended(&'static str),
    /// Unknown: S2 could not read its record.
    Unread,
    /// Unknown: the session stopped first.
    Left,
}

/// A new run with an id of its own.
pub(super) fn new_run(agent: &str, name: String, message: String) -> NewRun {
    NewRun { id: Uuid::new_v4().to_string(), agent: agent.to_owned(), name, message }
}

/// The outcome of the creation of a run.
#[derive(Debug)]
pub(super) enum Created {
    /// It was created.
    Run(Run, Answer),
    /// It was refused with one of the statuses that the caller accepts for that.
    Refused(Answer),
}

/// Creates a run. Any other outcome is returned in words.
pub(super) async fn create(
    context: &Context,
    workload: Workload,
    client: &Client,
    run: &NewRun,
    since: StartPoint,
) -> Result<(Run, Answer), String> {
    match create_unless_refused(context, workload, client, run, since, &[]).await? {
        Created::Run(run, answer) => Ok((run, answer)),
        Created::Refused(answer) => Err(answer.to_string()),
    }
}

/// The same, if a refusal with one of these statuses is no error.
pub(super) async fn create_unless_refused(
    context: &Context,
    workload: Workload,
    client: &Client,
    run: &NewRun,
    since: StartPoint,
    refused: &[u16],
) -> Result<Created, String> {
    // Watched before it is created: a stream may be faster than the answer.
    let own = context.calls.client.workspace();
    context.shared_runs.created(&run.id, client.workspace(), own);
    let watch = context.deliveries.watched.watch(&run.id);
    let usual = context.calls.of(workload, CallName::CreateRun, &run.id);
    let expected: Vec<u16> = usual.expected.iter().chain(refused).copied().collect();
    let call = Call { since: Some(since), expected: &expected, ..usual };
    let Sent { outcome, mark, waited } = context.calls.send(call, || client.create_run(run)).await;
    let answer = match context.calls.as_expected(call, outcome, mark) {
        Ok(answer) => answer,
        Err(wrong) => {
            context.deliveries.give_up(&run.id);
            return Err(wrong.text);
        }
    };
    if !answer.is(usual.expected) {
        context.deliveries.watched.forget(&run.id);
        return Ok(Created::Refused(answer));
    }
    let dialect = client.dialect();
    let id = match answer.json().as_ref().and_then(|json| dialect.run_id_of(json)) {
        Some(id) => id,
        None if dialect.gives_run_ids() => {
            context.deliveries.give_up(&run.id);
            let why = format!("{answer} (expected the run's id)");
            context.calls.request_failed(workload, call.route, &run.id, &why, since);
            return Err(why);
        }
        None => run.id.clone(),
    };
    let watch = if id == run.id {
        watch
    } else {
        context.deliveries.give_up(&run.id);
        context.shared_runs.created(&id, client.workspace(), own);
        context.deliveries.watched.watch(&id)
    };
    Ok(Created::Run(Run { id, watch, since, waited }, answer))
}

/// Starts a run.
pub(super) async fn start(context: &Context, workload: Workload, client: &Client, run: &Run) -> Result<(), String> {
    if !client.has(CallName::StartRun) {
        // Its creation started it.
        return Ok(());
    }
    let call = Call { since: Some(run.since), ..context.calls.of(workload, CallName::StartRun, &run.id) };
    context.calls.outcome(call, || client.start_run(&run.id)).await.map(drop)
}

/// Compares the events of a run on the workspace streams with its record if it ended in success; else forgets the run.
/// Later events are waited for elsewhere, since they are not part of the run.
pub(super) fn compare_with_streams(context: &Context, run: &Run, record: Option<RunView>, due: StartPoint) {
    match (&run.watch, record) {
        (Some(watch), Some(record)) if context.calls.client.has(CallName::LogsStream) => {
            context.deliveries.compare(&run.id, watch, record.into_messages(), due);
        }
        (None, Some(_)) if context.calls.client.has(CallName::LogsStream) => context.deliveries.run_uncompared(due),
        _ => context.deliveries.give_up(&run.id),
    }
}

/// Waits for a run's end, which a stream may show before the next look. Also returns the last look.
pub(super) async fn wait_for_end(
    context: &Context,
    workload: Workload,
    client: &Client,
    run: &Run,
    deadline: Instant,
) -> (Ending, Option<Answer>) {
    let mut last = None;
    let mut poll_every = POLL_EVERY_MIN;
    let mut looked_when_shown = false;
    let mut is_again = false;
    loop {
        let left = deadline.saturating_duration_since(clock::now());
        tokio::select! {
            biased;
            () = context.schedule.stop.requested() => return (Ending::Left, last),
            shown = shown_within(run, poll_every.min(left), looked_when_shown) => {
                if shown && !looked_when_shown {
                    looked_when_shown = true;
                    poll_every = SHOWN_POLL_MIN;
                } else {
                    poll_every = (poll_every * 3 / 2).min(POLL_EVERY_MAX);
                }
            }
        }
        let looks = context.calls.of(workload, CallName::Run, &run.id);
        let call = Call { since: Some(run.since), until: Some(deadline), is_again, ..looks };
        is_again = true;
        let Sent { outcome, mark, .. } = context.calls.send(call, || client.run(&run.id)).await;
        let standing = match context.calls.as_expected(call, outcome, mark) {
            Ok(answer) => {
                let standing = answer.json().map_or_else(
                    || RunStanding::Unknown(format!("an answer that is no JSON: {answer}")),
                    |json| client.dialect().standing(&client.dialect().run_view(&json)),
                );
                last = Some(answer);
                standing
            }
            // A run that the gateway does not know any more will not end.
            Err(wrong) if wrong.status == Some(404) => {
                return (Ending::Failure(format!("lost: {}", wrong.text)), last);
            }
            // The record would be no shorter at the next look.
            Err(wrong) if wrong.is_unread => return (Ending::Unread, last),
            // Any other failure is counted, and does not say whether the run ended.
            Err(_) => RunStanding::UnderWay,
        };
        let ending = match standing {
            RunStanding::Succeeded => Ending::Success,
            RunStanding::Failed(word) => Ending::Failure(format!("status {word}")),
            RunStanding::Unknown(what) => Ending::Failure(what),
            _ if clock::now() < deadline => continue,
            RunStanding::Waiting => Ending::Unended("waiting"),
            RunStanding::UnderWay => Ending::Unended("under way"),
        };
        return (ending, last);
    }
}

/// Waits until a stream has shown the end, or for a while; whether the end was shown. If the run was looked at since
/// then, always waits for a while.
async fn shown_within(run: &Run, wait: Duration, looked_when_shown: bool) -> bool {
    match &run.watch {
        Some(watch) if !looked_when_shown => watch.ended_within(wait).await,
        _ => {
            tokio::time::sleep(wait).await;
            looked_when_shown
        }
    }
}
