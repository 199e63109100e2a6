//! Habits of streams, and the key and value that describe each in a dialect. None of them is wrong.

use std::{collections::BTreeMap, time::Duration};

use serde_json::json;
use tokio::time::{sleep, timeout};

use super::checks::Check;
use crate::{
    catalog::CallName,
    gateway::{Connection, Ended, EventReading, Refusal, StreamEvent, TOO_EARLY, dialect::Replay},
};

/// Maximum time to wait for the head of a run's stream before the run is started.
const HEAD_PATIENCE: Duration = Duration::from_secs(2);
/// Between the start of a run and another try to open its stream.
const TRY_AFTER_START: Duration = Duration::from_millis(200);
/// Time for which the stream of a run that is over is read.
const REPLAY_PATIENCE: Duration = Duration::from_secs(2);
/// Types of events in a list.
const TYPES_MAX: usize = 8;

/// Events of types that the dialect does not use for runs: the number of each type, and whether they name a run.
#[derive(Debug, Default)]
pub(super) struct Others(BTreeMap<String, (u32, bool)>);

impl Others {
    pub(super) fn take_in(&mut self, kind: String, names_a_run: bool) {
        if self.0.len() < TYPES_MAX || self.0.contains_key(&kind) {
            let (count, names) = self.0.entry(kind).or_default();
            *count += 1;
            *names |= names_a_run;
        }
    }
}

impl Check<'_> {
    /// Opens a run's own stream, and starts the run: after the stream, if the gateway has it by then.
    pub(super) async fn open_before_start(&mut self, call: CallName, id: &str) -> Option<Connection> {
        let (streams, path) = (self.streams.clone(), self.client.stream_path(call, Some(id)));
        let workspace = self.client.workspace().to_owned();
        let opening = streams.open(call, &path, &workspace, None);
        tokio::pin!(opening);
        let starts = self.dialect().has(CallName::StartRun);
        let is_too_early =
            |refusal: &Refusal| starts && refusal.status.is_some_and(|status| TOO_EARLY.contains(&status));
        let (opened, habit) = match timeout(HEAD_PATIENCE, &mut opening).await {
            Err(_) => {
                self.start(id).await?;
                let habit = "the stream was answered only after the run was started: S2 does not wait for it before it starts a run";
                (opening.await, habit)
            }
            Ok(Err(refusal)) if is_too_early(&refusal) => {
                self.start(id).await?;
                sleep(TRY_AFTER_START).await;
                let opened = streams.open(call, &path, &workspace, None).await;
                (opened, "the stream is there only once its run is started: S2 opens it then")
            }
            Ok(opened) => {
                let connection = self.opened(call, Some(id), opened)?;
                self.start(id).await?;
                return Some(connection);
            }
        };
        let connection = self.opened(call, Some(id), opened)?;
        self.note(habit, &[]);
        Some(connection)
    }

    /// Opens a run's own stream after the run, and records whether the stream shows the run again.
    pub(super) async fn once_the_run_is_over(&mut self, call: CallName, id: &str, seen: &[StreamEvent]) {
        self.until_over(id).await;
        let sent = format!("{} (once its run was over)", self.client.describe(call, &[("id", json!(id))]));
        let mut connection = match self.connect(call, Some(id)).await {
            Ok(connection) => connection,
            Err(refusal) => {
                self.attempts.came(sent, refusal.answer);
                return;
            }
        };
        let mut again = 0;
        let reading = async {
            loop {
                match connection.next().await {
                    Ok(event) => again += usize::from(self.read(call, id, &event).is_some()),
                    Err(ended) => return format!("and ended: {}", ended.answer),
                }
            }
        };
        let how = timeout(REPLAY_PATIENCE, reading).await.unwrap_or_else(|_| "and stayed open".to_owned());
        self.attempts.came(sent, format!("200, a stream; it showed {again} events of the run again {how}"));
        let shown = seen.iter().filter(|event| self.read(call, id, event).is_some()).count();
        if shown > 0 && !call.is_guard_stream() {
            self.note_replay(again > 0);
        }
    }

    fn note_replay(&mut self, replays: bool) {
        let key = "events.replay_on_run_streams";
        let habit = match (self.dialect().events.replay, replays) {
            (Replay::Yes, true) | (Replay::No, false) => return,
            (Replay::Unknown, true) => "a run's own stream shows the run again",
            (Replay::Unknown, false) => "a run's own stream delivers only what happens while it is open",
            (Replay::No, true) => "a run's own stream shows the run again, and the dialect says that it does not",
            (Replay::Yes, false) => {
                let hint = format!("where it delivers only what happens while it is open: {key} = \"no\"");
                self.wrong("the stream of a run that is over does not show the run again", &[key], Some(hint));
                return;
            }
        };
        self.note(habit, &[&format!("{key} = \"{}\"", if replays { "yes" } else { "no" })]);
    }

    /// Notes events of types that the dialect does not know.
    pub(super) fn note_others(&mut self, others: &Others) {
        let shown = |names_a_run: bool| {
            let of = others.0.iter().filter(move |(_, (_, names))| *names == names_a_run);
            of.map(|(kind, (count, _))| format!("{kind:?} ({count})")).collect::<Vec<_>>().join(", ")
        };
        let unnamed: Vec<&String> = others.0.iter().filter(|(_, (_, names))| !names).map(|(kind, _)| kind).collect();
        if !unnamed.is_empty() {
            let what = format!("events that name no run, of types that the dialect does not use: {}", shown(false));
            self.note(what, &[&format!("events.ignore = {unnamed:?}")]);
        }
        if unnamed.len() < others.0.len() {
            let what = format!(
                "events that name a run, of types that the dialect does not use; S2 counts them and compares nothing: {}",
                shown(true)
            );
            self.note(what, &["events.log, where they are log lines; events.end, where they are a run's end"]);
        }
    }

    /// Notes that the gateway ended a stream while it was read.
    pub(super) fn note_ending(&mut self, call: CallName, ended: &Ended, age: Duration) {
        let age_ms = age.as_millis();
        if call.is_stream_of_run() {
            if ended.in_good_order {
                self.note(format!("the gateway closed the stream of the run in good order after {age_ms} ms"), &[]);
            }
            return;
        }
        let what = format!("the gateway ended a stream of the workspace after {age_ms} ms: {}", ended.answer);
        let seconds = age.as_secs().max(5);
        let key =
            format!("limits.connection_age = \"{seconds}s\", if it closes every stream at that age in good order");
        self.note(what, &[&key]);
    }

    /// Notes that events of a run's own stream do not name the run.
    pub(super) fn note_run_ids(&mut self, call: CallName, events: &[StreamEvent]) {
        let own = &self.dialect().events;
        let is_unnamed = events
            .iter()
            .any(|event| matches!(own.reading(None, &event.content.name, &event.content.data), EventReading::Wrong(_)));
        if is_unnamed && !own.run_id_is_required && call.is_stream_of_run() {
            self.note(
                "events of the run's own stream do not name the run, and need not: the path does",
                &["events.run_id_on_run_streams = \"optional\", as it is"],
            );
        }
    }
}
