//! The meaning of an event of a stream: it is about a run, or something else that a gateway says on its streams.
//!
//! The format of events lets a gateway say whatever it likes: greetings, keep-alives, sentinels. None of that is an error
//! unless its type is one that the dialect uses for runs, and then it has to say which run.

use serde_json::Value;

use super::{
    contract::{LogEvent, run_id},
    dialect::{EventKind, Events},
};
use crate::journal::{clip, clip_to};

/// The name of an event that has none, by the format of event streams.
const UNNAMED: &str = "message";
/// No type is longer.
const KIND_CHARS_MAX: usize = 48;
/// The data of an unnamed event that is no JSON object is its type, where it is a word no longer than this: `[DONE]`.
const SENTINEL_BYTES_MAX: usize = 24;

/// The meaning of an event.
#[derive(Debug, Clone, PartialEq)]
pub enum EventReading {
    /// It is about a run.
    OfRun(Box<LogEvent>),
    /// Its type is none that the dialect uses for runs.
    Other {
        /// Its type.
        kind: String,
        /// The run that it names all the same.
        run_id: Option<String>,
    },
    /// Its type is one that the dialect ignores.
    Ignored,
    /// Its type is one that the dialect uses for runs, and it cannot be read as one of these: why.
    Wrong(String),
}

impl Events {
    /// Reads an event. `own_run` is the run whose own stream it is on, where it is on one.
    #[must_use]
    pub fn reading(&self, own_run: Option<&str>, name: &str, data: &str) -> EventReading {
        let json: Option<Value> = serde_json::from_str(data).ok();
        let kind = self.kind_of(name, json.as_ref(), data);
        if self.ignore.contains(kind) {
            return EventReading::Ignored;
        }
        let named = json.as_ref().and_then(|json| self.run_of(json));
        if is_broken_object(json.as_ref(), data) {
            return EventReading::Wrong(format!("an event that is no JSON object with a run_id: {}", clip(data)));
        }
        let Some(kind) = self.words.get(kind).copied() else {
            return EventReading::Other { kind: clip_to(kind, KIND_CHARS_MAX), run_id: named };
        };
        let implied = own_run.filter(|_| !self.run_id_is_required).map(str::to_owned);
        let Some(run) = named.or(implied) else {
            return EventReading::Wrong(format!("an event that is no JSON object with a run_id: {}", clip(data)));
        };
        match json {
            Some(json) if json.is_object() => EventReading::OfRun(Box::new(LogEvent::of(self, kind, run, json))),
            // An end says all there is to say by its type, and a line of a log may be its data.
            other if kind == EventKind::End || self.message.is_empty() => {
                let json = other.unwrap_or_else(|| Value::String(data.to_owned()));
                EventReading::OfRun(Box::new(LogEvent::of(self, kind, run, json)))
            }
            _ => {
                let (word, data) = (kind.word(), clip(data));
                EventReading::Wrong(format!("an event `{word}` whose data is no JSON object: {data}"))
            }
        }
    }

    /// The run that an event's data names.
    fn run_of(&self, json: &Value) -> Option<String> {
        let id = json.pointer(&self.run_id)?;
        let text = id.as_str().map(str::to_owned).or_else(|| id.as_u64().map(|n| n.to_string()));
        text.as_deref().and_then(run_id)
    }

    /// The gateway's word for what an event is.
    fn kind_of<'a>(&self, name: &'a str, json: Option<&'a Value>, data: &'a str) -> &'a str {
        let said = json.filter(|json| json.is_object()).and_then(|json| json.pointer(&self.kind)?.as_str());
        match said {
            Some(said) => said,
            None if name == UNNAMED && is_sentinel(data) => data,
            None => name,
        }
    }
}

/// Whether the data of an unnamed event is a word that says what it is for: a keep-alive may be empty. Digits would make
/// every heartbeat that tells the time a type of its own.
fn is_sentinel(data: &str) -> bool {
    data.len() <= SENTINEL_BYTES_MAX
        && data.chars().all(|c| c.is_alphabetic() || matches!(c, '[' | ']' | '-' | '_' | '.'))
}

/// Whether data was to be a JSON object, and broke off or is garbled.
fn is_broken_object(read: Option<&Value>, data: &str) -> bool {
    let begins = || data.trim_start().strip_prefix('{').is_some_and(|rest| rest.trim_start().starts_with('"'));
    read.is_none() && begins()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::built_in_dialect;

    fn reading(own_run: Option<&str>, name: &str, data: &str) -> EventReading {
        built_in_dialect().events.reading(own_run, name, data)
    }

    fn other(kind: &str) -> EventReading {
        EventReading::Other { kind: kind.to_owned(), run_id: None }
    }

    fn of_run(reading: &EventReading) -> Option<(&str, &str)> {
        match reading {
            EventReading::OfRun(log) => Some((log.kind.as_str(), log.run_id.as_str())),
            _ => None,
        }
    }

    #[test]
    fn what_names_no_run_and_is_of_no_type_of_a_run_is_no_error() {
        for own_run in [None, Some("7")] {
            assert_eq!(other("connected"), reading(own_run, "connected", r#"{"client":"a"}"#));
            assert_eq!(other("ping"), reading(own_run, "ping", ""));
            assert_eq!(other("heartbeat"), reading(own_run, "message", r#"{"type":"heartbeat","at":1}"#));
            assert_eq!(other("heartbeat"), reading(own_run, "heartbeat", "1732356000"));
            assert_eq!(other("message"), reading(own_run, "message", "[1,2]"));
            assert_eq!(other("message"), reading(own_run, "message", "1732356000"));
            assert_eq!(other("message"), reading(own_run, "message", "<html>"));
            assert_eq!(other("message"), reading(own_run, "message", "{}"));
            // The data is the type where it is a word and nothing else is.
            assert_eq!(other("[DONE]"), reading(own_run, "message", "[DONE]"));
            assert_eq!(other(""), reading(own_run, "message", ""));
            assert_eq!(other("ping"), reading(own_run, "ping", r#"{"run_id":null}"#));
        }
        let named = EventReading::Other { kind: "progress".into(), run_id: Some("7".into()) };
        assert_eq!(named, reading(None, "progress", r#"{"run_id":7}"#));
    }

    #[test]
    fn what_is_of_a_type_of_a_run_has_to_say_which_unless_the_path_does() {
        let line = r#"{"message":"a"}"#;
        assert_eq!(Some(("log", "7")), of_run(&reading(Some("7"), "log", line)));
        assert_eq!(Some(("log", "8")), of_run(&reading(Some("7"), "log", r#"{"run_id":"8"}"#)), "the event's own word");
        let wrong = |reading: EventReading| matches!(reading, EventReading::Wrong(_));
        assert!(wrong(reading(None, "log", line)));
        assert!(wrong(reading(None, "end", "")));
        assert!(wrong(reading(None, "judge.verdict", "[]")));
        let mut required = built_in_dialect().events;
        required.run_id_is_required = true;
        assert!(wrong(required.reading(Some("7"), "log", line)));
        assert_eq!(other("ping"), required.reading(Some("7"), "ping", "{}"));
    }

    #[test]
    fn data_that_broke_off_is_wrong_and_an_end_needs_none() {
        let wrong = |reading: EventReading| matches!(reading, EventReading::Wrong(_));
        assert!(wrong(reading(Some("7"), "log", r#"{"message":"a"#)));
        assert!(wrong(reading(Some("7"), "end", r#"{"status":"comp"#)));
        assert!(wrong(reading(None, "message", r#"{"type":"log","run_i"#)), "whatever it was to be");
        assert_eq!(other("message"), reading(None, "message", "{time: 12}"), "it is none of JSON");
        assert!(wrong(reading(Some("7"), "log", "plain text")), "the message is said to be in an object");
        assert_eq!(Some(("end", "7")), of_run(&reading(Some("7"), "end", "")));
        assert_eq!(Some(("end", "7")), of_run(&reading(Some("7"), "end", "completed")));
        let mut plain = built_in_dialect().events;
        plain.message = String::new();
        let read = plain.reading(Some("7"), "log", "plain text");
        let EventReading::OfRun(log) = read else { panic!("{read:?}") };
        assert_eq!((Some("plain text"), "log"), (log.message.as_deref(), log.kind.as_str()));
    }

    #[test]
    fn a_sentinel_may_be_a_runs_end_and_what_is_ignored_is_nothing() {
        let mut events = built_in_dialect().events;
        events.words.insert("[DONE]".into(), EventKind::End);
        assert_eq!(Some(("end", "7")), of_run(&events.reading(Some("7"), "message", "[DONE]")));
        events.ignore.insert("ping".into());
        assert_eq!(EventReading::Ignored, events.reading(None, "ping", "{}"));
        assert_eq!(EventReading::Ignored, events.reading(None, "message", "ping"));
    }
}
