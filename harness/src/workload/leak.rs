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

/// Maximum time until a run's own log stream shows the end of a run that is over: the maximum lag of any stream.
const END_LIMIT: Duration = Duration::from_secs(10);
/// Additional time for which the other streams are read: events may be written after the run's end.
const AFTERWARDS: Duration = Duration::from_millis(300);
/// Between looks at whether all streams are back.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Places that are searched for text that must not show.
#[derive(Debug)]
pub(super) struct LeakScan {
    context: Context,
    workload: Workload,
    client: Client,
    watched: Arc<Watched>,
    readers: TaskGroup,
}

/// The findings about a text that must not show.
#[derive(Debug)]
pub(super) struct Found {
    /// Where it showed.
    pub(super) shown: Vec<String>,
    /// Places that could not be searched.
    pub(super) unseen: Vec<String>,
}

impl LeakScan {
    /// Searches for these. The streams of the workspace are opened at once, before there is a run: events of the safety
    /// layer about its creation may not be repeated.
    pub(super) async fn watch(
        context: &Context,
        workload: Workload,
        client: &Client,
        patterns: SearchPatterns,
    ) -> Self {
        let watched = Arc::new(Watched { patterns, ..Watched::default() });
        let (context, client) = (context.clone(), client.clone());
        let places = Self { context, workload, client, watched, readers: TaskGroup::default() };
        places.read(CallName::LogsStream, None).await;
        places.read(CallName::GuardStream, None).await;
        places
    }

    /// Opens the run's own streams too.
    pub(super) async fn watch_run(&self, id: &str) {
        self.read(CallName::RunLogsStream, Some(id)).await;
        self.read(CallName::RunGuardStream, Some(id)).await;
    }

    /// The gateway has answered that the run is started.
    pub(super) fn run_is_under_way(&self) {
        self.watched.is_under_way.cancel();
    }

    /// Plays a run, searches the answer to its creation, and watches its own streams: how it ended, and its record.
    pub(super) async fn play(&self, run: &Run, created: &Answer) -> (Ending, Option<Answer>) {
        let Self { context, workload, client, .. } = self;
        self.look_at(client.dialect().route(CallName::CreateRun), &created.text());
        self.watch_run(&run.id).await;
        let deadline = clock::now() + context.schedule.plan.scenario.runs.timeout;
        if run::start(context, *workload, client, run).await.is_err() {
            return (Ending::Left, None);
        }
        self.run_is_under_way();
        // Not only when it is over: text that is masked or gone then may have shown before.
        self.look_at_run(&run.id).await;
        run::wait_for_end(context, *workload, client, run, deadline).await
    }

    /// Reads a stream in the background until there is enough, if the gateway has such a stream.
    async fn read(&self, stream: CallName, run: Option<&str>) {
        if !self.client.has(stream) {
            return;
        }
        let (context, client, watched) = (self.context.clone(), self.client.clone(), Arc::clone(&self.watched));
        let (workload, id) = (self.workload, run.map(str::to_owned));
        let reader = LeakReader { context, workload, client, stream, run: id, watched };
        let is_to_start = run.is_some() && !self.watched.is_under_way.is_cancelled();
        let tolerated = if is_to_start { &TOO_EARLY[..] } else { &[] };
        let connection = if is_to_start && !self.context.shared_streams.earliness.is_of_use() {
            None
        } else {
            match reader.open(None, tolerated).await {
                Ok(connection) => Some(connection),
                Err(Some(_)) => None,
                Err(None) => return self.watched.not_seen(self.client.dialect().route(stream)),
            }
        };
        self.readers.play(&self.context, self.workload, reader.read(connection));
    }

    /// Searches the run itself.
    pub(super) async fn look_at_run(&self, id: &str) {
        let calls = &self.context.calls;
        let call = calls.of(self.workload, CallName::Run, id);
        let (route, dialect) = (call.route, self.client.dialect());
        let Some(answer) = calls.call(call, || self.client.run(id)).await else {
            return self.watched.not_seen(route);
        };
        self.look_at(route, &answer.text());
        let standing = answer.json().map(|json| dialect.standing(&dialect.run_view(&json)));
        if let Some(RunStanding::Unknown(what)) = standing {
            calls.request_failed(self.workload, route, id, &what, self.context.recorder.mark());
        }
    }

    /// Searches a text from somewhere else.
    pub(super) fn look_at(&self, place: &str, text: &str) {
        if self.watched.patterns.are_in(text) {
            self.watched.showed(place);
        }
    }

    /// Returns the findings. If a run is over, its log stream is read to the end, and the other streams a little
    /// longer. A run that was refused or cut short has no end to wait for; events about it may come a little later. A
    /// pattern that shows still later is found in a text that is [searched](Self::look_at) then.
    pub(super) async fn find(&self, is_over: bool) -> Found {
        if is_over {
            self.wait_for_ends().await;
        }
        tokio::time::sleep_until(clock::now() + AFTERWARDS).await;
        self.watched.enough.cancel();
        self.readers.over().await;
        self.found()
    }

    /// The places where `what` of a run that was played showed. `None` if that proves nothing: it showed nowhere, but
    /// the run did not end and so has not shown everything, or a place could not be searched.
    pub(super) async fn prove(&self, what: &str, run: &str, ending: &Ending, is_over: bool) -> Option<Vec<String>> {
        let Found { shown, unseen } = self.find(is_over).await;
        if shown.is_empty() && (!is_over || !unseen.is_empty()) {
            let unseen = unseen.join(", ");
            tracing::info!("{what} of run {run} proves nothing: it ended as {ending:?}, not looked at: {unseen}");
            return None;
        }
        Some(shown)
    }

    async fn wait_for_ends(&self) {
        self.watched.is_over.cancel();
        let dialect = self.client.dialect();
        if let Some(spec) = dialect.call(CallName::RunLogsStream)
            && dialect.events.has_ends()
            && tokio::time::timeout(END_LIMIT, self.watched.ended.notified()).await.is_err()
        {
            self.watched.not_seen(&spec.route);
        }
        // Streams that the gateway has ended are opened once more, now that the run is over.
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
