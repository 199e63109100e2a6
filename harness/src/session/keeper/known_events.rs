//! Events whose bytes are known are not parsed again: the workspace streams of a gateway show the same events.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    gateway::{EventReading, LogEvent},
    streams::{content_hash, event_hash},
};

/// Text of events that is kept. Beyond it the oldest events are forgotten, and parsed again.
const BYTES_MAX: usize = 1024 * 1024;
/// A larger event is not kept.
const EVENT_BYTES_MAX: usize = 32 * 1024;

/// The events about runs that workspace streams have shown last.
#[derive(Debug, Default)]
pub(in crate::session) struct KnownEvents(Mutex<Recent>);

#[derive(Debug, Default)]
struct Recent {
    events: HashMap<u64, KnownEvent>,
    /// Their hashes, oldest first.
    order: VecDeque<u64>,
    bytes: usize,
}

#[derive(Debug)]
struct KnownEvent {
    name: String,
    data: String,
    log: Arc<LogEvent>,
}

impl KnownEvents {
    /// The event of a workspace stream with this name and these data, if it is about a run. What it is else is returned as an error.
    /// Only an event that is not known is read.
    ///
    /// # Errors
    /// The reading of an event that is not about a run.
    pub(super) fn of_run(
        &self,
        name: &str,
        data: &str,
        read: impl FnOnce() -> EventReading,
    ) -> Result<Arc<LogEvent>, EventReading> {
        let hash = event_hash(name, content_hash(data));
        let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = recent.events.get(&hash).filter(|known| known.name == name && known.data == data) {
            return Ok(Arc::clone(&known.log));
        }
        drop(recent);
        let log = match read() {
            EventReading::OfRun(log) => Arc::<LogEvent>::from(log),
            other => return Err(other),
        };
        if data.len() <= EVENT_BYTES_MAX {
            recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let known = KnownEvent { name: name.to_owned(), data: data.to_owned(), log: Arc::clone(&log) };
            recent.keep(hash, known);
        }
        Ok(log)
    }
}

impl Recent {
    fn keep(&mut self, hash: u64, known: KnownEvent) {
        let bytes = known.bytes();
        if self.events.contains_key(&hash) {
            return;
        }
        self.events.insert(hash, known);
        self.order.push_back(hash);
        self.bytes += bytes;
        while self.bytes > BYTES_MAX {
            let Some(oldest) = self.order.pop_front().and_then(|oldest| self.events.remove(&oldest)) else { return };
            self.bytes -= oldest.bytes();
        }
    }
}

impl KnownEvent {
    /// Its text, and about as much again in what was read of it.
    fn bytes(&self) -> usize {
        size_of::<Self>() + size_of::<LogEvent>() + 2 * (self.name.len() + self.data.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::built_in_dialect;

    /// Reads an event; whether it had to be parsed.
    fn read(events: &KnownEvents, name: &str, data: &str) -> (Result<Arc<LogEvent>, EventReading>, bool) {
        let mut is_parsed = false;
        let log = events.of_run(name, data, || {
            is_parsed = true;
            built_in_dialect().events.reading(None, name, data)
        });
        (log, is_parsed)
    }

    fn line(number: usize) -> String {
        format!(r#"{{"type":"log","run_id":"7","message":"line {number}"}}"#)
    }

    #[test]
    fn an_event_is_parsed_once_however_often_it_is_shown() {
        let events = KnownEvents::default();
        let (first, is_parsed) = read(&events, "log", &line(1));
        assert!(is_parsed);
        for _ in 0..3 {
            let (again, is_parsed) = read(&events, "log", &line(1));
            assert_eq!((first.clone(), false), (again, is_parsed));
        }
        assert!(read(&events, "log", &line(2)).1 && read(&events, "end", &line(1)).1, "other data, another name");
    }

    #[test]
    fn what_is_not_about_a_run_is_read_each_time() {
        let events = KnownEvents::default();
        for _ in 0..2 {
            let (read, is_parsed) = read(&events, "ping", "{}");
            assert!(is_parsed && matches!(read, Err(EventReading::Other { .. })), "{read:?}");
        }
    }

    #[test]
    fn the_oldest_are_forgotten_beyond_a_megabyte() {
        let events = KnownEvents::default();
        (0..10_000).for_each(|number| _ = read(&events, "log", &line(number)));
        let recent = events.0.lock().unwrap();
        assert!(recent.bytes <= BYTES_MAX && recent.events.len() == recent.order.len() && recent.events.len() > 1_000);
        drop(recent);
        assert!(!read(&events, "log", &line(9_999)).1 && read(&events, "log", &line(0)).1);
        let long = line(0).replace("line", &"x".repeat(EVENT_BYTES_MAX));
        assert!(read(&events, "log", &long).1 && read(&events, "log", &long).1, "a large one is not kept");
    }
}
