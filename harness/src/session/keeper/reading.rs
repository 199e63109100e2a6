//! Reads a connection of a stream that is kept, and enters each event where it belongs.

use std::{collections::VecDeque, pin::pin, sync::Arc};

use tokio::sync::mpsc;

use super::{Keeper, ReadEnd, StreamCommand};
use crate::{
    catalog::CallName,
    clock,
    gateway::{Connection, EventReading, LogEvent, Oversized, RunStanding, StreamEvent},
    journal::{Counter, Finding, clip},
};

/// Maximum length of an id that is sent back.
const ID_BYTES_MAX: usize = 4_096;
/// Maximum number of runs whose end a connection has shown; the oldest is forgotten first.
const ENDS_MAX: usize = 256;

/// The runs whose end a connection has shown, newest first, where the ledger does not know them. The end comes last.
#[derive(Debug, Default)]
struct Ends(VecDeque<String>);

impl Ends {
    fn is_late(&mut self, log: &LogEvent) -> bool {
        if log.kind == "end" {
            self.0.truncate(ENDS_MAX - 1);
            self.0.push_front(log.run_id.clone());
        }
        log.kind == "log" && self.0.contains(&log.run_id)
    }
}

impl Keeper<'_> {
    pub(super) async fn read(
        &mut self,
        connection: &mut Connection,
        orders: &mut mpsc::Receiver<StreamCommand>,
        on_event: &mut (dyn FnMut(&StreamEvent, &LogEvent) -> bool + Send),
    ) -> ReadEnd {
        let (context, opened_at) = (self.context, clock::wall_now());
        let (mut ends, mut orders_open) = (Ends::default(), true);
        let mut closing = pin!(context.schedule.closing.cancelled());
        loop {
            // The id of an event stands for all its lines: a stream left between them would get none or all again.
            let is_whole = !connection.is_within_an_event();
            let event = tokio::select! {
                biased;
                () = &mut closing => return ReadEnd::Finished,
                order = orders.recv(), if orders_open && is_whole => match order {
                    Some(StreamCommand::Churn(back)) => return ReadEnd::Churned(back),
                    // There will be no more orders; the stream is kept all the same.
                    None => { orders_open = false; continue }
                },
                event = connection.next() => event,
            };
            let event = match event {
                Ok(event) => StreamEvent { connection: self.life.connections, ..event },
                Err(ended) => return ReadEnd::Dropped(ended),
            };
            self.take_id(&event);
            if let Some(skipped) = &event.oversized {
                self.skipped(skipped);
                continue;
            }
            let Some(log) = self.about_a_run(&event) else { continue };
            let log = &**log;
            self.life.has_seen_events = true;
            if self.is_foreign(&log.run_id) {
                // No other client owes it, and it belongs to no run of this workspace.
                continue;
            }
            let entered = self.kept.client.map(|client| self.enter(client, &event, log, opened_at));
            if entered.is_none() {
                context.deliveries.enter_beside(log, event.arrived);
                if self.kept.run.is_some() && !context.calls.client.has(CallName::LogsStream) {
                    // There are no workspace streams that could be measured.
                    let mark = context.recorder.mark_at(event.arrived);
                    context.recorder.delivered(mark, self.on_its_way(&event, log, opened_at), None, &log.run_id);
                }
            }
            if entered.is_some_and(|entered| !entered.is_watched && entered.delivered.is_first_equal()) {
                // No record will decide how often the run has it.
                context.recorder.count(Counter::LinesEqualUndecided, context.recorder.mark());
            }
            let is_new = entered.is_none_or(|entered| entered.delivered.is_new());
            let is_late = entered.map_or_else(|| ends.is_late(log), |entered| entered.is_after_end);
            let wrong = || is_late.then(|| "a log line after the run's end".to_owned());
            if is_new && let Some(wrong) = self.is_out_of_place(log).or_else(wrong) {
                self.stream_failed(&log.run_id, wrong);
            }
            if !on_event(&event, log) {
                return ReadEnd::Finished;
            }
        }
    }

    /// Keeps the last id of the stream, whatever the event is about.
    fn take_id(&self, event: &StreamEvent) {
        let Some(id) = &event.content.id else { return };
        // Whether it can be sent back as it is.
        let is_fit = id.len() <= ID_BYTES_MAX && !id.chars().any(char::is_control);
        self.life.last_id.set(is_fit.then_some(id));
        if !is_fit {
            self.stream_failed(&self.kept.name, format!("an id that no header can carry back: {}", clip(id)));
        }
    }

    /// Records an event that was larger than the limit. That is a limit of S2's, and no fault of the gateway's.
    fn skipped(&self, event: &Oversized) {
        let (recorder, mark) = (&self.context.recorder, self.context.recorder.mark());
        recorder.count(Counter::EventsOversized, mark);
        let (stream, beginning) = (self.kept.name.clone(), clip(&format!("{}: {}", event.name, event.beginning)));
        recorder.incident_since(Finding::EventOversized { stream, bytes: event.bytes, beginning }, mark);
    }

    /// The event, where it is about a run. Any other is counted, and is wrong where its type says otherwise.
    fn about_a_run<'e>(&self, event: &'e StreamEvent) -> Option<&'e Arc<LogEvent>> {
        let (own_run, content) = (self.kept.run.as_deref(), &event.content);
        let read = || self.context.calls.client.dialect().events.reading(own_run, &content.name, &content.data);
        let log = match own_run {
            Some(_) => match read() {
                EventReading::OfRun(log) => Ok(content.log.get_or_init(|| log.into())),
                other => Err(other),
            },
            None => self.context.shared_streams.known_events.of_run(content, read),
        };
        match log {
            Ok(log) => return Some(log),
            Err(EventReading::OfRun(_) | EventReading::Ignored) => {}
            Err(EventReading::Other { kind, run_id }) => {
                self.context.recorder.other_event(&kind, self.context.recorder.mark());
                // An event of an unknown type may not be about a run of another workspace either.
                if let Some(run) = &run_id {
                    self.is_foreign(run);
                }
            }
            Err(EventReading::Wrong(why)) => self.stream_failed(&self.kept.name, why),
        }
        None
    }

    /// Whether an event is about a run of another workspace. Such an event is recorded.
    fn is_foreign(&self, run: &str) -> bool {
        let Some(owner) = self.context.shared_runs.other_workspace_of(run) else { return false };
        self.context.recorder.count(Counter::EventsForeign, self.context.recorder.mark());
        self.stream_failed(run, format!("an event of a run of the workspace {owner}"));
        true
    }

    /// Whether an event has no place on a stream, and why.
    fn is_out_of_place(&self, log: &LogEvent) -> Option<String> {
        if self.kept.run.as_ref().is_some_and(|run| *run != log.run_id) {
            return Some("an event of another run than the stream's".to_owned());
        }
        match log.status.as_deref().map(|word| self.context.calls.client.dialect().standing_of(word)) {
            Some(RunStanding::Unknown(what)) if log.kind == "end" => Some(format!("an end with {what}")),
            _ => None,
        }
    }
}
