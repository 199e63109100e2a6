//! Reads a connection of a stream that is kept: what each event is, and what it is entered in.

use std::{collections::VecDeque, time::Duration};

use tokio::sync::mpsc;

use super::{Kept, Life, Order, Over};
use crate::{
    clock,
    gateway::{CallName, Connection, EventReading, LogEvent, RunStanding, StreamEvent},
    journal::{Counter, Finding, Timing, clip},
    session::{Context, Got, Sighting},
};

/// No id that is sent back is longer.
const ID_BYTES_MAX: usize = 4_096;
/// Runs whose end a connection has shown: so many, the oldest is forgotten first.
const ENDS_MAX: usize = 256;

/// The runs that have ended as a connection showed it. The end comes last.
#[derive(Debug, Default)]
struct Ends(VecDeque<String>);

impl Ends {
    fn is_late(&mut self, log: &LogEvent) -> Option<String> {
        match log.kind.as_str() {
            "end" => {
                if self.0.len() == ENDS_MAX {
                    self.0.pop_front();
                }
                self.0.push_back(log.run_id.clone());
                None
            }
            "log" if self.0.contains(&log.run_id) => Some("a log line after the run's end".to_owned()),
            _ => None,
        }
    }
}

impl Context {
    pub(super) async fn read(
        &self,
        kept: &Kept,
        life: &mut Life,
        connection: &mut Connection,
        orders: &mut mpsc::Receiver<Order>,
        on_event: &mut (dyn FnMut(&StreamEvent, &LogEvent) -> bool + Send),
    ) -> Over {
        let opened_at = clock::wall_now();
        let mut ends = Ends::default();
        let mut orders_open = true;
        loop {
            let event = tokio::select! {
                biased;
                () = self.closing.cancelled() => return Over::Finished,
                order = orders.recv(), if orders_open => match order {
                    Some(Order::Churn(back)) => return Over::Churned(back),
                    // Nobody gives orders any more; the stream is kept all the same.
                    None => { orders_open = false; continue }
                },
                event = connection.next() => event,
            };
            let event = match event {
                Ok(event) => StreamEvent { connection: life.connections, ..event },
                Err(ended) => return Over::Dropped(ended),
            };
            self.take_id(kept, life, &event);
            let Some(log) = self.about_a_run(kept, &event) else { continue };
            life.has_seen_events = true;
            self.board.saw(&log, event.arrived, kept.client);
            if kept.client.is_none() && kept.run.is_some() && !self.client.has(CallName::LogsStream) {
                // There are no others that could be measured.
                self.recorder.count(Counter::EventsDelivered, self.recorder.mark());
                self.time_delivery(&event, &log, opened_at);
            }
            let is_new = kept.client.is_none_or(|client| self.enter(kept, client, &event, &log, opened_at));
            if is_new && let Some(wrong) = self.is_out_of_place(kept, &log).or_else(|| ends.is_late(&log)) {
                self.stream_failed(kept, &log.run_id, wrong);
            }
            if !on_event(&event, &log) {
                return Over::Finished;
            }
        }
    }

    /// Keeps the id that the stream has given last, whatever the event is about.
    fn take_id(&self, kept: &Kept, life: &mut Life, event: &StreamEvent) {
        let Some(id) = &event.id else { return };
        life.last_id = fit_for_a_header(id).then(|| id.clone());
        if kept.run.is_none() {
            self.board.gave_id(&kept.name, life.last_id.as_deref());
        }
        if life.last_id.is_none() {
            let answer = format!("an id that no header can carry back: {}", clip(id));
            self.stream_failed(kept, &kept.name, answer);
        }
    }

    /// The event, where it is about a run. What is about none is counted, and is wrong where its type says otherwise.
    fn about_a_run(&self, kept: &Kept, event: &StreamEvent) -> Option<LogEvent> {
        match self.client.dialect().events.reading(kept.run.as_deref(), &event.name, &event.data) {
            EventReading::OfRun(log) => Some(*log),
            EventReading::Ignored => None,
            EventReading::Other { kind, run_id } => {
                self.recorder.other_event(&kind, self.recorder.mark());
                // Of a type that nobody knows only this is certain: it may not be about a run of another workspace.
                if let Some(wrong) = run_id.as_deref().and_then(|run| self.is_of_another_workspace(run)) {
                    self.stream_failed(kept, &run_id.unwrap_or_default(), wrong);
                }
                None
            }
            EventReading::Wrong(why) => {
                self.stream_failed(kept, &kept.name, why);
                None
            }
        }
    }

    fn is_of_another_workspace(&self, run: &str) -> Option<String> {
        let owner = self.board.workspace_of(run).filter(|owner| **owner != *self.client.workspace())?;
        Some(format!("an event of a run of the workspace {owner}"))
    }

    /// Whether an event has no place on a stream, and why.
    fn is_out_of_place(&self, kept: &Kept, log: &LogEvent) -> Option<String> {
        if kept.run.as_ref().is_some_and(|run| *run != log.run_id) {
            return Some("an event of another run than the stream's".to_owned());
        }
        if let Some(wrong) = self.is_of_another_workspace(&log.run_id) {
            return Some(wrong);
        }
        match log.status.as_deref().map(|word| self.client.dialect().standing_of(word)) {
            Some(RunStanding::Unknown(what)) if log.kind == "end" => Some(format!("an end with {what}")),
            _ => None,
        }
    }

    /// Enters an event of a workspace log stream in the ledger, and times its way here. Whether it is new to the client.
    fn enter(
        &self,
        kept: &Kept,
        client: usize,
        event: &StreamEvent,
        log: &LogEvent,
        opened_at: jiff::Timestamp,
    ) -> bool {
        let mark = self.recorder.mark();
        // Ids are a few dozen characters; of a longer one the start tells it apart well enough.
        let id = clip(event.id.as_deref().unwrap_or_default());
        let id = id.as_str();
        let got = Got { stamp: &log.stamp, unstamped: &log.unstamped, run: &log.run_id, id };
        let sighting = self.ledger().saw(client, self.ledger_ms(), &got);
        self.recorder.count(Counter::EventsDelivered, mark);
        if let Sighting::Again { same_id } = sighting {
            self.recorder.count(Counter::EventsDuplicated, mark);
            self.recorder.incident(Finding::EventDuplicated {
                stream: kept.name.clone(),
                run: clip(&log.run_id),
                id: clip(id),
                same_id,
            });
        }
        self.time_delivery(event, log, opened_at);
        sighting == Sighting::New
    }

    /// Times the way of an event from where it was written to here.
    fn time_delivery(&self, event: &StreamEvent, log: &LogEvent, opened_at: jiff::Timestamp) {
        let mark = self.recorder.mark();
        if let Some(written_at) = log.timestamp.filter(is_told_finely) {
            // Without the gateway's clock nothing can be said of how long an event was on its way.
            let Some(offset_us) = self.board.clock_offset_us() else { return };
            let written_us = written_at.as_microsecond() - offset_us;
            // What was written before the stream opened was replayed, and says nothing about how long writing takes.
            if written_us >= opened_at.as_microsecond() {
                let waited = clock::now().saturating_duration_since(event.arrived);
                let arrived_us = clock::wall_now().as_microsecond() - i64::try_from(waited.as_micros()).unwrap_or(0);
                let took = Duration::from_micros(u64::try_from(arrived_us - written_us).unwrap_or(0));
                let written = event.arrived.checked_sub(took).unwrap_or(event.arrived);
                let took = self.recorder.between(written, event.arrived);
                self.recorder.time_of(Timing::EventDelivery, took, mark, &log.run_id);
            }
        }
    }
}

/// Whether a time says more than the second. One that does not says nothing of milliseconds; and of those that do, one that
/// happens to be whole is not missed.
fn is_told_finely(at: &jiff::Timestamp) -> bool {
    at.subsec_nanosecond() != 0
}

/// Whether an id can be sent back as it is.
fn fit_for_a_header(id: &str) -> bool {
    id.len() <= ID_BYTES_MAX && !id.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_is_told_to_the_second_times_nothing() {
        let is_fine = |time: &str| is_told_finely(&time.parse().unwrap());
        assert!(!is_fine("2026-11-23T10:00:07Z") && !is_fine("2026-11-23T10:00:07.000Z"));
        assert!(is_fine("2026-11-23T10:00:07.001Z") && is_fine("1969-12-31T23:59:59.999999Z"));
    }
}
