//! The data of requests and of answers. A missing field of an answer is reported and never causes a panic.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::dialect::{Dialect, EventKind, Events, RunState};
use crate::catalog::CallName;
use crate::journal::clip;
use crate::streams::Delivery;

/// A run to be created.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// The caller's UUID.
    pub(crate) id: String,
    pub(crate) agent: String,
    pub(crate) name: String,
    /// The message to the agent.
    pub(crate) message: String,
}

impl NewRun {
    pub(crate) fn fill(&self) -> [(&'static str, Value); 4] {
        let Self { id, agent, name, message } = self;
        [("id", id), ("agent", agent), ("name", name), ("message", message)].map(|(place, text)| (place, json!(text)))
    }
}

/// A version to be published.
#[derive(Debug, Clone)]
pub struct Manifest {
    pub(crate) slug: String,
    /// Its version, never published before.
    pub(crate) version: String,
    /// Whether its signature is made wrong.
    pub(crate) tampered: bool,
}

impl Manifest {
    pub(crate) fn fill(&self) -> [(&'static str, Value); 3] {
        let Self { slug, version, tampered } = self;
        let digest = Sha256::digest(format!("{slug}@{version}").as_bytes());
        let mut signature: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        if *tampered {
            // One digit is wrong: a gateway that compares the first digits takes it for the right signature.
            let wrong = if signature.ends_with('0') { '1' } else { '0' };
            signature.pop();
            signature.push(wrong);
        }
        [("slug", json!(slug)), ("version", json!(version)), ("signature", json!(signature))]
    }
}

/// Maximum length of a run's id. A longer text is no id.
const RUN_ID_BYTES_MAX: usize = 128;

/// A run's id, which some gateways write as a number.
pub(super) fn run_id(id: &Value) -> Option<String> {
    let text = id.as_str().map(str::to_owned).or_else(|| id.as_u64().map(|n| n.to_string()))?;
    (1..=RUN_ID_BYTES_MAX).contains(&text.len()).then_some(text)
}

/// The standing of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunStanding {
    /// It waits.
    Waiting,
    /// It is under way.
    UnderWay,
    /// It ended in success.
    Succeeded,
    /// It ended in failure, with that word.
    Failed(String),
    /// A word that the contract does not know, or no word.
    Unknown(String),
}

/// A run as the gateway shows it.
#[derive(Debug, Clone, Default)]
pub struct RunView {
    /// The gateway's word for its standing.
    status: Option<String>,
    /// The messages of its log lines, in order, without those that are too large for an event.
    messages: Vec<String>,
}

impl RunView {
    pub(crate) fn into_messages(self) -> Vec<String> {
        self.messages
    }

    pub(crate) fn messages(&self) -> Vec<&str> {
        self.messages.iter().map(String::as_str).collect()
    }
}

impl Dialect {
    /// The id under which a run was created, where the answer names it.
    pub(crate) fn run_id_of(&self, created: &Value) -> Option<String> {
        run_id(self.call(CallName::CreateRun)?.find("id", created)?)
    }

    pub(crate) fn run_view(&self, json: &Value) -> RunView {
        let Some(spec) = self.call(CallName::Run) else { return RunView::default() };
        let status = spec.find("status", json).and_then(Value::as_str).map(str::to_owned);
        let lines = spec.find("logs", json).and_then(Value::as_array).into_iter().flatten();
        let messages = lines.filter_map(|line| spec.find("message", line)?.as_str());
        // No stream could have shown a larger line: its event is skipped.
        let messages = messages.filter(|message| self.limits.fits_an_event(message)).map(str::to_owned).collect();
        RunView { status, messages }
    }

    pub(crate) fn standing(&self, run: &RunView) -> RunStanding {
        run.status.as_deref().map_or_else(|| RunStanding::Unknown("no status".into()), |word| self.standing_of(word))
    }

    /// Whether a run was refused by the safety layer after it was created.
    pub(crate) fn was_refused(&self, run: &RunView) -> bool {
        run.status.as_ref().is_some_and(|word| self.refused_states.contains(word))
    }

    pub(crate) fn standing_of(&self, word: &str) -> RunStanding {
        match self.states.get(word) {
            Some(RunState::Waiting) => RunStanding::Waiting,
            Some(RunState::UnderWay) => RunStanding::UnderWay,
            Some(RunState::Success) => RunStanding::Succeeded,
            Some(RunState::Failure) => RunStanding::Failed(word.to_owned()),
            None => RunStanding::Unknown(format!("status '{}', which the contract does not know", clip(word))),
        }
    }
}

/// An event of a logs or guard stream.
#[derive(Debug, Clone, PartialEq)]
pub struct LogEvent {
    /// `log`, `end`, `judge.verdict`, `shield.decision`.
    pub(crate) kind: String,
    pub(crate) run_id: String,
    /// The gateway's time of the event.
    pub(crate) timestamp: Option<jiff::Timestamp>,
    pub(crate) duration_ms: Option<f64>,
    pub(crate) status: Option<String>,
    pub(crate) message: Option<String>,
    /// `timestamp` as it was written, or empty. With `unstamped` it is the event's content, whatever its id.
    pub(crate) stamp: String,
    /// The rest of the data, unknown fields included, with its keys in order.
    pub(crate) unstamped: String,
}

impl LogEvent {
    /// The event as a delivery, under the id that its stream gave it.
    pub(crate) fn delivery<'a>(&'a self, id: &'a str) -> Delivery<'a> {
        let message = self.message.as_deref();
        Delivery { stamp: &self.stamp, unstamped: &self.unstamped, run: &self.run_id, id, kind: &self.kind, message }
    }

    pub(super) fn of(dialect: &Events, kind: EventKind, run_id: String, mut json: Value) -> Self {
        let stamp = take(&mut json, &dialect.timestamp);
        let text = |pointer: &str| Some(json.pointer(pointer)?.as_str()?.to_owned());
        let duration = json.pointer(&dialect.duration_ms).and_then(Value::as_f64);
        let duration_ms = duration.map(|duration| duration * dialect.duration_unit_ms);
        Self {
            kind: kind.word().to_owned(),
            run_id,
            timestamp: stamp.as_ref().and_then(time_of),
            duration_ms: duration_ms.filter(|ms| ms.is_finite() && *ms >= 0.0),
            status: text(&dialect.status),
            message: text(&dialect.message),
            stamp: stamp.map(|stamp| stamp.to_string()).unwrap_or_default(),
            unstamped: json.to_string(),
        }
    }

    /// Reads an event of a workspace's stream; `None` where it is not about a run.
    #[cfg(test)]
    pub(crate) fn read(dialect: &Events, event_name: &str, data: &str) -> Option<Self> {
        match dialect.reading(None, event_name, data) {
            super::EventReading::OfRun(log) => Some(*log),
            _ => None,
        }
    }
}

/// A moment as gateways write it: RFC 3339, or milliseconds since 1970.
pub fn time_of(json: &Value) -> Option<jiff::Timestamp> {
    let text = json.as_str().and_then(|text| text.parse().ok());
    text.or_else(|| json.as_i64().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok()))
}

/// Removes the value at a pointer from its object.
fn take(json: &mut Value, pointer: &str) -> Option<Value> {
    let (around, key) = pointer.rsplit_once('/')?;
    let key = key.replace("~1", "/").replace("~0", "~");
    json.pointer_mut(around)?.as_object_mut()?.remove(&key)
}

/// Whether any text inside the JSON, keys included, contains one of the needles, in any case.
pub fn json_contains(json: &Value, needles: &[String]) -> bool {
    let has = |text: &str| {
        let text = text.to_lowercase();
        needles.iter().any(|needle| text.contains(needle.as_str()))
    };
    match json {
        Value::String(text) => has(text),
        Value::Array(items) => items.iter().any(|item| json_contains(item, needles)),
        Value::Object(fields) => fields.iter().any(|(key, value)| has(key) || json_contains(value, needles)),
        Value::Number(number) => has(&number.to_string()),
        Value::Null | Value::Bool(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_events_data_fall_into_its_timestamp_and_the_rest_whatever_their_order() {
        let events = crate::settings::built_in_dialect().events;
        let event = LogEvent::read(
            &events,
            "log",
            r#"{"run_id":"7","timestamp":"2026-11-23T13:49:59Z","message":"a","more":1}"#,
        );
        let later = LogEvent::read(
            &events,
            "log",
            r#"{"more":1,"message":"a","timestamp":"2026-11-23T13:50:00Z","run_id":"7"}"#,
        );
        let (event, later) = (event.unwrap(), later.unwrap());
        assert_eq!(event.unstamped, r#"{"message":"a","more":1,"run_id":"7"}"#);
        assert_eq!((&event.unstamped, event.timestamp.is_some()), (&later.unstamped, true));
        assert_ne!(event.stamp, later.stamp);
        let without = LogEvent::read(&events, "log", r#"{"run_id":"7"}"#).unwrap();
        assert_eq!((without.stamp.as_str(), without.timestamp), ("", None));
        assert_eq!(LogEvent::read(&events, "log", "[]"), None);
    }
}
