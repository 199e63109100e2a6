//! Looks for text where it must not show: in a run, its logs, its streams, and wherever else a gateway might put it.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use parking_lot::Mutex;

use super::{
    leak_stream::{LeakReader, Watched},
    run::{self, Ending, Run},
    search_patterns::SearchPatterns,
};
use crate::{
    catalog::{CallName, Workload},
    clock,
    gateway::{Answer, Client, RunStanding, TOO_EARLY},
    session::{Context, TaskGroup},
};

/// Maximum time until a run's own log stream shows the end of a run that is over. It equals the maximum lag of any stream.
const END_LIMIT: Duration = Duration::from_secs(10);
/// Additional time for which the other streams are read: events may be written after the run's end.
const AFTERWARDS: Duration = Duration::from_millis(300);
/// Between looks at whether all streams are back.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Places that are looked at for text that must not show.
#[derive(Debug)]
pub(super) struct LeakScan {
    watched: Arc<Watched>,
    readers: TaskGroup,
}

/// The findings about a text that must not show.
#[derive(Debug)]
pub(super) struct Found {
    /// Where it showed.
    pub(super) shown: Vec<String>,
    /// Where nobody could look.
    pub(super) unseen: Vec<String>,
}

impl LeakScan {
    /// Looks for this. The streams of the workspace are opened at once, before there is a run: what the safety layer
    /// says when one is created is not promised to be said again.
    pub(super) async fn watch(
        context: &Context,
        workload: Workload,
        client: &Client,
        patterns: SearchPatterns,
    ) -> Self {
        let watched = Arc::new(Watched { patterns, ..Watched::default() });
        let places = Self { watched, readers: TaskGroup::default() };
        places.read(context, workload, client, CallName::LogsStream, None).await;
        places.read(context, workload, client, CallName::GuardStream, None).await;
        places
    }

    /// Opens the run's own streams too.
    pub(super) async fn watch_run(&self, context: &Context, workload: Workload, client: &Client, id: &str) {
        self.read(context, workload, client, CallName::RunLogsStream, Some(id)).await;
        self.read(context, workload, client, CallName::RunGuardStream, Some(id)).await;
    }

    /// The gateway has answered that the run is started.
    pub(super) fn run_is_under_way(&self) {
        self.watched.is_under_way.cancel();
    }

    /// Plays a run that was created, looks at what creating it answered, and watches its own streams: how it ended, and its
    /// record.
    pub(super) async fn play(
        &self,
        context: &Context,
        workload: Workload,
        client: &Client,
        (run, created): (&Run, &Answer),
    ) -> (Ending, Option<Answer>) {
        self.look_at(client.dialect().route(CallName::CreateRun), &created.text());
        self.watch_run(context, workload, client, &run.id).await;
        let deadline = clock::now() + context.schedule.plan.scenario.runs.timeout;
        if run::start(context, workload, client, run).await.is_err() {
            return (Ending::Left, None);
        }
        self.run_is_under_way();
        // Not only when it is over: what is masked or gone then may have stood there before.
        self.look_at_run(context, workload, client, &run.id).await;
        run::wait_for_end(context, workload, client, run, deadline).await
    }

    /// Reads a stream beside, until there is enough, where the gateway has such a stream.
    async fn read(&self, context: &Context, workload: Workload, client: &Client, stream: CallName, run: Option<&str>) {
        if !client.has(stream) {
            return;
        }
        let (context, client, watched) = (context.clone(), client.clone(), Arc::clone(&self.watched));
        let reader =
            LeakReader { context: context.clone(), workload, client, stream, run: run.map(str::to_owned), watched };
        let is_to_start = run.is_some() && !self.watched.is_under_way.is_cancelled();
        let tolerated = if is_to_start { &TOO_EARLY[..] } else { &[] };
        let connection = if is_to_start && !context.shared_streams.earliness.is_of_use() {
            None
        } else {
            match reader.open(None, tolerated).await {
                Ok(connection) => Some(connection),
                Err(Some(_)) => None,
                Err(None) => return self.watched.not_seen(context.calls.client.dialect().route(stream)),
            }
        };
        self.readers.play(&context, workload, reader.read(connection));
    }

    /// Looks at the run itself.
    pub(super) async fn look_at_run(&self, context: &Context, workload: Workload, client: &Client, id: &str) {
        let call = context.calls.of(workload, CallName::Run, id);
        let (route, dialect) = (call.route, client.dialect());
        match context.calls.call(call, || client.run(id)).await {
            Some(answer) => {
                self.look_at(route, &answer.text());
                if let Some(RunStanding::Unknown(what)) =
                    answer.json().map(|json| dialect.standing(&dialect.run_view(&json)))
                {
                    context.calls.request_failed(workload, route, id, &what, context.recorder.mark());
                }
            }
            None => self.watched.not_seen(route),
        }
    }

    /// Looks at a text from somewhere else.
    pub(super) fn look_at(&self, place: &str, text: &str) {
        if self.watched.patterns.are_in(text) {
            self.watched.showed(place);
        }
    }

    /// Returns the findings. If a run is over, its log stream is read to the end, and the other streams a little longer. A run
    /// that was refused or cut short has no end to wait for; the messages of the gateway about it may come a little later. A text
    /// that shows still later is found in a text that is [looked at](Self::look_at) then.
    pub(super) async fn find(&self, client: &Client, is_over: bool) -> Found {
        if is_over {
            self.wait_for_ends(client).await;
        }
        tokio::time::sleep_until(clock::now() + AFTERWARDS).await;
        self.watched.enough.cancel();
        self.readers.over().await;
        self.found()
    }

    async fn wait_for_ends(&self, client: &Client) {
        self.watched.is_over.cancel();
        if let Some(spec) = client.dialect().call(CallName::RunLogsStream)
            && client.dialect().events.has_ends()
            && tokio::time::timeout(END_LIMIT, self.watched.ended.notified()).await.is_err()
        {
            self.watched.not_seen(&spec.route);
        }
        // What a gateway has ended is asked for once more, now that the run is over.
        let back_by = clock::now() + END_LIMIT;
        while Arc::strong_count(&self.watched.away) > 1 && clock::now() < back_by {
            tokio::time::sleep_until(clock::now() + LOOK_EVERY).await;
        }
    }

    /// Returns the findings since the last call.
    pub(super) fn found(&self) -> Found {
        let take = |places: &Mutex<BTreeSet<String>>| std::mem::take(&mut *places.lock()).into_iter().collect();
        Found { shown: take(&self.watched.shown), unseen: take(&self.watched.unseen) }
    }
}

impl Drop for LeakScan {
    fn drop(&mut self) {
        self.watched.enough.cancel();
    }
}
