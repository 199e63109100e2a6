//! The log stream of one run: read to the run's end, and held against the run's own record.

use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    own_record::{Difference, Shown},
    sightings::Sightings,
};
use crate::{
    gateway::{CallName, LogEvent, StreamEvent, dialect::Replay},
    journal::{Counter, Finding, clip},
    plan::Workload,
    session::{Context, FirstOpening, Kept, KeptUntil, Mark, Order},
};

/// How long a stream may take to show the end of a run that is over.
pub(super) const LOG_GRACE: Duration = Duration::from_secs(5);

/// What a run's own stream has shown, and whether it could show everything.
#[derive(Debug, Default)]
pub(super) struct Followed {
    pub(super) shown: Shown,
    /// Whether it was open from before the start of the run, without a break.
    pub(super) is_whole: bool,
    /// How many connections there were.
    connections: u32,
}

impl Followed {
    /// Whether it could show everything, and was read to its end.
    pub(super) const fn is_complete(&self) -> bool {
        self.is_whole && self.shown.has_ended()
    }
}

/// Holds what the run's stream has shown against what the run itself has. What came while the stream was not open is held
/// against a gateway only where it replays that.
pub(super) fn compare(
    context: &Context,
    workload: Workload,
    run: &str,
    followed: &Followed,
    record: &Value,
    due: Mark,
) {
    let dialect = context.client.dialect();
    let view = dialect.run_view(record);
    let messages = view.messages();
    let is_owed_all = followed.is_whole || dialect.events.replay == Replay::Yes;
    let unshown = if is_owed_all { 0 } else { followed.shown.lines_before(&messages) };
    if unshown > 0 {
        not_replayed(context, unshown, due);
    }
    match followed.shown.differs(&messages[unshown..]) {
        None => {}
        // A stream that came back may lack what came meanwhile.
        Some(Difference::Missing(lines)) if !is_owed_all && followed.connections > 1 => {
            not_replayed(context, lines.len(), due);
        }
        Some(Difference::Missing(lines)) => {
            context.recorder.add(Counter::EventsMissed, lines.len() as u64, due);
            for line in lines {
                let (stream, run, id) = (name(run), clip(run), clip(&line));
                context.recorder.incident_since(Finding::EventMissed { stream, run, id, seen_by: 0 }, due);
            }
        }
        Some(Difference::Order) => {
            let answer = "log lines in another order than the run has them";
            context.request_failed(workload, dialect.route(CallName::RunLogsStream), run, answer, due);
        }
    }
}

/// So many lines came while no connection of their run's own stream was open.
fn not_replayed(context: &Context, lines: usize, due: Mark) {
    match context.client.dialect().events.replay {
        Replay::No => context.recorder.add(Counter::LinesNotReplayed, lines as u64, due),
        Replay::Unknown | Replay::Yes => context.recorder.count(Counter::RunsHalfShown, due),
    }
}

fn name(run: &str) -> String {
    format!("of run {run}")
}

/// Reads a run's log stream until it has shown the end, or the run has been over for a while. `first` is told of its
/// openings.
pub(super) async fn follow(
    context: &Context,
    workload: Workload,
    run: &str,
    orders: &mut mpsc::Receiver<Order>,
    over: &CancellationToken,
    first: &FirstOpening,
) -> Followed {
    let mut followed = Followed::default();
    let kept = Kept {
        name: name(run),
        path: context.client.stream_path(CallName::RunLogsStream, Some(run)),
        call: CallName::RunLogsStream,
        workload,
        client: None,
        run: Some(run.to_owned()),
    };
    let mut sightings = Sightings::default();
    let ids_are_the_connections = context.client.dialect().events.ids_are_the_connections;
    // Whether what came before is shown again: nothing was asked for by an id.
    let (mut connection, mut has_id, mut begins_again) = (0, false, false);
    let mut on_event = |event: &StreamEvent, log: &LogEvent| {
        if event.connection != connection {
            begins_again = connection > 0 && (!has_id || ids_are_the_connections);
            connection = event.connection;
        }
        has_id |= event.id.is_some();
        if let Some(same_id) = sightings.again(event, log) {
            if begins_again {
                return true;
            }
            let mark = context.recorder.mark();
            context.recorder.count(Counter::EventsDuplicated, mark);
            context.recorder.incident(Finding::EventDuplicated {
                stream: kept.name.clone(),
                run: clip(run),
                id: clip(event.id.as_deref().unwrap_or_default()),
                same_id,
            });
        }
        // A stream that shows other runs too is not over with one of theirs.
        let is_own = log.run_id == run;
        match (log.kind.as_str(), &log.message) {
            ("log", Some(message)) if is_own => followed.shown.line(message),
            ("end", _) if is_own => followed.shown.end(),
            _ => {}
        }
        !(is_own && log.kind == "end")
    };
    let long_over = async {
        over.cancelled().await;
        tokio::time::sleep(LOG_GRACE).await;
    };
    let until = tokio::select! {
        until = context.keep(&kept, orders, Some(first), &mut on_event) => until,
        () = long_over => KeptUntil::Enough,
    };
    if until == KeptUntil::ReadToItsEnd {
        // The gateway has ended it, which is as good as an end that it shows.
        followed.shown.end();
    }
    // One that showed nothing counts as well: what came before it is gone.
    followed.connections = first.openings();
    let is_early = first.opened().is_some_and(|(_, is_early)| is_early);
    followed.is_whole = is_early && followed.connections <= 1;
    followed
}
