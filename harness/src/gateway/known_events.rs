//! Known events, which are not parsed again: the workspace streams of a gateway show the same events.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use parking_lot::Mutex;

use super::{EventContent, EventReading, LogEvent, plain_event::EventFields};
use crate::streams::{content_hash, event_hash};

/// Maximum size of the kept events. Beyond it the oldest events are forgotten, and parsed again.
const BYTES_MAX: usize = 1024 * 1024;
const EVENT_BYTES_MAX: usize = 32 * 1024;

/// The latest events about runs on workspace streams, by name and data.
#[derive(Debug, Default)]
pub struct KnownEvents(Mutex<Recent>);

#[derive(Debug, Default)]
struct Recent {
    events: HashMap<u64, Arc<EventContent>>,
    /// Hashes of the events, oldest first.
    order: VecDeque<u64>,
    bytes: usize,
}

impl KnownEvents {
    /// The known event about a run with these fields.
    pub(super) fn find(&self, fields: &EventFields<'_>) -> Option<Arc<EventContent>> {
        let known = self.0.lock().find(fields.name, fields.data)?;
        if known.id.as_deref() == fields.id {
            return Some(known);
        }
        // Each connection has ids of its own.
        Some(Arc::new(EventContent { id: fields.id.map(str::to_owned), ..(*known).clone() }))
    }

    /// The log event in an event of a workspace stream, or another reading as an error. Only unknown events are parsed.
    pub(crate) fn of_run<'e>(
        &self,
        event: &'e Arc<EventContent>,
        read: impl FnOnce() -> EventReading,
    ) -> Result<&'e Arc<LogEvent>, EventReading> {
        if let Some(log) = event.log.get() {
            return Ok(log);
        }
        let known = self.0.lock().find(&event.name, &event.data);
        if let Some(log) = known.as_ref().and_then(|known| known.log.get()) {
            return Ok(event.log.get_or_init(|| Arc::clone(log)));
        }
        let log = match read() {
            EventReading::OfRun(log) => event.log.get_or_init(|| Arc::from(log)),
            other => return Err(other),
        };
        if event.data.len() <= EVENT_BYTES_MAX {
            self.0.lock().keep(event);
        }
        Ok(log)
    }
}

fn hash_of(name: &str, data: &str) -> u64 {
    event_hash(name, content_hash(data))
}

impl Recent {
    fn find(&self, name: &str, data: &str) -> Option<Arc<EventContent>> {
        let known = self.events.get(&hash_of(name, data))?;
        (known.name == name && known.data == data).then(|| Arc::clone(known))
    }

    fn keep(&mut self, event: &Arc<EventContent>) {
        let hash = hash_of(&event.name, &event.data);
        if self.events.contains_key(&hash) {
            return;
        }
        self.bytes += bytes_of(event);
        self.events.insert(hash, Arc::clone(event));
        self.order.push_back(hash);
        while self.bytes > BYTES_MAX {
            let Some(oldest) = self.order.pop_front().and_then(|oldest| self.events.remove(&oldest)) else { return };
            self.bytes -= bytes_of(&oldest);
        }
    }
}

/// Size of an event: its text, and about as much for the parsed fields.
fn bytes_of(event: &EventContent) -> usize {
    size_of::<EventContent>() + size_of::<LogEvent>() + 2 * (event.name.len() + event.data.len())
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::{gateway::Dialect, settings::built_in_dialect};

    static DIALECT: LazyLock<Dialect> = LazyLock::new(built_in_dialect);

    fn event(name: &str, data: &str) -> Arc<EventContent> {
        Arc::new(EventContent { name: name.to_owned(), data: data.to_owned(), ..EventContent::default() })
    }

    /// Reads an event; whether it had to be parsed.
    fn read(events: &KnownEvents, name: &str, data: &str) -> (Result<Arc<LogEvent>, EventReading>, bool) {
        let mut is_parsed = false;
        let event = event(name, data);
        let log = events.of_run(&event, || {
            is_parsed = true;
            DIALECT.events.reading(None, name, data)
        });
        (log.cloned(), is_parsed)
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
    fn an_event_is_found_by_its_fields_whatever_its_id() {
        let events = KnownEvents::default();
        let data = line(1);
        let fields = |id| EventFields { id, name: "log", data: &data };
        assert_eq!(None, events.find(&fields(None)));
        let (first, _) = read(&events, "log", &data);
        for id in [None, Some("7"), Some("8")] {
            let found = events.find(&fields(id)).unwrap();
            assert_eq!((id, first.as_ref().ok()), (found.id.as_deref(), found.log.get()));
            assert_eq!(("log", &*data), (&*found.name, &*found.data));
        }
        assert_eq!(None, events.find(&EventFields { id: None, name: "end", data: &data }));
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
        let recent = events.0.lock();
        assert!(recent.bytes <= BYTES_MAX && recent.events.len() == recent.order.len() && recent.events.len() > 1_000);
        drop(recent);
        assert!(!read(&events, "log", &line(9_999)).1 && read(&events, "log", &line(0)).1);
        let long = line(0).replace("line", &"x".repeat(EVENT_BYTES_MAX));
        assert!(read(&events, "log", &long).1 && read(&events, "log", &long).1, "a large one is not kept");
    }
}
