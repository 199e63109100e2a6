//! Compares a log stream requested as browsers do with another: a compressor may hold back its events.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{task::JoinSet, time::sleep};

use super::checks::{Check, LOOK_EVERY};
use crate::{
    catalog::CallName,
    clock,
    gateway::{Connection, Dialect, EventReading, StreamEvent},
};

/// Maximum time that this stream may be behind the other.
const BEHIND_MAX: Duration = Duration::from_secs(3);

/// A stream requested as browsers do, while it is read.
pub(super) struct BrowserReading {
    shown: Arc<AtomicUsize>,
    _reading: JoinSet<()>,
}

impl Check<'_> {
    /// Opens the stream as browsers do.
    pub(super) async fn open_as_a_browser(&mut self, call: CallName) -> Option<Connection> {
        let path = self.client.stream_path(call, None);
        match self.streams.as_a_browser().open(call, &path, self.client.workspace(), None).await {
            Ok(connection) => Some(connection),
            Err(refusal) => {
                let answer = refusal.answer;
                let what = format!(
                    "asked for as a browser asks (Accept-Encoding: gzip, deflate, br), no stream opened: {answer}"
                );
                self.fail(what, &[&format!("calls.{call}.path")], None)
            }
        }
    }

    /// Reads the events of a run, beside the other stream.
    pub(super) fn read_as_a_browser(&self, connection: Connection, run: &str) -> BrowserReading {
        let shown = Arc::new(AtomicUsize::new(0));
        let mut reading = JoinSet::new();
        reading.spawn(count(connection, Arc::clone(&self.access.dialect), run.to_owned(), Arc::clone(&shown)));
        BrowserReading { shown, _reading: reading }
    }

    /// Notes a lack of events that the other stream has shown.
    pub(super) async fn compare_with_browser(&mut self, browser: BrowserReading, run: &str, events: &[StreamEvent]) {
        let dialect = Arc::clone(&self.access.dialect);
        let owed = events.iter().filter(|event| is_of_run(&dialect, run, event)).count();
        let give_up_at = clock::now() + BEHIND_MAX;
        let shown = || browser.shown.load(Ordering::Relaxed);
        while shown() < owed && clock::now() < give_up_at {
            sleep(LOOK_EVERY).await;
        }
        let (shown, seconds) = (shown(), BEHIND_MAX.as_secs());
        if shown < owed {
            let what = format!(
                "a stream that is asked for as a browser asks (Accept-Encoding: gzip, deflate, br) showed {shown} of {owed} \
                 events within {seconds} s of the other stream: a compressor on the way seems to hold them back, and \
                 sse_write_p99 will fail"
            );
            self.note(what, &[]);
        }
    }
}

/// Counts the events of a run until the stream ends.
async fn count(mut connection: Connection, dialect: Arc<Dialect>, run: String, shown: Arc<AtomicUsize>) {
    while let Ok(event) = connection.next().await {
        if is_of_run(&dialect, &run, &event) {
            shown.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn is_of_run(dialect: &Dialect, run: &str, event: &StreamEvent) -> bool {
    matches!(dialect.events.reading(None, &event.content.name, &event.content.data), EventReading::OfRun(log) if log.run_id == run)
}
