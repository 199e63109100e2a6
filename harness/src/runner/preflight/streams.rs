//! What a stream is tried with: it is opened, a run is played, and it must show that.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{
    checks::{Check, PATIENCE},
    hints::{pointers_in, words_in},
};
use crate::gateway::{CallName, Connection, LogEvent, RunStanding, StreamEvent, time_of};

/// How long a stream is waited for that may well have nothing to say.
const GUARD_PATIENCE: Duration = Duration::from_secs(5);
/// Events that are kept at most: of all runs, and with those of the run in question. Its end is always kept.
const EVENTS_MAX: usize = 64;
const EVENTS_OF_RUN_MAX: usize = 256;
/// Events that are shown.
const EVENTS_SHOWN_MAX: usize = 8;

impl Check<'_> {
    /// Opens a stream; none where it does not open.
    pub(super) async fn open(&mut self, call: CallName, run: Option<&str>) -> Option<Connection> {
        let path = self.client.stream_path(call, run);
        let sent = self.client.shown(call, &[("id", json!(run.unwrap_or_default()))]);
        match self.streams.open(call, &path, self.client.workspace(), None).await {
            Ok(connection) => {
                self.attempts.came(sent, "200, a stream".into());
                Some(connection)
            }
            Err(refusal) => {
                self.attempts.came(sent, refusal.answer);
                let absent = format!("or, if the gateway has no such stream: calls.{call}.absent = \"why\"");
                self.wrong("no stream opened", &[&format!("calls.{call}.path")], Some(absent));
                None
            }
        }
    }

    /// A stream of the workspace is opened first, and shows a run that comes then.
    pub(super) async fn stream_of_all(&mut self, call: CallName) -> Option<()> {
        let connection = self.open(call, None).await?;
        let id = self.started().await?;
        let events = self.shows(call, connection, &id).await?;
        if call == CallName::LogsStream { self.ids_go_on(call, &events).await } else { Some(()) }
    }

    pub(super) async fn stream_of_run(&mut self, call: CallName) -> Option<()> {
        let id = self.create().await?;
        let connection = self.open(call, Some(&id)).await?;
        self.start(&id).await?;
        self.shows(call, connection, &id).await.map(drop)
    }

    /// What a stream says of a run: the first events, and its end.
    pub(super) async fn watch(&mut self, call: CallName, mut connection: Connection, id: &str) -> Vec<StreamEvent> {
        let is_guard = is_guard(call);
        let mut events = Vec::new();
        let reading = async {
            while let Ok(event) = connection.next().await {
                let log = self.read(&event);
                let of_run = log.as_ref().is_some_and(|log| log.run_id == id);
                let is_over = of_run && (is_guard || log.is_some_and(|log| log.kind == "end"));
                // Others may have much to say on a stream of all.
                let kept_max = if of_run { EVENTS_OF_RUN_MAX } else { EVENTS_MAX };
                if events.len() < kept_max || is_over {
                    events.push(event);
                }
                if is_over {
                    return;
                }
            }
        };
        tokio::select! {
            _ = timeout(if is_guard { GUARD_PATIENCE } else { PATIENCE }, reading) => {}
            () = self.long_over(id) => {}
        }
        self.attempts.came(format!("(the stream, for {id})"), show(&events));
        events
    }

    pub(super) fn read(&self, event: &StreamEvent) -> Option<LogEvent> {
        LogEvent::read(&self.dialect().events, &event.name, &event.data)
    }

    /// Reads a stream until it has shown what it is there for; what it showed.
    async fn shows(&mut self, call: CallName, connection: Connection, id: &str) -> Option<Vec<StreamEvent>> {
        let is_guard = is_guard(call);
        let events = self.watch(call, connection, id).await;
        if events.is_empty() {
            // A guard may have nothing to say of a harmless run.
            return if is_guard { Some(events) } else { self.nothing_came(call) };
        }
        let seen: Vec<LogEvent> = events.iter().filter_map(|event| self.read(event)).collect();
        let data: Vec<Value> = events.iter().filter_map(|event| serde_json::from_str(&event.data).ok()).collect();
        if data.is_empty() {
            self.wrong("no event's data is JSON", &[&format!("calls.{call}.path")], None);
            return None;
        };
        if !seen.iter().any(|log| log.run_id == id) {
            let is_it = |value: &Value| {
                let of_number = || value.as_u64().is_some_and(|number| number.to_string() == id);
                value.as_str() == Some(id) || of_number()
            };
            self.wrong("no event names the run", &["events.run_id"], pointers_in(&data, &["run", "id"], &is_it));
        } else if !is_guard && !seen.iter().any(|log| log.kind == "end") {
            let kinds: BTreeSet<&str> = seen.iter().map(|log| log.kind.as_str()).collect();
            let words = words_in(&data).map_or_else(String::new, |words| format!("; of the data, {words}"));
            let hint = format!("the types that came are {kinds:?}{words}");
            self.wrong("no event is the run's end", &["events.type", "events.end", "events.log"], Some(hint));
        } else if !is_guard && !seen.iter().any(|log| log.kind == "log") {
            self.wrong("no event is a log line", &["events.type", "events.log"], words_in(&data));
        } else if !is_guard && !seen.iter().any(|log| log.kind == "log" && log.message.is_some()) {
            let hint = pointers_in(&data, &["message", "text", "line"], &Value::is_string);
            self.wrong("no log line has a message", &["events.message"], hint);
        }
        if !is_guard {
            self.tells_how_the_run_ended(&events, id);
        }
        if !seen.is_empty() && seen.iter().all(|log| log.timestamp.is_none()) {
            let hint = pointers_in(&data, &["time", "at", "ts"], &|value| time_of(value).is_some());
            self.wrong("no event has a time", &["events.timestamp"], hint);
        }
        if events.iter().all(|event| event.id.is_none()) {
            let hint = "without ids a client cannot ask for what it missed: events.ids = \"connection\"".to_owned();
            self.wrong("no event has an id", &["events.ids"], Some(hint));
        }
        Some(events)
    }

    /// An end may say how the run ended. Where it does so somewhere else than is looked, an end that contradicts its run
    /// would go unnoticed.
    fn tells_how_the_run_ended(&mut self, events: &[StreamEvent], id: &str) {
        let ends =
            events.iter().filter(|event| self.read(event).is_some_and(|log| log.run_id == id && log.kind == "end"));
        let silent = ends.filter(|event| self.read(event).is_some_and(|log| log.status.is_none()));
        let silent: Vec<Value> = silent.filter_map(|event| serde_json::from_str(&event.data).ok()).collect();
        let is_state = |value: &Value| {
            value.as_str().is_some_and(|word| !matches!(self.dialect().standing_of(word), RunStanding::Unknown(_)))
        };
        if let Some(hint) = pointers_in(&silent, &["status", "state"], &is_state) {
            self.wrong("the run's end does not say how it ended", &["events.status"], Some(hint));
        }
    }

    /// Waits until a run has been over for a while, or nobody can say whether it is.
    async fn long_over(&self, id: &str) {
        self.until_over(id).await;
        sleep(GUARD_PATIENCE).await;
    }

    fn nothing_came<T>(&mut self, call: CallName) -> Option<T> {
        self.wrong("the stream showed nothing of a run", &[&format!("calls.{call}.path")], None);
        None
    }
}

const fn is_guard(call: CallName) -> bool {
    matches!(call, CallName::GuardStream | CallName::RunGuardStream)
}

/// The first of them, and the last.
fn show(events: &[StreamEvent]) -> String {
    let is_shown = |n: usize| n < EVENTS_SHOWN_MAX || n + 1 == events.len();
    let lines = events.iter().enumerate().filter(|(n, _)| is_shown(*n)).map(|(_, event)| {
        let id = event.id.as_deref().unwrap_or("none");
        format!("id {id}, event {}: {}", event.name, event.data)
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    if text.is_empty() { "nothing".to_owned() } else { text }
}
