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
    gateway::CallName,
    journal::{Counter, Finding, clip},
    plan::Workload,
    session::{Context, Kept, Mark, Order},
};

/// How long a stream may take to show the end of a run that is over.
pub(super) const LOG_GRACE: Duration = Duration::from_secs(5);

/// Holds what the run's stream has shown against what the run itself has.
pub(super) fn compare(context: &Context, workload: Workload, run: &str, shown: &Shown, record: &Value, due: Mark) {
    let stream = name(run);
    let dialect = context.client.dialect();
    match shown.differs(&dialect.run_view(record).messages()) {
        None => {}
        Some(Difference::Missing(lines)) => {
            context.recorder.add(Counter::EventsMissed, lines.len() as u64, due);
            for line in lines {
                let (run, id) = (clip(run), clip(&line));
                context
                    .recorder
                    .incident_since(Finding::EventMissed { stream: stream.clone(), run, id, seen_by: 0 }, due);
            }
        }
        Some(Difference::Order) => {
            let answer = "log lines in another order than the run has them";
            context.request_failed(workload, dialect.route(CallName::RunLogsStream), run, answer, due);
        }
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
    orders: &mut mpsc::Receiver<Order>,
    over: &CancellationToken,
) -> Shown {
    let mut shown = Shown::default();
    let kept = Kept {
        name: name(run),
        path: context.client.stream_path(CallName::RunLogsStream, Some(run)),
        call: CallName::RunLogsStream,
        workload,
        client: None,
        run: Some(run.to_owned()),
    };
    let mut sightings = Sightings::default();
    let mut connection = 0;
    let ids_are_the_connections = context.client.dialect().events.ids_are_the_connections;
    let keep = async {
        context
            .keep(&kept, orders, &mut |event, log| {
                if ids_are_the_connections && event.connection != connection {
                    // Nothing was asked for by its id: the run is shown from its beginning again.
                    (sightings, shown, connection) = (Sightings::default(), Shown::default(), event.connection);
                }
                if let Some(same_id) = sightings.again(event, log) {
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
                    ("log", Some(message)) if is_own => shown.line(message),
                    ("end", _) if is_own => shown.end(),
                    _ => {}
                }
                !(is_own && log.kind == "end")
            })
            .await;
    };
    let long_over = async {
        over.cancelled().await;
        tokio::time::sleep(LOG_GRACE).await;
    };
    tokio::select! {
        () = keep => {}
        () = long_over => {}
    }
    shown
}
