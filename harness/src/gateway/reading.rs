//! The meaning of an event of a stream: it is about a run, or something else.
//!
//! The format of events allows greetings, keep-alives, sentinels. None of these is an error, unless its type is one
//! that the dialect uses for runs: then it must name the run.

use serde_json::Value;

use super::{
    contract::{LogEvent, run_id},
    dialect::{EventKind, Events},
};
use crate::journal::{clip, clip_to};

/// The name of an event that has none, by the format of event streams.
const UNNAMED: &str = "message";
/// Maximum length of a type that is kept.
const KIND_CHARS_MAX: usize = 48;
/// Maximum length of a word that is the type of an unnamed event: `[DONE]`.
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
        /// The run that it names.
        run_id: Option<String>,
    },
    /// Its type is one that the dialect ignores.
    Ignored,
    /// It cannot be read, although its type is one that the dialect uses for runs: the reason.
    Wrong(String),
}

impl Events {
    /// Reads an event. `own_run` is the run whose own stream it is on, where it is on one.
    pub(crate) fn reading(&self, own_run: Option<&str>, name: &str, data: &str) -> EventReading {
        let json: Option<Value> = serde_json::from_str(data).ok();
        let kind = self.kind_of(name, json.as_ref(), data);
        if self.ignore.contains(kind) {
            return EventReading::Ignored;
        }
        let no_object =
            || EventReading::Wrong(format!("an event that is no JSON object with a run_id: {}", clip(data)));
        if json.is_none() && begins_as_object(data) {
            return no_object();
        }
        let named = json.as_ref().and_then(|json| run_id(json.pointer(&self.run_id)?));
        let Some(kind) = self.words.get(kind).copied() else {
            return EventReading::Other { kind: clip_to(kind, KIND_CHARS_MAX), run_id: named };
        };
        let implied = own_run.filter(|_| !self.run_id_is_required).map(str::to_owned);
        let Some(run) = named.or(implied) else { return no_object() };
        // An end needs no data beyond its type, and a log line may be the data itself.
        let is_object = json.as_ref().is_some_and(Value::is_object);
        if !is_object && kind != EventKind::End && !self.message.is_empty() {
            let (word, data) = (kind.word(), clip(data));
            return EventReading::Wrong(format!("an event `{word}` whose data is no JSON object: {data}"));
        }
        let json = json.unwrap_or_else(|| Value::String(data.to_owned()));
        EventReading::OfRun(Box::new(LogEvent::of(self, kind, run, json)))
    }

    /// The gateway's word for the type of an event.
    fn kind_of<'a>(&self, name: &'a str, json: Option<&'a Value>, data: &'a str) -> &'a str {
        let said = json.filter(|json| json.is_object()).and_then(|json| json.pointer(&self.kind)?.as_str());
        match said {
            Some(said) => said,
            None if name == UNNAMED && is_sentinel(data) => data,
            None => name,
        }
    }
}

/// Whether the data of an unnamed event is a word for its type, or empty, as of a keep-alive. With digits, each
/// heartbeat that tells the time would have a type of its own.
fn is_sentinel(data: &str) -> bool {
    data.len() <= SENTINEL_BYTES_MAX
        && data.chars().all(|c| c.is_alphabetic() || matches!(c, '[' | ']' | '-' | '_' | '.'))
}

/// Whether data begins as a JSON object, although it may break off or be garbled.
fn begins_as_object(data: &str) -> bool {
    data.trim_start().strip_prefix('{').is_some_and(|rest| rest.trim_start().starts_with('"'))
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
