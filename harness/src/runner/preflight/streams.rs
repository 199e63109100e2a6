//! The check of a stream: it is opened, a run is played, and the stream must show the run.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{
    checks::{Check, PATIENCE},
    hints::{pointers_in, words_in},
    lines,
    stream_habits::Others,
};
use crate::{
    catalog::CallName,
    clock,
    gateway::{Connection, EventReading, LogEvent, Refusal, RunStanding, StreamEvent, dialect::EventKind, time_of},
};

/// Maximum time to wait for a stream that may have no events.
const GUARD_PATIENCE: Duration = Duration::from_secs(5);
/// Maximum number of kept events, if the next is of another run or of this one. Its end is always kept.
const EVENTS_MAX: usize = 64;
const EVENTS_OF_RUN_MAX: usize = 256;
const EVENTS_SHOWN_MAX: usize = 8;

impl Check<'_> {
    /// Opens a stream, and records the result.
    pub(super) async fn open(&mut self, call: CallName, run: Option<&str>) -> Option<Connection> {
        let opened = self.connect(call, run).await;
        self.opened(call, run, opened)
    }

    /// Records the result of opening a stream.
    pub(super) fn opened(
        &mut self,
        call: CallName,
        run: Option<&str>,
        opened: Result<Connection, Refusal>,
    ) -> Option<Connection> {
        let sent = self.client.describe(call, &[("id", json!(run.unwrap_or_default()))]);
        match opened {
            Ok(connection) => {
                self.attempts.came(sent, "200, a stream".into());
                Some(connection)
            }
            Err(refusal) => {
                self.attempts.came(sent, refusal.answer);
                let absent = format!("or, if the gateway has no such stream: calls.{call}.absent = \"why\"");
                self.fail("no stream opened", &[&format!("calls.{call}.path")], Some(absent))
            }
        }
    }

    /// A stream of the workspace is opened first, and then shows a run.
    pub(super) async fn stream_of_all(&mut self, call: CallName) -> Option<()> {
        let connection = self.open(call, None).await?;
        if call != CallName::LogsStream {
            let id = self.started().await?;
            return self.shows(call, connection, &id).await.map(drop);
        }
        let browser = self.open_as_a_browser(call).await;
        let id = self.started().await?;
        let browser = browser.map(|connection| self.read_as_a_browser(connection, &id));
        let events = self.shows(call, connection, &id).await?;
        if let Some(browser) = browser {
            self.compare_with_browser(browser, &id, &events).await;
        }
        self.ids_go_on(call, &events).await
    }

    pub(super) async fn stream_of_run(&mut self, call: CallName) -> Option<()> {
        let id = self.create().await?;
        let connection = self.open_before_start(call, &id).await?;
        let events = self.shows(call, connection, &id).await?;
        self.once_the_run_is_over(call, &id, &events).await;
        Some(())
    }

    /// Reads the events of a run from a stream: the first ones, and its end.
    pub(super) async fn watch(&mut self, call: CallName, mut connection: Connection, id: &str) -> Vec<StreamEvent> {
        let is_guard = call.is_guard_stream();
        let mut events = Vec::new();
        let mut others = Others::default();
        let opened_at = clock::now();
        let mut ended = None;
        // A guard stream has a verdict and a decision on a run, in any order.
        let last_kinds = if is_guard { &[EventKind::Verdict, EventKind::Decision][..] } else { &[EventKind::End] };
        let mut last_kinds: BTreeSet<String> = last_kinds.iter().map(|kind| kind.word().to_owned()).collect();
        let reading = async {
            loop {
                let event = match connection.next().await {
                    Ok(event) => event,
                    Err(how) => {
                        ended = Some((how, clock::now().saturating_duration_since(opened_at)));
                        return;
                    }
                };
                let log = match self.reading(call, id, &event) {
                    EventReading::OfRun(log) => Some(*log),
                    EventReading::Other { kind, run_id } => {
                        others.take_in(kind, run_id.is_some());
                        None
                    }
                    EventReading::Ignored => continue,
                    EventReading::Wrong(_) => None,
                };
                let of_run = log.as_ref().is_some_and(|log| log.run_id == id);
                let is_over = of_run && log.is_some_and(|log| last_kinds.remove(&log.kind) && last_kinds.is_empty());
                // Other runs may have many events on a stream of the workspace.
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
        self.note_others(&others);
        if let Some((how, age)) = ended {
            self.note_ending(call, &how, age);
        }
        events
    }

    /// An event of a stream of this call, if it is about a run.
    pub(super) fn read(&self, call: CallName, id: &str, event: &StreamEvent) -> Option<LogEvent> {
        match self.reading(call, id, event) {
            EventReading::OfRun(log) => Some(*log),
            _ => None,
        }
    }

    /// Reads a stream until it has shown a run, and checks its events.
    async fn shows(&mut self, call: CallName, connection: Connection, id: &str) -> Option<Vec<StreamEvent>> {
        let is_guard = call.is_guard_stream();
        let events = self.watch(call, connection, id).await;
        let path = format!("calls.{call}.path");
        if events.is_empty() {
            // A guard may have no events on a harmless run.
            return if is_guard {
                Some(events)
            } else {
                self.fail("the stream showed nothing of a run", &[&path], None)
            };
        }
        let seen: Vec<LogEvent> = events.iter().filter_map(|event| self.read(call, id, event)).collect();
        let data: Vec<Value> =
            events.iter().filter_map(|event| serde_json::from_str(&event.content.data).ok()).collect();
        if data.is_empty() {
            return self.fail("no event's data is JSON", &[&path], None);
        }
        if !events.iter().any(|event| self.names_run(call, id, event)) {
            let is_it = |value: &Value| {
                value.as_str() == Some(id) || value.as_u64().is_some_and(|number| number.to_string() == id)
            };
            self.wrong("no event names the run", &["events.run_id"], pointers_in(&data, &["run", "id"], &is_it));
        } else if !is_guard && self.dialect().events.has_ends() && !seen.iter().any(|log| log.kind == "end") {
            let kinds = self.kinds(call, id, &events);
            let words = words_in(&data).map_or_else(String::new, |words| format!("; of the data, {words}"));
            let hint = format!("the types that came are {kinds:?}{words}");
            self.wrong("no event is the run's end", &["events.type", "events.end", "events.log"], Some(hint));
        } else if !is_guard && !seen.iter().any(|log| log.kind == "log") {
            self.wrong("no event is a log line", &["events.type", "events.log"], words_in(&data));
        } else if let Some((pointer, lines)) = self.several_lines(call, id, &events).filter(|_| !is_guard) {
            let hint = format!(
                "lines = {pointer:?}, and in message the place in a line that is the only one: \"{pointer}/0/text\", for example"
            );
            let what = format!("an event carries {lines} log lines, and the first of them is read alone, or none");
            self.wrong(what, &["events.lines", "events.message"], Some(hint));
        } else if !is_guard && !seen.iter().any(|log| log.kind == "log" && log.message.is_some()) {
            let hint = pointers_in(&data, &["message", "text", "line"], &Value::is_string);
            self.wrong("no log line has a message", &["events.message"], hint);
        }
        if is_guard {
            self.note_guard_words(call, id, &events, &seen);
        } else {
            self.tells_how_the_run_ended(call, &events, id);
        }
        if call.is_stream_of_run() {
            self.note_run_ids(call, &events);
        }
        if !seen.is_empty() && seen.iter().all(|log| log.timestamp.is_none()) {
            let hint = pointers_in(&data, &["time", "at", "ts"], &|value| time_of(value).is_some());
            self.wrong("no event has a time", &["events.timestamp"], hint);
        }
        if events.iter().all(|event| event.content.id.is_none()) {
            let hint = "without ids a client cannot ask for what it missed: events.ids = \"connection\"".to_owned();
            self.wrong("no event has an id", &["events.ids"], Some(hint));
        }
        if !is_guard {
            self.note_lines(id, &seen).await;
        }
        Some(events)
    }

    /// Whether an event of any type names the run.
    fn names_run(&self, call: CallName, id: &str, event: &StreamEvent) -> bool {
        match self.reading(call, id, event) {
            EventReading::OfRun(log) => log.run_id == id,
            EventReading::Other { run_id, .. } => run_id.is_some_and(|run| run == id),
            EventReading::Ignored | EventReading::Wrong(_) => false,
        }
    }

    /// Notes the kinds of events that a guard stream has not shown.
    fn note_guard_words(&mut self, call: CallName, id: &str, events: &[StreamEvent], seen: &[LogEvent]) {
        for (kind, key, kpi) in [
            (EventKind::Verdict, "events.verdict", "judge_p95"),
            (EventKind::Decision, "events.decision", "shield_p95"),
        ] {
            if seen.iter().all(|log| log.kind != kind.word()) {
                let what = format!(
                    "no event is a {}; the types that came are {:?}. Unless the metrics have a histogram, {kpi} has no samples then",
                    kind.word(),
                    self.kinds(call, id, events)
                );
                self.note(what, &[key]);
            }
        }
    }

    /// The place of several log lines in an event, and their number, if the dialect does not know of them.
    fn several_lines(&self, call: CallName, id: &str, events: &[StreamEvent]) -> Option<(String, usize)> {
        let dialect = &self.dialect().events;
        if !dialect.lines.is_empty() {
            return None;
        }
        let is_of_lines = |event: &&StreamEvent| {
            let read = self.read(call, id, event).filter(|log| log.kind == "log");
            read.is_some_and(|log| log.message.is_none() || dialect.message.contains("/0/"))
        };
        let lines = |event: &StreamEvent| {
            let json: Value = serde_json::from_str(&event.content.data).ok()?;
            let arrays = json.as_object()?.iter().filter_map(|(key, value)| Some((key, value.as_array()?)));
            let mut lists = arrays.filter(|(_, items)| items.len() > 1 && items.iter().all(Value::is_object));
            lists.next().map(|(key, items)| (format!("/{key}"), items.len()))
        };
        events.iter().filter(is_of_lines).find_map(lines)
    }

    /// Compares the log lines of a finished run with its record, and notes the effects on a soak.
    async fn note_lines(&mut self, id: &str, seen: &[LogEvent]) {
        let of_run: Vec<LogEvent> = seen.iter().filter(|log| log.run_id == id).cloned().collect();
        let has_all = of_run.len() < EVENTS_OF_RUN_MAX && of_run.iter().any(|log| log.kind == "end");
        let Some(record) = self.client.run(id).await.ok().filter(|_| has_all).and_then(|answer| answer.json()) else {
            return;
        };
        let view = self.dialect().run_view(&record);
        for habit in lines::habits(&of_run, &view.messages()) {
            self.note(habit, &[]);
        }
    }

    /// An end may have its run's status. Read at a wrong place, a contradiction would go unnoticed.
    fn tells_how_the_run_ended(&mut self, call: CallName, events: &[StreamEvent], id: &str) {
        let read = |event: &StreamEvent| self.read(call, id, event).filter(|log| log.run_id == id && log.kind == "end");
        let silent = events.iter().filter(|event| read(event).is_some_and(|log| log.status.is_none()));
        let silent: Vec<Value> = silent.filter_map(|event| serde_json::from_str(&event.content.data).ok()).collect();
        let is_state = |value: &Value| {
            value.as_str().is_some_and(|word| !matches!(self.dialect().standing_of(word), RunStanding::Unknown(_)))
        };
        if let Some(hint) = pointers_in(&silent, &["status", "state"], &is_state) {
            self.wrong("the run's end does not say how it ended", &["events.status"], Some(hint));
        }
    }

    /// Waits until a run has been over for a while, or its state cannot be read.
    async fn long_over(&self, id: &str) {
        self.until_over(id).await;
        sleep(GUARD_PATIENCE).await;
    }

    /// The types of the events, in the gateway's words.
    fn kinds(&self, call: CallName, id: &str, events: &[StreamEvent]) -> BTreeSet<String> {
        let kind = |event: &StreamEvent| match self.reading(call, id, event) {
            EventReading::OfRun(log) => Some(log.kind),
            EventReading::Other { kind, .. } => Some(kind),
            EventReading::Ignored | EventReading::Wrong(_) => None,
        };
        events.iter().filter_map(kind).collect()
    }
}

/// The first events, and the last.
fn show(events: &[StreamEvent]) -> String {
    let is_shown = |n: usize| n < EVENTS_SHOWN_MAX || n + 1 == events.len();
    let lines = events.iter().enumerate().filter(|(n, _)| is_shown(*n)).map(|(_, event)| {
        let id = event.content.id.as_deref().unwrap_or("none");
        format!("id {id}, event {}: {}", event.content.name, event.content.data)
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    if text.is_empty() { "nothing".to_owned() } else { text }
}
