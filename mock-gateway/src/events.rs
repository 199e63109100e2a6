//! The event log: one sequence of events, kept for replay, and handed to every stream that it concerns.
//!
//! A stream's replay and its place among the subscribers are taken under one lock, and an event is logged and handed
//! out under the same lock. So between replay and live nothing is lost and nothing comes twice.
//!
//! Where events are kept in Redis, nothing is kept here, and what is handed out is there already: a stream's replay is
//! then what Redis has up to the last event that was handed out when the stream took its place.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Map, Value};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::defect::{Delivery, Faults};
use crate::event::{Audience, Channel, Draft, Event, frame};

/// Where a stream's replay begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReplayFrom {
    /// No replay: what happens from now on.
    Now,
    /// Everything after this event; 0 is before the first.
    After(u64),
}

/// A stream's share of the log. Dropping it ends the subscription.
pub(crate) struct Subscription {
    pub(crate) replay: VecDeque<Arc<Event>>,
    /// The last event that was handed out before.
    pub(crate) told: u64,
    /// Closed by the log when the subscriber lags.
    pub(crate) live: mpsc::Receiver<Arc<Event>>,
    id: u64,
    log: Arc<EventLog>,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.log.lock().subscribers.remove(&self.id);
        self.log.faults.miscount_closed_stream();
    }
}

struct Subscriber {
    audience: Audience,
    queue: mpsc::Sender<Arc<Event>>,
    /// Cuts the connection under the stream.
    cut: CancellationToken,
}

/// Where events are kept for replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// Here, so many of them.
    Here(usize),
    /// In a store that outlives the process. The sequence then keeps up with the clock, in microseconds: so ids go on
    /// ascending even where the store has lost every one that it had.
    Elsewhere,
}

/// The log. Its bounds: what is kept, `stream_capacity` subscribers, `queue_capacity` events waiting for each.
pub(crate) struct EventLog {
    kept: Kept,
    queue_capacity: usize,
    stream_capacity: usize,
    faults: Arc<Faults>,
    inner: Mutex<Inner>,
}

struct Inner {
    sequence: u64,
    /// The last that was handed out.
    told: u64,
    last_micros: i64,
    /// To be told after the next one; none but by a defect.
    held: Option<Event>,
    ring: VecDeque<Arc<Event>>,
    next_subscriber: u64,
    subscribers: HashMap<u64, Subscriber>,
}

impl EventLog {
    pub(crate) fn new(kept: Kept, queue_capacity: usize, stream_capacity: usize, faults: Arc<Faults>) -> Self {
        let inner = Inner {
            sequence: 0,
            told: 0,
            last_micros: 0,
            held: None,
            ring: placeholders(kept),
            next_subscriber: 0,
            subscribers: HashMap::new(),
        };
        Self { kept, queue_capacity: queue_capacity.max(1), stream_capacity, faults, inner: Mutex::new(inner) }
    }

    /// Goes on after an event of an earlier process.
    pub(crate) fn go_on_after(&self, sequence: u64) {
        let mut inner = self.lock();
        inner.sequence = inner.sequence.max(sequence);
        inner.told = inner.told.max(sequence);
    }

    /// Logs an event and hands it to the streams that it concerns. A stream whose queue is full is disconnected rather
    /// than skipped: it can resume, and loses nothing.
    pub(crate) fn publish(&self, draft: Draft) {
        let mut inner = self.lock();
        let event = inner.stamp(draft, self.kept, &self.faults);
        self.log(&mut inner, event);
    }

    /// The event as it is to be kept elsewhere, and then to be [told](Self::tell).
    pub(crate) fn stamp(&self, draft: Draft) -> Event {
        self.lock().stamp(draft, self.kept, &self.faults)
    }

    /// Hands out an event that is kept.
    pub(crate) fn tell(&self, event: Event) {
        self.log(&mut self.lock(), event);
    }

    /// The last event that has its id.
    pub(crate) fn last_sequence(&self) -> u64 {
        self.lock().sequence
    }

    /// The last event that was handed out.
    pub(crate) fn told(&self) -> u64 {
        self.lock().told
    }

    fn log(&self, inner: &mut Inner, event: Event) {
        if inner.held.is_none() && self.faults.holds_back() {
            inner.held = Some(event);
            return;
        }
        let delivery = self.faults.delivery(|| inner.hearers(&event));
        let repeated = delivery.is_repeated.then(|| inner.repeated(&event));
        inner.hand_out(event, self.kept, &delivery);
        if let Some(repeated) = repeated {
            inner.hand_out(repeated, self.kept, &Delivery { only: delivery.repeated_to, ..Delivery::HEALTHY });
        }
        if let Some(held) = inner.held.take() {
            inner.hand_out(held, self.kept, &Delivery::HEALTHY);
        }
    }

    /// None when there are as many streams as there may be.
    pub(crate) fn subscribe(
        self: &Arc<Self>,
        audience: Audience,
        from: ReplayFrom,
        cut: CancellationToken,
    ) -> Option<Subscription> {
        let (queue, live) = mpsc::channel(self.queue_capacity);
        let mut inner = self.lock();
        if inner.subscribers.len() >= self.stream_capacity {
            return None;
        }
        let replay = match from {
            ReplayFrom::Now => VecDeque::new(),
            ReplayFrom::After(sequence) => {
                let heard = |event: &&Arc<Event>| event.sequence > sequence && audience.hears(event);
                inner.ring.iter().filter(heard).cloned().collect()
            }
        };
        let id = inner.next_subscriber;
        inner.next_subscriber += 1;
        inner.subscribers.insert(id, Subscriber { audience, queue, cut });
        Some(Subscription { replay, told: inner.told, live, id, log: Arc::clone(self) })
    }

    /// Drops every stream's connection.
    pub(crate) fn cut_all(&self) {
        for (_, subscriber) in self.lock().subscribers.drain() {
            subscriber.cut.cancel();
        }
    }

    /// Forgets what could be replayed; only by a defect.
    pub(crate) fn forget(&self) {
        self.lock().ring = placeholders(self.kept);
    }

    /// Streams open now.
    pub(crate) fn subscribers(&self) -> usize {
        self.lock().subscribers.len()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no holder panics")
    }
}

impl Inner {
    fn stamp(&mut self, draft: Draft, kept: Kept, faults: &Faults) -> Event {
        self.sequence += faults.id_step();
        if kept == Kept::Elsewhere {
            self.sequence = self.sequence.max(clock::wall().as_microsecond().unsigned_abs());
        }
        // No two events at one microsecond: what is told twice is then told from what happened twice.
        self.last_micros = faults.wall(clock::wall()).as_microsecond().max(self.last_micros + 1);
        let timestamp = draft.at.unwrap_or_else(|| {
            jiff::Timestamp::from_microsecond(self.last_micros).expect("the clock is within jiff's years")
        });

        let mut data = Map::new();
        data.insert("type".into(), draft.kind.into());
        data.insert("run_id".into(), (*draft.run).into());
        data.insert("timestamp".into(), clock::rfc3339_micros(timestamp).into());
        data.extend(draft.fields);
        let data = faults.written(Value::Object(data).to_string());
        Event {
            sequence: self.sequence,
            channel: draft.channel,
            workspace: draft.workspace,
            run: draft.run,
            created: clock::now(),
            frame: frame(&format!("id: {:012}\nevent: {}\ndata: {data}\n\n", self.sequence, draft.kind)),
        }
    }

    /// The same event as if it were another: all but its id.
    fn repeated(&mut self, event: &Event) -> Event {
        self.sequence += 1;
        Event {
            sequence: self.sequence,
            channel: event.channel,
            workspace: Arc::clone(&event.workspace),
            run: Arc::clone(&event.run),
            created: event.created,
            frame: event.frame_as(&format!("{:012}", self.sequence)),
        }
    }

    /// The subscribers that an event concerns.
    fn hearers(&self, event: &Event) -> Vec<u64> {
        let hears = |(id, subscriber): (&u64, &Subscriber)| subscriber.audience.hears(event).then_some(*id);
        self.subscribers.iter().filter_map(hears).collect()
    }

    /// Keeps an event, and puts it into the queues of those that it concerns.
    fn hand_out(&mut self, event: Event, kept: Kept, delivery: &Delivery) {
        self.told = self.told.max(event.sequence);
        let event = Arc::new(event);
        // What one stream alone is told is no event that could be replayed.
        if let Kept::Here(capacity) = kept
            && delivery.only.is_none()
        {
            if self.ring.len() >= capacity {
                self.ring.pop_front();
            }
            self.ring.push_back(Arc::clone(&event));
        }
        self.subscribers.retain(|id, subscriber| {
            let is_passed_over = delivery.passed_over == Some(*id) || delivery.only.is_some_and(|only| only != *id);
            if !subscriber.audience.hears(&event) || is_passed_over {
                return true;
            }
            let taken = (0..delivery.copies).all(|_| subscriber.queue.try_send(Arc::clone(&event)).is_ok());
            if !taken {
                subscriber.cut.cancel();
            }
            taken
        });
    }
}

/// A log full of events that concern nobody. They make the log take its memory at once, so that a gateway's first
/// minute does not look like a leak.
fn placeholders(kept: Kept) -> VecDeque<Arc<Event>> {
    let Kept::Here(capacity) = kept else { return VecDeque::new() };
    let nobody: Arc<str> = "".into();
    let placeholder = || Event {
        sequence: 0,
        channel: Channel::Logs,
        workspace: Arc::clone(&nobody),
        run: Arc::clone(&nobody),
        created: clock::now(),
        frame: frame(""),
    };
    std::iter::repeat_with(|| Arc::new(placeholder())).take(capacity).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defect::Reach;

    fn log(capacity: usize, queue_capacity: usize) -> Arc<EventLog> {
        Arc::new(EventLog::new(Kept::Here(capacity), queue_capacity, 8, Faults::none()))
    }

    fn draft(channel: Channel, workspace: &str, run: &str) -> Draft {
        Draft { channel, kind: "log", workspace: workspace.into(), run: run.into(), at: None, fields: Map::new() }
    }

    fn audience(channel: Channel, workspace: &str, run: Option<&str>) -> Audience {
        Audience { channel, workspace: workspace.into(), run: run.map(Into::into), reach: Reach::Own }
    }

    fn sequences(mut subscription: Subscription) -> Vec<u64> {
        let mut seen: Vec<_> = subscription.replay.iter().map(|event| event.sequence).collect();
        while let Ok(event) = subscription.live.try_recv() {
            seen.push(event.sequence);
        }
        seen
    }

    #[test]
    fn a_stream_hears_its_own_events_only() {
        let log = log(16, 16);
        let cut = CancellationToken::new;
        let logs = log.subscribe(audience(Channel::Logs, "a", None), ReplayFrom::Now, cut()).unwrap();
        let one = log.subscribe(audience(Channel::Logs, "a", Some("1")), ReplayFrom::Now, cut()).unwrap();
        let guard = log.subscribe(audience(Channel::Guard, "a", None), ReplayFrom::Now, cut()).unwrap();
        log.publish(draft(Channel::Logs, "a", "1"));
        log.publish(draft(Channel::Logs, "a", "2"));
        log.publish(draft(Channel::Guard, "a", "1"));
        log.publish(draft(Channel::Logs, "b", "3"));
        assert_eq!(sequences(logs), [1, 2]);
        assert_eq!(sequences(one), [1]);
        assert_eq!(sequences(guard), [3]);
    }

    #[test]
    fn replay_ends_where_live_begins() {
        let log = log(16, 16);
        for _ in 0..4 {
            log.publish(draft(Channel::Logs, "a", "1"));
        }
        let subscription =
            log.subscribe(audience(Channel::Logs, "a", None), ReplayFrom::After(2), CancellationToken::new()).unwrap();
        log.publish(draft(Channel::Logs, "a", "1"));
        assert_eq!(sequences(subscription), [3, 4, 5]);
    }

    #[test]
    fn the_oldest_events_are_forgotten_first() {
        let log = log(2, 16);
        for _ in 0..4 {
            log.publish(draft(Channel::Logs, "a", "1"));
        }
        let subscription =
            log.subscribe(audience(Channel::Logs, "a", None), ReplayFrom::After(0), CancellationToken::new()).unwrap();
        assert_eq!(sequences(subscription), [3, 4]);
    }

    #[test]
    fn a_stream_that_lags_is_cut_and_never_skipped() {
        let log = log(16, 2);
        let cut = CancellationToken::new();
        let slow = log.subscribe(audience(Channel::Logs, "a", None), ReplayFrom::Now, cut.clone()).unwrap();
        for _ in 0..4 {
            log.publish(draft(Channel::Logs, "a", "1"));
        }
        assert!(cut.is_cancelled());
        assert_eq!(log.subscribers(), 0);
        assert_eq!(sequences(slow), [1, 2]);
    }

    #[test]
    fn a_dropped_stream_is_counted_no_more() {
        let log = log(16, 2);
        let audience = audience(Channel::Logs, "a", None);
        let subscription = log.subscribe(audience, ReplayFrom::Now, CancellationToken::new());
        assert_eq!(log.subscribers(), 1);
        drop(subscription);
        assert_eq!(log.subscribers(), 0);
    }

    #[test]
    fn there_are_no_more_streams_than_allowed() {
        let log = EventLog::new(Kept::Here(4), 2, 1, Faults::none());
        let log = Arc::new(log);
        let audience = audience(Channel::Logs, "a", None);
        let first = log.subscribe(audience.clone(), ReplayFrom::Now, CancellationToken::new());
        assert!(first.is_some());
        assert!(log.subscribe(audience, ReplayFrom::Now, CancellationToken::new()).is_none());
    }
}
