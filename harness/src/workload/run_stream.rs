//! The log stream of one run: read to the run's end, and compared with the run's record.

use std::time::Duration;

use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    catalog::{CallName, Workload},
    gateway::{LogEvent, RunView, StreamEvent, dialect::Replay},
    journal::{Counter, Finding, clip},
    session::{Context, FirstOpening, KeptUntil, StartPoint, StreamCommand, StreamSpec, keep},
    streams::{Difference, ShownLines},
};

/// Maximum time until a stream shows the end of a run that is over.
pub(super) const LOG_GRACE: Duration = Duration::from_secs(5);
/// The same if no other stream shows it, so that a run without it has missed it.
const END_GRACE: Duration = Duration::from_secs(10);

/// The events of a run's own stream, and whether it could show everything.
#[derive(Debug, Default)]
pub(super) struct Followed {
    pub(super) shown: ShownLines,
    /// When it was open, and whether that was before the start of the run.
    pub(super) opened: Option<(Instant, bool)>,
    /// Whether it was open from before the start of the run, without a break.
    pub(super) is_whole: bool,
    /// How many connections there were.
    connections: u32,
    /// Whether it has shown the event that ends a run.
    end_was_shown: bool,
    /// Whether the run had been over for the whole grace when it was left.
    is_waited_out: bool,
}

impl Followed {
    /// Whether it could show everything, and was read to its end.
    pub(super) const fn is_complete(&self) -> bool {
        self.is_whole && self.shown.has_ended()
    }
}

/// Compares the events of the run's stream with its record. Lines that came while the stream was not open are missing
/// only if the gateway replays them. A stream that was not read to the run's end proves nothing.
pub(super) fn compare(
    context: &Context,
    workload: Workload,
    run: &str,
    followed: &Followed,
    record: &RunView,
    due: StartPoint,
) {
    let dialect = context.calls.client.dialect();
    judge_end(context, run, followed, due);
    let messages = record.messages();
    let is_owed_all = followed.is_whole || dialect.events.replay == Replay::Yes;
    let before = if is_owed_all { Some(0) } else { followed.shown.lines_before(&messages) };
    let unshown = before.unwrap_or(0);
    if unshown > 0 {
        not_replayed(context, unshown as u64, due);
    }
    let Some(Difference { lines, is_out_of_order }) = followed.shown.differs(&messages[unshown..]) else {
        context.recorder.add(Counter::LinesEqualUndecided, followed.shown.equal(), due);
        return;
    };
    // A stream that came back may lack lines.
    let may_lack = !is_owed_all && (followed.connections > 1 || before.is_none()) && lines.missing_count > 0;
    if may_lack {
        not_replayed(context, lines.missing_count, due);
    }
    context.recorder.add(Counter::LinesEqualUndecided, lines.equal_undecided, due);
    context.deliveries.take_down_comparison(run, &name(run), &lines, !may_lack, due);
    if is_out_of_order {
        let answer = "log lines in another order than the run has them";
        context.calls.request_failed(workload, dialect.route(CallName::RunLogsStream), run, answer, due);
    }
}

/// Judges whether the stream has shown the end of a run that is over, if no stream of the workspace does. A gateway
/// whose streams have shown no end at all may have no such event.
fn judge_end(context: &Context, run: &str, followed: &Followed, due: StartPoint) {
    if context.calls.client.has(CallName::LogsStream) || !context.calls.client.dialect().events.has_ends() {
        return;
    }
    if followed.end_was_shown {
        context.deliveries.own_end_shown();
        context.recorder.count(Counter::EndsShown, due);
    } else if followed.is_waited_out && followed.is_whole && context.recorder.was_calm_since(due) {
        match context.deliveries.own_ends_shown() {
            0 => context.recorder.count(Counter::EndsNotShown, due),
            _ => context.deliveries.end_missed(run, &name(run), due),
        }
    }
}

/// Records lines that came while no connection of their run's own stream was open.
fn not_replayed(context: &Context, lines: u64, due: StartPoint) {
    match context.calls.client.dialect().events.replay {
        Replay::No => context.recorder.add(Counter::LinesNotReplayed, lines, due),
        Replay::Unknown | Replay::Yes => context.recorder.count(Counter::RunsHalfShown, due),
    }
}

fn name(run: &str) -> String {
    format!("of run {run}")
}

/// Reads a run's log stream until it has shown the end, or the run has been over for a while.
pub(super) async fn follow(
    context: &Context,
    workload: Workload,
    run: &str,
    orders: &mut mpsc::Receiver<StreamCommand>,
    over: &CancellationToken,
    first: &FirstOpening,
) -> Followed {
    let mut followed = Followed::default();
    let kept = StreamSpec {
        name: name(run),
        path: context.calls.client.stream_path(CallName::RunLogsStream, Some(run)),
        call: CallName::RunLogsStream,
        workload,
        client: None,
        as_a_browser: false,
        run: Some(run.to_owned()),
    };
    let ids_are_the_connections = context.calls.client.dialect().events.ids_are_the_connections;
    // Earlier events are shown again if no id was sent.
    let (mut connection, mut has_id) = (0, false);
    let mut on_event = |event: &StreamEvent, log: &LogEvent| {
        if event.connection != connection {
            followed.shown.reconnected(connection > 0 && (!has_id || ids_are_the_connections));
            connection = event.connection;
        }
        has_id |= event.content.id.is_some();
        // A stream that shows other runs too does not end with their ends.
        let is_own = log.run_id == run;
        let got = log.delivery(event.content.id.as_deref().unwrap_or_default());
        if is_own && let Some(same_id) = followed.shown.event(&got) {
            let mark = context.recorder.mark();
            context.recorder.count(Counter::EventsDuplicated, mark);
            context.recorder.incident(Finding::EventDuplicated {
                stream: kept.name.clone(),
                run: clip(run),
                id: clip(got.id),
                same_id,
                line: clip(got.line()),
                why: String::new(),
            });
        }
        !(is_own && log.kind == "end")
    };
    let long_over = async {
        over.cancelled().await;
        let is_alone = !context.calls.client.has(CallName::LogsStream);
        tokio::time::sleep(if is_alone { END_GRACE } else { LOG_GRACE }).await;
    };
    let (until, is_waited_out) = tokio::select! {
        until = keep(context, &kept, orders, Some(first), &mut on_event) => (until, false),
        () = long_over => (KeptUntil::Enough, true),
    };
    followed.is_waited_out = is_waited_out;
    followed.end_was_shown = followed.shown.has_ended();
    if until == KeptUntil::ReadToItsEnd {
        // The gateway has ended it, which is equivalent to an end event.
        followed.shown.end();
    }
    // A connection that showed nothing counts, too: earlier lines are gone.
    followed.connections = first.openings();
    followed.opened = first.opened();
    followed.is_whole = followed.opened.is_some_and(|(_, is_early)| is_early) && followed.connections <= 1;
    followed
}
