//! Looks for text where it must not show: in a run, its logs, its streams, and wherever else a gateway might put it.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::leak_stream::{Reader, TOO_EARLY};
use crate::{
    catalog::{CallName, Workload},
    clock,
    gateway::{Client, RunStanding, json_contains},
    session::{Context, Side},
};

/// How long a run's own log stream may take to show the end of a run that is over: as long as any stream may lag.
const END_LIMIT: Duration = Duration::from_secs(10);
/// How much longer the other streams are read: events may be written after the run's end.
const AFTERWARDS: Duration = Duration::from_millis(300);
/// Between looks at whether all streams are back.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Of a text that must not be readable, so much of its beginning: of a canary "canary-" and 8 digits, which no other has.
const BEGINNING_CHARS: usize = 15;
/// And so much of its end: of a canary the last 12 digits.
const END_CHARS: usize = 12;

/// What is looked for, in lower case.
#[derive(Debug, Clone)]
pub(super) struct Needles(Vec<String>);

impl Needles {
    /// The text, and the same without the spaces and dashes that a gateway may have taken out.
    pub(super) fn verbatim(text: &str) -> Self {
        let bare: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
        Self(vec![text.to_lowercase(), bare.to_lowercase()])
    }

    /// The text, its beginning and its end, and the ways in which each could be written down and read again: a line that
    /// shows a message may break off in it, or begin in it. A hash of it is none.
    pub(super) fn readable(text: &str) -> Self {
        let beginning: String = text.chars().take(BEGINNING_CHARS).collect();
        let end: String = text.chars().skip(text.chars().count().saturating_sub(END_CHARS)).collect();
        Self([text, &beginning, &end].into_iter().flat_map(spellings).collect())
    }
}

/// A text plain, reversed, in hex, and in Base64.
fn spellings(text: &str) -> impl Iterator<Item = String> {
    let hex: String = text.bytes().map(|b| format!("{b:02x}")).collect();
    let reversed: String = text.chars().rev().collect();
    // In a longer text base64 shifts with its start: the digits that stand for nothing but bits of the text are the same
    // whatever stands around.
    let bytes = text.len();
    let shifted = (0..3).filter_map(move |shift: usize| {
        let encoded = STANDARD.encode([&b"\0\0"[..shift], text.as_bytes()].concat());
        encoded.get((8 * shift).div_ceil(6)..8 * (shift + bytes) / 6).map(str::to_lowercase)
    });
    [text.to_lowercase(), reversed.to_lowercase(), hex].into_iter().chain(shifted)
}

/// What is watched for, and what has been seen so far.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) needles: Needles,
    /// Places in which one of the needles stood.
    shown: Mutex<BTreeSet<String>>,
    /// Places that could not be looked at to their end: without them nobody can say that it showed nowhere.
    unseen: Mutex<BTreeSet<String>>,
    /// There is no need to read on.
    pub(super) enough: CancellationToken,
    /// The gateway has answered that the run is started.
    pub(super) is_under_way: CancellationToken,
    /// The run is over.
    pub(super) is_over: CancellationToken,
    /// The run's own log stream has shown its end, or was read completely.
    pub(super) ended: Notify,
    /// Streams that their gateway has ended, and that are to be opened again.
    pub(super) away: AtomicUsize,
}

impl Watched {
    pub(super) fn showed(&self, place: &str) {
        lock(&self.shown).insert(place.to_owned());
    }

    pub(super) fn not_seen(&self, place: &str) {
        lock(&self.unseen).insert(place.to_owned());
    }
}

/// Places that are looked at for text that must not show.
#[derive(Debug)]
pub(super) struct Places {
    watched: Arc<Watched>,
    readers: Side,
}

/// What was found of a text that must not show.
#[derive(Debug)]
pub(super) struct Found {
    /// Where it showed.
    pub(super) shown: Vec<String>,
    /// Where nobody could look.
    pub(super) unseen: Vec<String>,
}

impl Places {
    /// Looks for this. The streams of the workspace are opened at once, before there is a run: what the safety layer
    /// says when one is created is not promised to be said again.
    pub(super) async fn watch(context: &Context, workload: Workload, client: &Client, needles: Needles) -> Self {
        let watched = Watched {
            needles,
            shown: Mutex::default(),
            unseen: Mutex::default(),
            enough: CancellationToken::new(),
            is_under_way: CancellationToken::new(),
            is_over: CancellationToken::new(),
            ended: Notify::new(),
            away: AtomicUsize::new(0),
        };
        let places = Self { watched: Arc::new(watched), readers: Side::default() };
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

    /// Reads a stream beside, until there is enough, where the gateway has such a stream.
    async fn read(&self, context: &Context, workload: Workload, client: &Client, stream: CallName, run: Option<&str>) {
        if !client.has(stream) {
            return;
        }
        let (context, client, watched) = (context.clone(), client.clone(), Arc::clone(&self.watched));
        let reader =
            Reader { context: context.clone(), workload, client, stream, run: run.map(str::to_owned), watched };
        let is_to_start = run.is_some() && !self.watched.is_under_way.is_cancelled();
        let tolerated = if is_to_start { &TOO_EARLY[..] } else { &[] };
        let connection = if is_to_start && !context.board.earliness().is_of_use() {
            None
        } else {
            match reader.open(None, tolerated).await {
                Ok(connection) => Some(connection),
                Err(Some(_)) => None,
                Err(None) => return self.watched.not_seen(context.client.dialect().route(stream)),
            }
        };
        self.readers.play(&context, workload, reader.read(connection));
    }

    /// Looks at the run itself.
    pub(super) async fn look_at_run(&self, context: &Context, workload: Workload, client: &Client, id: &str) {
        let call = context.of(workload, CallName::Run, id);
        let (route, dialect) = (call.route, client.dialect());
        match context.call(call, || client.run(id)).await {
            Some(answer) => {
                self.look_at(route, &answer.text());
                if let Some(RunStanding::Unknown(what)) =
                    answer.json().map(|json| dialect.standing(&dialect.run_view(&json)))
                {
                    context.request_failed(workload, route, id, &what, context.recorder.mark());
                }
            }
            None => self.watched.not_seen(route),
        }
    }

    /// Looks at a text from somewhere else.
    pub(super) fn look_at(&self, place: &str, text: &str) {
        if contains(text, &self.watched.needles) {
            self.watched.showed(place);
        }
    }

    /// What was found. The run is over: its log stream is read to its end, the others a little longer. What shows later
    /// is found by a text that is [looked at](Self::look_at) then.
    pub(super) async fn find(&self, client: &Client) -> Found {
        self.watched.is_over.cancel();
        if let Some(spec) = client.dialect().call(CallName::RunLogsStream)
            && client.dialect().events.has_an_end()
            && tokio::time::timeout(END_LIMIT, self.watched.ended.notified()).await.is_err()
        {
            self.watched.not_seen(&spec.route);
        }
        // What a gateway has ended is asked for once more, now that the run is over.
        let back_by = clock::now() + END_LIMIT;
        while self.watched.away.load(Ordering::Relaxed) > 0 && clock::now() < back_by {
            tokio::time::sleep_until(clock::now() + LOOK_EVERY).await;
        }
        tokio::time::sleep_until(clock::now() + AFTERWARDS).await;
        self.watched.enough.cancel();
        self.readers.over().await;
        self.found()
    }

    /// What was found of a run that has no end to wait for, since it was refused, or cut short: what the gateway says of that
    /// may come a little later.
    pub(super) async fn find_without_end(&self) -> Found {
        tokio::time::sleep_until(clock::now() + AFTERWARDS).await;
        self.watched.enough.cancel();
        self.readers.over().await;
        self.found()
    }

    /// What was found since this was asked before.
    pub(super) fn found(&self) -> Found {
        let take = |places: &Mutex<BTreeSet<String>>| std::mem::take(&mut *lock(places)).into_iter().collect();
        Found { shown: take(&self.watched.shown), unseen: take(&self.watched.unseen) }
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        self.watched.enough.cancel();
    }
}

fn lock(places: &Mutex<BTreeSet<String>>) -> MutexGuard<'_, BTreeSet<String>> {
    places.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether one of the needles stands in a text, or in what the text says where it is JSON with escapes.
pub(super) fn contains(text: &str, needles: &Needles) -> bool {
    let lower = text.to_lowercase();
    let json = || serde_json::from_str(text).is_ok_and(|json| json_contains(&json, &needles.0));
    needles.0.iter().any(|needle| lower.contains(needle.as_str())) || json()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANARY: &str = "canary-a937fb500c1d4e6f8a2b91d7e35fc046";

    fn encodings(text: &str) -> [String; 5] {
        let hex: String = text.bytes().map(|b| format!("{b:02X}")).collect();
        // As a part of a longer text, at each of the places that Base64 tells apart.
        let inside = |before: &str| STANDARD.encode(format!("{before}{text}…"));
        [text.to_owned(), text.chars().rev().collect(), hex, inside("so "), inside("say: ")]
    }

    #[test]
    fn a_preview_that_breaks_off_in_the_canary_or_begins_in_it_is_found_however_it_is_written() {
        let needles = Needles::readable(CANARY);
        for shows in 15..=CANARY.len() {
            for text in encodings(&CANARY[..shows]) {
                assert!(contains(&format!("processing: The code word is {text}…"), &needles), "{text}");
            }
        }
        for hidden in 0..=CANARY.len() - 12 {
            for text in encodings(&CANARY[hidden..]) {
                assert!(contains(&format!("{{\"tail\":\"…{text}, keep it\"}}"), &needles), "{text}");
            }
        }
    }

    #[test]
    fn base64_of_a_cut_canary_is_found_wherever_it_begins() {
        let needles = Needles::readable(CANARY);
        for before in ["", "a", "ab", "The code word is "] {
            for cut in [&CANARY[..15], &CANARY[27..], CANARY] {
                let encoded = STANDARD.encode(format!("{before}{cut}"));
                assert!(contains(&encoded, &needles), "{before}{cut}: {encoded}");
            }
        }
    }

    #[test]
    fn other_canaries_and_cuts_that_show_next_to_nothing_are_not_found() {
        let needles = Needles::readable(CANARY);
        for _ in 0..1_000 {
            for text in encodings(&format!("canary-{}", uuid::Uuid::new_v4().simple())) {
                assert!(!contains(&text, &needles), "{text}");
            }
        }
        for text in ["The code word is canary-…", "canary-a937…", "canary-a937fb5", "privacy-canary", "…35fc046"]
        {
            assert!(!contains(text, &needles), "{text}");
        }
    }

    #[test]
    fn of_personal_data_only_the_whole_is_looked_for() {
        let needles = Needles::verbatim("4111 1111 1000 0019");
        assert!(contains("card 4111111110000019", &needles) && contains("card 4111 1111 1000 0019", &needles));
        assert!(!contains("card 4111 1111 1000", &needles) && !contains("ends in 1000 0019", &needles));
    }
}
