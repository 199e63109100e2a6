//! Reads a connection of a stream that is kept: what each event is, and what it is entered in.

use std::{collections::VecDeque, pin::pin, sync::Arc};

use tokio::sync::mpsc;

use super::{Keeper, ReadEnd, StreamCommand};
use crate::{
    catalog::CallName,
    clock,
    gateway::{Connection, EventReading, LogEvent, Oversized, RunStanding, StreamEvent},
    journal::{Counter, Finding, clip},
};

/// No id that is sent back is longer.
const ID_BYTES_MAX: usize = 4_096;
/// Maximum number of runs whose end a connection has shown; the oldest is forgotten first.
const ENDS_MAX: usize = 256;

/// The runs whose end a connection has shown, where the ledger does not know them. The end comes last.
#[derive(Debug, Default)]
struct Ends(VecDeque<String>);

impl Ends {
    fn is_late(&mut self, log: &LogEvent) -> bool {
        match log.kind.as_str() {
            "end" => {
                if self.0.len() == ENDS_MAX {
                    self.0.pop_front();
                }
                self.0.push_back(log.run_id.clone());
                false
            }
            "log" => self.0.contains(&log.run_id),
            _ => false,
        }
    }
}

impl Keeper<'_> {
    pub(super) async fn read(
        &mut self,
        connection: &mut Connection,
        orders: &mut mpsc::Receiver<StreamCommand>,
        on_event: &mut (dyn FnMut(&StreamEvent, &LogEvent) -> bool + Send),
    ) -> ReadEnd {
        let opened_at = clock::wall_now();
        let mut ends = Ends::default();
        let mut orders_open = true;
        let context = self.context;
        let mut closing = pin!(context.schedule.closing.cancelled());
        loop {
            // The id of an event stands for all its lines: a stream that is left among them would come back for none or all.
            let is_whole = !connection.is_within_an_event();
            let event = tokio::select! {
                biased;
                () = &mut closing => return ReadEnd::Finished,
                order = orders.recv(), if orders_open && is_whole => match order {
                    Some(StreamCommand::Churn(back)) => return ReadEnd::Churned(back),
                    // Nobody gives orders any more; the stream is kept all the same.
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
                // No other client owes it, and no run of this workspace is shown by it.
                continue;
            }
            let entered = self.kept.client.map(|client| self.enter(client, &event, log, opened_at));
            if entered.is_none() {
                self.context.deliveries.enter_beside(log, event.arrived);
            }
            if entered.is_some_and(|entered| !entered.is_watched && entered.delivered.is_first_equal()) {
                // No record will say how often the run has it.
                self.context.recorder.count(Counter::LinesEqualUndecided, self.context.recorder.mark());
            }
            if self.kept.client.is_none()
                && self.kept.run.is_some()
                && !self.context.calls.client.has(CallName::LogsStream)
            {
                // There are no others that could be measured.
                let mark = self.context.recorder.mark_at(event.arrived);
                self.context.recorder.delivered(mark, self.on_its_way(&event, log, opened_at), None, &log.run_id);
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

    /// Keeps the id that the stream has given last, whatever the event is about.
    fn take_id(&self, event: &StreamEvent) {
        let Some(id) = &event.content.id else { return };
        let is_fit = fit_for_a_header(id);
        self.life.last_id.set(is_fit.then_some(id));
        if !is_fit {
            let answer = format!("an id that no header can carry back: {}", clip(id));
            self.stream_failed(&self.kept.name, answer);
        }
    }

    /// Takes down an event that was larger than the limit. That is a limit of S2's, and no fault of the gateway's.
    fn skipped(&self, event: &Oversized) {
        let finding = Finding::EventOversized {
            stream: self.kept.name.clone(),
            bytes: event.bytes,
            beginning: clip(&format!("{}: {}", event.name, event.beginning)),
        };
        let mark = self.context.recorder.mark();
        self.context.recorder.count(Counter::EventsOversized, mark);
        self.context.recorder.incident_since(finding, mark);
    }

    /// The event, where it is about a run. What is about none is counted, and is wrong where its type says otherwise.
    fn about_a_run<'e>(&self, event: &'e StreamEvent) -> Option<&'e Arc<LogEvent>> {
        let (own_run, content) = (self.kept.run.as_deref(), &event.content);
        let read = || self.context.calls.client.dialect().events.reading(own_run, &content.name, &content.data);
        let log = match own_run {
            Some(_) => match read() {
                EventReading::OfRun(log) => Ok(content.log.get_or_init(|| log.into())),
                other => Err(other),
            },
            None => self.context.shared_streams.known_events().of_run(content, read),
        };
        match log {
            Ok(log) => return Some(log),
            Err(EventReading::OfRun(_) | EventReading::Ignored) => {}
            Err(EventReading::Other { kind, run_id }) => {
                self.context.recorder.other_event(&kind, self.context.recorder.mark());
                // Of a type that nobody knows only this is certain: it may not be about a run of another workspace.
                if let Some(run) = &run_id {
                    self.is_foreign(run);
                }
            }
            Err(EventReading::Wrong(why)) => self.stream_failed(&self.kept.name, why),
        }
        None
    }

    /// Whether an event is about a run of another workspace. That is taken down.
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

/// Whether an id can be sent back as it is.
fn fit_for_a_header(id: &str) -> bool {
    id.len() <= ID_BYTES_MAX && !id.chars().any(char::is_control)
}
