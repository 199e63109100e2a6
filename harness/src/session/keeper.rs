//! Keeps one stream open: reads it, and comes back when it is lost, every attempt counted.

use std::{collections::VecDeque, time::Duration};

use rand::RngExt;
use tokio::sync::mpsc;

use super::{Context, Mark, held::Rest};
use crate::{
    clock,
    gateway::{CallName, Connection, Ended, LogEvent, Oversized, RunStanding, StreamEvent},
    journal::{Counter, Finding, Timing, clip},
    plan::{Phase, Workload},
};

/// No attempt waits longer for its turn.
const RECONNECT_DELAY_MAX: Duration = Duration::from_secs(30);
/// No id that is sent back is longer.
const ID_BYTES_MAX: usize = 4_096;
/// The least that a gateway's `retry:` is taken for.
const RETRY_MIN: Duration = Duration::from_secs(1);

/// A gateway may close a stream that is kept for hours in good order: so often, and not more often, in scenario time.
const CLOSING_EVERY_MS: u64 = 30 * 60_000;

/// Which stream is kept, for whom.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Which stream it is: `7`, `guard`, `of run 3f2a…`.
    pub name: String,
    /// Its path.
    pub path: String,
    /// Which of the dialect's streams it is.
    pub call: CallName,
    /// Whose it is. Openings count in the error rates if its requests do.
    pub workload: Workload,
    /// Its number in the ledger, if it is one of the workspace log streams.
    pub client: Option<usize>,
    /// The run whose stream it is; none where it is the workspace's.
    pub run: Option<String>,
}

/// What a keeper is told.
#[derive(Debug)]
pub enum Order {
    /// Close the stream, and come back as if it had been lost. Answered when it is back; dropped where it was away.
    Churn(tokio::sync::oneshot::Sender<()>),
}

/// Why reading came to an end.
enum Over {
    Dropped(Ended),
    Churned(tokio::sync::oneshot::Sender<()>),
    Finished,
}

/// A kept stream's life so far.
#[derive(Debug, Default)]
struct Life {
    last_id: Option<String>,
    has_seen_events: bool,
    /// Connections so far.
    connections: u32,
    /// The stream's `retry:`.
    retry: Option<Duration>,
    /// How long the last refusal asked to wait.
    retry_after: Option<Duration>,
    /// When it was lost, and how often it has tried to come back since.
    lost: Option<(Mark, u32)>,
    back: Option<tokio::sync::oneshot::Sender<()>>,
    /// It was churned, and has not tried to come back yet.
    rest: Option<Rest>,
    /// When the gateway last closed it in good order, out of chaos windows; scenario milliseconds.
    closed_ms: Option<u64>,
}

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

/// Refuses what is ordered while a stream is away: there is nothing to close. Never comes back.
async fn refuse(orders: &mut mpsc::Receiver<Order>) {
    while let Some(Order::Churn(back)) = orders.recv().await {
        drop(back);
    }
    std::future::pending::<()>().await;
}

impl Context {
    /// Keeps a stream until the streams are to close, or `on_event` says that it has seen enough (`false`).
    pub async fn keep(
        &self,
        kept: &Kept,
        orders: &mut mpsc::Receiver<Order>,
        on_event: &mut (dyn FnMut(&StreamEvent, &LogEvent) -> bool + Send),
    ) {
        let last_id = self.past.last_id(&kept.name).map(str::to_owned);
        let mut life = Life { last_id, ..Life::default() };
        while !self.closing.is_cancelled() {
            let opened = tokio::select! {
                biased;
                () = self.closing.cancelled() => return,
                () = refuse(orders) => return,
                opened = self.open(kept, &mut life) => opened,
            };
            let Some(mut connection) = opened else { continue };
            life.connections += 1;
            let mut held = self.hold_open(kept.client);
            let over = self.read(kept, &mut life, &mut connection, orders, on_event).await;
            let retry = connection.retry().map(|retry| retry.clamp(RETRY_MIN, RECONNECT_DELAY_MAX));
            life.retry = retry.or(life.retry);
            drop(connection);
            held.unasked = matches!(over, Over::Dropped(_));
            // Before it counts as closed: in between it would look like one that the gateway has lost.
            life.rest = (kept.client.is_some() && matches!(over, Over::Churned(_))).then(|| Rest::begin(&self.board));
            drop(held);
            let mark = self.recorder.mark();
            match over {
                Over::Finished => return,
                Over::Churned(back) => life.back = Some(back),
                Over::Dropped(ended) => self.dropped(kept, &mut life, ended, mark),
            }
            life.lost = Some((mark, 0));
        }
    }

    /// Takes down a stream that ended without our asking.
    fn dropped(&self, kept: &Kept, life: &mut Life, ended: Ended, mark: Mark) {
        let answer = ended.answer;
        tracing::debug!("stream {} ended: {answer}", kept.name);
        let now_ms = self.clock.at_ms(mark.at);
        // The stream of one run has no business to end before its run does.
        let is_long_lived = kept.run.is_none();
        let is_seldom = life.closed_ms.is_none_or(|before| now_ms.saturating_sub(before) >= CLOSING_EVERY_MS);
        if ended.in_good_order && is_long_lived && is_seldom {
            if mark.phase == Phase::Steady {
                life.closed_ms = Some(now_ms);
            }
            return self.recorder.count(Counter::StreamsClosed, mark);
        }
        self.recorder.count(Counter::StreamsDropped, mark);
        self.recorder.incident_since(Finding::StreamDropped { stream: kept.name.clone(), answer }, mark);
    }

    /// One attempt to open the stream, after its delay.
    async fn open(&self, kept: &Kept, life: &mut Life) -> Option<Connection> {
        let asked = life.retry.max(life.retry_after.take());
        if let Some((_, attempts)) = &mut life.lost {
            let delay = self.reconnect_delay(*attempts, asked);
            *attempts += 1;
            tokio::time::sleep(delay).await;
        }
        self.gate.pass().await;
        life.rest = None;
        // What is lost in a window comes back on that window's account, however late.
        let mark = life.lost.map_or_else(|| self.recorder.mark(), |(lost, _)| Mark { at: clock::now(), ..lost });
        let counts = kept.workload.counts_in_error_rate();
        let opened = self.streams.open(kept.call, &kept.path, self.client.workspace(), life.last_id.as_deref()).await;
        if counts {
            self.recorder.count(Counter::Requests, mark);
        }
        if life.lost.is_some() {
            self.recorder.count(Counter::ReconnectAttempts, mark);
        }
        match opened {
            Ok(connection) => {
                self.recorder.count(Counter::StreamsOpened, mark);
                if let Some((lost, _)) = life.lost.take() {
                    self.recorder.count(Counter::ReconnectsOk, mark);
                    self.recorder.time(Timing::StreamAway, lost, &kept.name);
                }
                if let Some(client) = kept.client {
                    // One that has seen events is owed what came since, whether or not the gateway gave it an id.
                    let has_asked = life.has_seen_events && !self.client.dialect().events.ids_are_the_connections;
                    self.ledger().opened(client, self.ledger_ms(), has_asked);
                }
                if let Some(back) = life.back.take() {
                    // Whoever waited may have stopped waiting.
                    let _ = back.send(());
                }
                Some(connection)
            }
            Err(refusal) => {
                life.retry_after = refusal.retry_after;
                if counts {
                    self.recorder.add(Counter::RequestsThrottled, u64::from(refusal.is_throttled), mark);
                    self.request_failed(kept.workload, self.route(kept), &kept.name, &refusal.answer, mark);
                }
                let attempt = life.lost.map_or(0, |(_, attempts)| attempts);
                if !counts {
                    let (source, answer) = (self.route(kept).to_owned(), refusal.answer.clone());
                    self.recorder.incident_since(Finding::SourceFailed { source, answer }, mark);
                }
                if attempt > 0 {
                    let finding =
                        Finding::ReconnectFailed { stream: kept.name.clone(), attempt, answer: refusal.answer };
                    self.recorder.incident_since(finding, mark);
                }
                if life.lost.is_none() {
                    // A first opening that fails is no reconnect, but the next attempt waits all the same.
                    tokio::time::sleep(self.reconnect_delay(0, life.retry_after.take())).await;
                }
                None
            }
        }
    }

    async fn read(
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
            life.has_seen_events = true;
            if let Some(id) = &event.id {
                life.last_id = fit_for_a_header(id).then(|| id.clone());
                if kept.run.is_none() {
                    self.board.gave_id(&kept.name, life.last_id.as_deref());
                }
                if life.last_id.is_none() {
                    let answer = format!("an id that no header can carry back: {}", clip(id));
                    self.stream_failed(kept, &kept.name, answer);
                }
            }
            if let Some(skipped) = &event.oversized {
                self.skipped(kept, skipped);
                continue;
            }
            let Some(log) = LogEvent::read(&self.client.dialect().events, &event.name, &event.data) else {
                let answer = format!("an event that is no JSON object with a run_id: {}", clip(&event.data));
                self.stream_failed(kept, &kept.name, answer);
                continue;
            };
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

    /// Takes down an event that was larger than the limit. That is a limit of S2's, and no fault of the gateway's.
    fn skipped(&self, kept: &Kept, event: &Oversized) {
        let finding = Finding::EventOversized {
            stream: kept.name.clone(),
            bytes: event.bytes,
            beginning: clip(&format!("{}: {}", event.name, event.beginning)),
        };
        let mark = self.recorder.mark();
        self.recorder.count(Counter::EventsOversized, mark);
        self.recorder.incident_since(finding, mark);
    }

    fn route(&self, kept: &Kept) -> &str {
        self.client.dialect().route(kept.call)
    }

    /// A stream that shows what it should not.
    fn stream_failed(&self, kept: &Kept, subject: &str, answer: String) {
        if kept.workload.counts_in_error_rate() {
            self.request_failed(kept.workload, self.route(kept), subject, &answer, self.recorder.mark());
        } else {
            self.recorder.incident(Finding::SourceFailed { source: self.route(kept).to_owned(), answer });
        }
    }

    /// Whether an event has no place on a stream, and why.
    fn is_out_of_place(&self, kept: &Kept, log: &LogEvent) -> Option<String> {
        if kept.run.as_ref().is_some_and(|run| *run != log.run_id) {
            return Some("an event of another run than the stream's".to_owned());
        }
        let owner = self.board.workspace_of(&log.run_id).filter(|owner| **owner != *self.client.workspace());
        if let Some(owner) = owner {
            return Some(format!("an event of a run of the workspace {owner}"));
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
        let got = super::Got { stamp: &log.stamp, unstamped: &log.unstamped, run: &log.run_id, id };
        let sighting = self.ledger().saw(client, self.ledger_ms(), &got);
        self.recorder.count(Counter::EventsDelivered, mark);
        if let super::Sighting::Again { same_id } = sighting {
            self.recorder.count(Counter::EventsDuplicated, mark);
            self.recorder.incident(Finding::EventDuplicated {
                stream: kept.name.clone(),
                run: clip(&log.run_id),
                id: clip(id),
                same_id,
            });
        }
        self.time_delivery(event, log, opened_at);
        sighting == super::Sighting::New
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

    /// One to two seconds at first, as the plan says; doubled from the second attempt on, 30 s at most. What a gateway asks
    /// for, by `retry:` or `Retry-After`, is a floor.
    fn reconnect_delay(&self, attempts: u32, asked: Option<Duration>) -> Duration {
        let streams = &self.plan.scenario.streams;
        let (low, high) = (streams.reconnect_delay_min, streams.reconnect_delay_max);
        let jittered = low + high.saturating_sub(low).mul_f64(rand::rng().random_range(0.0..=1.0));
        let backed_off = jittered.saturating_mul(2_u32.saturating_pow(attempts.min(6)));
        backed_off.max(asked.unwrap_or_default()).min(RECONNECT_DELAY_MAX)
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
