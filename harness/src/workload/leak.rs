//! Looks for text where it must not show: in a run, its logs, its streams, and wherever else a gateway might put it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{
    clock,
    gateway::{Client, Connection, json_contains},
    journal::Counter,
    plan::Workload,
    session::{Call, Context, Side},
};

/// How long a run's own log stream may take to show the end of a run that is over.
const END_LIMIT: Duration = Duration::from_secs(3);
/// How much longer the other streams are read: events may be written after the run's end.
const AFTERWARDS: Duration = Duration::from_millis(300);
/// Of one place so much is kept.
const PLACE_BYTES_MAX: usize = 256 * 1024;

/// What is looked for, in lower case.
#[derive(Debug, Clone)]
pub(super) struct Needles(Vec<String>);

impl Needles {
    /// The text, and the same without the spaces and dashes that a gateway may have taken out.
    pub(super) fn verbatim(text: &str) -> Self {
        let bare: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
        Self(vec![text.to_lowercase(), bare.to_lowercase()])
    }

    /// The text, and the ways in which it could be written down and read again. A hash of it is none.
    pub(super) fn readable(text: &str) -> Self {
        let hex: String = text.bytes().map(|b| format!("{b:02x}")).collect();
        let reversed: String = text.chars().rev().collect();
        // In a longer text base64 shifts with its start: the inner characters of each shift are the same whatever
        // stands around.
        let shifted = (0..3).map(|shift| {
            let encoded = STANDARD.encode(format!("{}{text}", "\0".repeat(shift)));
            encoded[4 * usize::from(shift > 0)..(encoded.len() - 4)].to_lowercase()
        });
        let plain = [text.to_lowercase(), reversed.to_lowercase(), hex.to_lowercase()];
        Self(plain.into_iter().chain(shifted).collect())
    }
}

/// Places that are looked at, with what stands there.
#[derive(Debug, Default)]
pub(super) struct Places {
    read: Vec<(String, String)>,
    streams: Vec<(String, Arc<Mutex<Shown>>)>,
    readers: Side,
    enough: CancellationToken,
    ended: Arc<Notify>,
}

/// What a stream has shown.
#[derive(Debug, Default)]
struct Shown {
    text: String,
}

impl Places {
    /// Opens the streams on which a run could show: its own, and those of its workspace.
    pub(super) async fn watch(context: &Context, workload: Workload, client: &Client, run: &str) -> Self {
        let mut places = Self::default();
        let logs = Client::logs_path(Some(run));
        let paths = [logs.clone(), Client::guard_path(Some(run)), Client::logs_path(None), Client::guard_path(None)];
        for path in paths {
            context.gate.pass().await;
            let mark = context.recorder.mark();
            context.recorder.count(Counter::Requests, mark);
            match context.streams.open(&path, client.workspace(), None).await {
                Ok(connection) => places.read_aside(context, workload, &path, connection, path == logs),
                Err(refusal) => {
                    let route = format!("GET {path}");
                    context.request_failed(workload, &route, client.workspace(), &refusal.answer, mark);
                }
            }
        }
        places
    }

    fn read_aside(&mut self, context: &Context, workload: Workload, path: &str, mut from: Connection, ends: bool) {
        let shown = Arc::new(Mutex::new(Shown::default()));
        self.streams.push((format!("GET {path}"), Arc::clone(&shown)));
        let (board, enough, ended) = (Arc::clone(&context.board), self.enough.clone(), Arc::clone(&self.ended));
        self.readers.play(context, workload, async move {
            board.stream_opened(false);
            loop {
                let event = tokio::select! {
                    () = enough.cancelled() => break,
                    event = from.next() => event,
                };
                let Ok(event) = event else { break };
                let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
                if shown.text.len() + event.data.len() < PLACE_BYTES_MAX {
                    shown.text.push_str(&event.data);
                    shown.text.push('\n');
                }
                if ends && event.name == "end" {
                    ended.notify_one();
                }
            }
            board.stream_closed(false, false);
        });
    }

    /// Looks at the run itself.
    pub(super) async fn look_at_run(&mut self, context: &Context, workload: Workload, client: &Client, id: &str) {
        let call = Call { workload, route: "GET /api/runs/{id}", subject: id, expected: &[200] };
        if let Some(answer) = context.call(call, client.run(id)).await {
            self.add(call.route, answer.text());
        }
    }

    /// Adds a place that was read elsewhere.
    pub(super) fn add(&mut self, place: &str, text: String) {
        self.read.push((place.to_owned(), text));
    }

    /// How many places there are to look at.
    pub(super) fn len(&self) -> usize {
        self.read.len() + self.streams.len()
    }

    /// The places in which one of the needles stands. The run is over: its log stream is read to its end, the others a
    /// little longer.
    pub(super) async fn find(mut self, needles: &Needles) -> Vec<String> {
        // A stream that never shows the end is read no longer than this.
        let _ = tokio::time::timeout(END_LIMIT, self.ended.notified()).await;
        tokio::time::sleep_until(clock::now() + AFTERWARDS).await;
        self.enough.cancel();
        self.readers.over().await;
        for (place, shown) in std::mem::take(&mut self.streams) {
            let text = std::mem::take(&mut shown.lock().unwrap_or_else(PoisonError::into_inner).text);
            self.read.push((place, text));
        }
        let read = std::mem::take(&mut self.read);
        read.into_iter().filter(|(_, text)| contains(text, needles)).map(|(place, _)| place).collect()
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        self.enough.cancel();
    }
}

/// Whether one of the needles stands in a text, or in what the text says where it is JSON with escapes.
fn contains(text: &str, needles: &Needles) -> bool {
    let lower = text.to_lowercase();
    needles.0.iter().any(|needle| lower.contains(needle.as_str()))
        || text.lines().filter_map(|line| serde_json::from_str(line).ok()).any(|json| json_contains(&json, &needles.0))
}
