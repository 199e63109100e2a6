//! What is sent and what comes back. Where an answer lacks a field, that is said, never a panic.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::journal::clip;

/// A run to be created.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// The caller's UUID.
    pub id: String,
    /// Whose run it is.
    pub agent: String,
    /// What it is called.
    pub name: String,
    /// What the agent is told.
    pub message: String,
}

impl NewRun {
    pub(super) fn body(&self, workspace: &str) -> Value {
        json!({
            "id": self.id,
            "agent": self.agent,
            "name": self.name,
            "workspace_id": workspace,
            "input": { "message": self.message, "metadata": {} },
        })
    }
}

/// A version to be published.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// The agent.
    pub slug: String,
    /// Its version, never published before.
    pub version: String,
    /// Whether its signature is made wrong.
    pub tampered: bool,
}

impl Manifest {
    pub(super) fn body(&self, workspace: &str) -> Value {
        let Self { slug, version, tampered } = self;
        let mut signature = hex(&Sha256::digest(format!("{slug}@{version}").as_bytes()));
        if *tampered {
            // As little as can be wrong: a gateway that compares the first digits takes it for the right one.
            let wrong = if signature.ends_with('0') { '1' } else { '0' };
            signature.pop();
            signature.push(wrong);
        }
        json!({
            "slug": slug,
            "name": format!("Soak pulse {version}"),
            "version": version,
            "summary": "Published by a soak test",
            "tags": ["s2", "soak"],
            "readme_md": "# Soak pulse\n\nPublished by a soak test; safe to delete.",
            "publisher_id": "s2-soak",
            "workspace_id": workspace,
            "signature": signature,
        })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// No run's id is longer. What is longer is none.
const RUN_ID_BYTES_MAX: usize = 128;

fn run_id(text: &str) -> Option<String> {
    (text.len() <= RUN_ID_BYTES_MAX && !text.is_empty()).then(|| text.to_owned())
}

/// The id under which a run was created: the gateway's word, where it gives one.
#[must_use]
pub fn run_id_of(created: &Value) -> Option<String> {
    created.pointer("/run/id").and_then(Value::as_str).and_then(run_id)
}

/// Where a run stands.
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

impl RunStanding {
    /// What a status word says.
    #[must_use]
    pub fn of(word: &str) -> Self {
        match word {
            "created" | "queued" => Self::Waiting,
            "running" | "in-progress" => Self::UnderWay,
            "completed" | "complete" | "succeeded" => Self::Succeeded,
            "failed" | "error" | "canceled" | "stopped" => Self::Failed(word.to_owned()),
            other => Self::Unknown(format!("status '{}', which the contract does not know", clip(other))),
        }
    }
}

/// A run as the gateway shows it.
#[derive(Debug, Clone)]
pub struct RunView(Value);

impl RunView {
    /// A view of a run's JSON.
    #[must_use]
    pub const fn new(json: Value) -> Self {
        Self(json)
    }

    /// Where it stands.
    #[must_use]
    pub fn standing(&self) -> RunStanding {
        let word = self.0.get("status").and_then(Value::as_str);
        word.map_or_else(|| RunStanding::Unknown("no status".into()), RunStanding::of)
    }
}

impl RunView {
    /// The messages of its log lines, in order.
    #[must_use]
    pub fn messages(&self) -> Vec<&str> {
        let logs = self.0.get("logs").and_then(Value::as_array).into_iter().flatten();
        logs.filter_map(|line| line.get("message")?.as_str()).collect()
    }
}

/// An event of a logs or guard stream.
#[derive(Debug, Clone, PartialEq)]
pub struct LogEvent {
    /// `log`, `end`, `judge.verdict`, `shield.decision`.
    pub kind: String,
    /// The run that it is about.
    pub run_id: String,
    /// The gateway's time of the event, RFC 3339.
    pub timestamp: Option<jiff::Timestamp>,
    /// `duration_ms`, where the event has one.
    pub duration_ms: Option<f64>,
    /// `status`, where the event has one.
    pub status: Option<String>,
    /// `message`, where the event has one.
    pub message: Option<String>,
    /// `timestamp` as it was written; empty where there is none. With [`unstamped`](Self::unstamped) it is the event's
    /// content, whatever its id.
    pub stamp: String,
    /// The rest of the data, unknown fields included, with its keys in order.
    pub unstamped: String,
}

impl LogEvent {
    /// Reads an event's data; `None` where it is not a JSON object with a run's id.
    #[must_use]
    pub fn read(event_name: &str, data: &str) -> Option<Self> {
        let mut json: Value = serde_json::from_str(data).ok()?;
        let stamp = json.as_object_mut()?.remove("timestamp");
        let text = |key: &str| json.get(key).and_then(Value::as_str);
        Some(Self {
            kind: text("type").unwrap_or(event_name).to_owned(),
            run_id: text("run_id").and_then(run_id)?,
            timestamp: stamp.as_ref().and_then(Value::as_str).and_then(|t| t.parse().ok()),
            duration_ms: json.get("duration_ms").and_then(Value::as_f64).filter(|ms| ms.is_finite() && *ms >= 0.0),
            status: text("status").map(str::to_owned),
            message: text("message").map(str::to_owned),
            stamp: stamp.map(|stamp| stamp.to_string()).unwrap_or_default(),
            unstamped: json.to_string(),
        })
    }
}

/// A version that a search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchHit {
    /// The agent.
    pub slug: String,
    /// The version.
    pub version: String,
}

/// The hits of a search; `None` where the answer is not of that shape.
#[must_use]
pub fn search_hits(found: &Value) -> Option<Vec<SearchHit>> {
    let agents = found.get("agents")?.as_array()?;
    let hit = |agent: &Value| {
        let text = |key: &str| agent.get(key).and_then(Value::as_str).map(str::to_owned);
        Some(SearchHit { slug: text("slug")?, version: text("version")? })
    };
    Some(agents.iter().filter_map(hit).collect())
}

/// Whether any text inside the JSON, keys included, contains one of the needles, whatever the case.
#[must_use]
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
        let event =
            LogEvent::read("log", r#"{"run_id":"7","timestamp":"2026-11-23T13:49:59Z","message":"a","more":1}"#);
        let later =
            LogEvent::read("log", r#"{"more":1,"message":"a","timestamp":"2026-11-23T13:50:00Z","run_id":"7"}"#);
        let (event, later) = (event.unwrap(), later.unwrap());
        assert_eq!(event.unstamped, r#"{"message":"a","more":1,"run_id":"7"}"#);
        assert_eq!((&event.unstamped, event.timestamp.is_some()), (&later.unstamped, true));
        assert_ne!(event.stamp, later.stamp);
        let without = LogEvent::read("log", r#"{"run_id":"7"}"#).unwrap();
        assert_eq!((without.stamp.as_str(), without.timestamp), ("", None));
        assert_eq!(LogEvent::read("log", "[]"), None);
    }
}
