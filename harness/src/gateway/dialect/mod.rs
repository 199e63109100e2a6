//! The paths, bodies and words by which a gateway spells the contract. The settings read them from a file.
//!
//! The contract itself is the built-in dialect `4runr`. A dialect also names the parts that a gateway does not
//! have, each with a reason. KPIs that need such a part are waived, and the results say so.

mod codes;
mod limits;
mod registry;
mod template;
mod unsupported;

use std::collections::{BTreeMap, BTreeSet};

use http::{HeaderName, Method};
use serde_json::{Value, json};

pub use codes::{CodeSays, Codes};
pub use limits::Limits;
pub use registry::{Paging, VERSION_FORM, VERSION_PLACES, VersionForm};
pub use template::{Fill, Template, fill_json, is_absolute, places_of_json};

use crate::catalog::CallName;

/// The contract, as a file.
pub const BUILT_IN: &str = include_str!("4runr.toml");
/// The name of the contract's dialect.
pub const BUILT_IN_NAME: &str = "4runr";

/// A call as a gateway has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    pub(crate) method: Method,
    pub(crate) path: Template,
    /// Headers beyond those of every call.
    pub(crate) headers: Vec<(HeaderName, Template)>,
    pub(crate) body: Option<Value>,
    /// Statuses of success.
    pub(crate) yes: Vec<u16>,
    /// Statuses of requests that the gateway is right to refuse.
    pub(crate) refused: Vec<u16>,
    /// Statuses that ask for a later request.
    pub(crate) wait: Vec<u16>,
    /// Pointers to the data in its answer.
    pub(crate) pointers: BTreeMap<&'static str, String>,
    /// Method and path with its places, for people.
    pub(crate) route: String,
    pub(crate) habits: Habits,
}

impl Spec {
    /// The value at a pointer of the answer, if the dialect has the pointer.
    pub(crate) fn find<'a>(&self, pointer: &str, answer: &'a Value) -> Option<&'a Value> {
        answer.pointer(self.pointers.get(pointer)?)
    }

    /// The values of a privacy toggle, as flags and as the gateway's word.
    pub(crate) fn storage(&self, store_plain: bool) -> [(&'static str, Value); 3] {
        let word = &self.habits.storage[usize::from(!store_plain)];
        [("store_plain", json!(store_plain)), ("hash_only", json!(!store_plain)), ("storage", json!(word))]
    }

    /// Whether its path or body has such a place.
    pub(crate) fn has_place(&self, place: &str) -> bool {
        let in_body = || self.body.iter().flat_map(places_of_json).any(|word| word == place);
        self.path.places().any(|word| word == place) || in_body()
    }
}

/// The values of added latency, in milliseconds and in seconds.
pub fn chaos_fill(delay_ms: u64, duration_ms: u64) -> [(&'static str, Value); 4] {
    [
        ("delay_ms", json!(delay_ms)),
        ("duration_ms", json!(duration_ms)),
        ("delay_seconds", seconds(delay_ms)),
        ("duration_seconds", seconds(duration_ms)),
    ]
}

/// A number of seconds, without a fraction where it is whole: some gateways accept integers only.
fn seconds(ms: u64) -> Value {
    let seconds = ms as f64 / 1_000.0;
    if ms.is_multiple_of(1_000) { json!(ms / 1_000) } else { json!(seconds) }
}

/// Habits that only some calls have. Other calls have the default, without a meaning.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Habits {
    /// Of publishing.
    pub(crate) version_form: VersionForm,
    /// Of a search.
    pub(crate) paging: Paging,
    /// Of the privacy toggle: its words for runs that are stored as they are, and as a hash only.
    pub(crate) storage: [String; 2],
    /// Of creating a run: a run with personal data may be refused, instead of being masked.
    pub(crate) refuses_personal_data: bool,
}

/// Whether and how the gateway has a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Has {
    /// The gateway has it.
    Call(Box<Spec>),
    /// Another call does it: a created run may be under way.
    PartOf(CallName),
    /// It has none: the reason.
    Absent(String),
}

/// Pointers to the data of an event, and the words for its types.
#[derive(Debug, Clone, PartialEq)]
pub struct Events {
    /// Its type, where that is not the stream's `event:`.
    pub(crate) kind: String,
    pub(crate) run_id: String,
    pub(crate) timestamp: String,
    /// The array of log lines, where an event carries several. Empty: an event is a line.
    pub(crate) lines: String,
    /// Text of a log line.
    pub(crate) message: String,
    /// The status of a run that ended.
    pub(crate) status: String,
    /// Duration of a verdict or decision.
    pub(crate) duration_ms: String,
    /// A unit of that, in milliseconds.
    pub(crate) duration_unit_ms: f64,
    pub(crate) words: BTreeMap<String, EventKind>,
    /// Types that are neither read nor counted.
    pub(crate) ignore: BTreeSet<String>,
    /// Whether ids are those of a connection, and mean nothing on the next.
    pub(crate) ids_are_the_connections: bool,
    /// Whether an event on a run's own stream has to name the run, although the path does.
    pub(crate) run_id_is_required: bool,
    pub(crate) replay: Replay,
}

/// Whether a run's own stream replays earlier events, from the run's beginning or from the client's last id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    /// A line that the replay does not show is lost.
    Yes,
    /// It delivers only the events while it is open.
    No,
    /// The dialect does not say. A line that it may have shown before it was open is not taken for lost.
    Unknown,
}

impl Events {
    /// Whether streams have an event for the end of a run. A gateway may only close the run's own stream.
    pub(crate) fn has_ends(&self) -> bool {
        self.words.values().any(|kind| *kind == EventKind::End)
    }
}

/// The kind of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// A log line.
    Log,
    /// A run's end.
    End,
    /// A judge's verdict.
    Verdict,
    /// A shield's decision.
    Decision,
}

impl EventKind {
    pub(crate) const ALL: [Self; 4] = [Self::Log, Self::End, Self::Verdict, Self::Decision];

    /// The contract's word for it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::End => "end",
            Self::Verdict => "judge.verdict",
            Self::Decision => "shield.decision",
        }
    }
}

/// The standing of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// It waits.
    Waiting,
    /// It is under way.
    UnderWay,
    /// It ended in success.
    Success,
    /// It ended in failure.
    Failure,
}

/// The format and the names of the metrics.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MetricNames {
    /// Whether they are JSON, and names are pointers into it.
    pub(crate) is_json: bool,
    /// The gateway's names, by the contract's.
    pub(crate) names: BTreeMap<String, String>,
    /// Names of the contract that the gateway does not have, with the reasons.
    pub(crate) absent: BTreeMap<String, String>,
}

/// The spelling of the contract by a gateway.
#[derive(Debug, Clone, PartialEq)]
pub struct Dialect {
    /// Its name: `4runr`, or the file.
    pub(crate) name: String,
    /// Headers of every call.
    pub(crate) headers: Vec<(HeaderName, Template)>,
    pub(crate) calls: BTreeMap<CallName, Has>,
    /// The words for the standing of a run.
    pub(crate) states: BTreeMap<String, RunState>,
    /// Of the words for failure, those of a run that the safety layer refused.
    pub(crate) refused_states: BTreeSet<String>,
    pub(crate) codes: Codes,
    pub(crate) limits: Limits,
    pub(crate) events: Events,
    pub(crate) metrics: MetricNames,
    /// The file and line of each key.
    pub(crate) places: BTreeMap<String, String>,
}

impl Dialect {
    /// A call that the gateway has by itself.
    pub(crate) fn call(&self, name: CallName) -> Option<&Spec> {
        match self.calls.get(&name) {
            Some(Has::Call(spec)) => Some(spec),
            _ => None,
        }
    }

    /// The reason why the gateway has a call neither by itself nor as part of another.
    pub(crate) fn absence(&self, name: CallName) -> Option<&str> {
        match self.calls.get(&name) {
            Some(Has::Absent(why)) => Some(why),
            _ => None,
        }
    }

    /// Method and path of a call with its places, for people.
    pub(crate) fn route(&self, name: CallName) -> &str {
        self.call(name).map_or(name.name(), |spec| &spec.route)
    }

    /// The routes that differ from the contract's dialect, by its names for them.
    pub(crate) fn routes_other_than(&self, contract: &Self) -> BTreeMap<String, String> {
        let route = |of: &Self, name| Some(of.call(name)?.route.clone());
        let routes = CallName::ALL.iter().filter_map(|name| Some((route(contract, *name)?, route(self, *name)?)));
        routes.filter(|(there, here)| there != here).collect()
    }

    /// The file and line of a key, or its file where the key is missing.
    pub(crate) fn place_of(&self, key: &str) -> String {
        match self.places.get(key) {
            Some(place) if self.name != BUILT_IN_NAME && place.starts_with(&format!("{BUILT_IN_NAME}:")) => {
                format!("stands in {place}; say it in {}", self.name)
            }
            Some(place) => place.clone(),
            None => format!("nowhere yet; it belongs into {}", self.name),
        }
    }

    /// Whether a run with personal data may be refused, which protects the data as masking does.
    pub(crate) fn refuses_personal_data(&self) -> bool {
        self.call(CallName::CreateRun).is_some_and(|spec| spec.habits.refuses_personal_data)
    }

    /// Whether the gateway, and not the caller, gives runs their ids.
    pub(crate) fn gives_run_ids(&self) -> bool {
        self.call(CallName::CreateRun).is_some_and(|spec| !spec.has_place("id"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_is_written_in_milliseconds_and_in_seconds() {
        let values = chaos_fill(250, 120_000).map(|(_, value)| value.to_string());
        assert_eq!(["250", "120000", "0.25", "120"].map(str::to_owned), values);
    }

    #[test]
    fn the_word_of_a_toggle_is_that_of_the_dialect() {
        let dialect = crate::settings::built_in_dialect();
        let mut toggle = dialect.call(CallName::TogglePrivacy).unwrap().clone();
        toggle.habits.storage = ["on", "off"].map(str::to_owned);
        let written = |store_plain| toggle.storage(store_plain).map(|(_, value)| value);
        assert_eq!([json!(true), json!(false), json!("on")], written(true));
        assert_eq!([json!(false), json!(true), json!("off")], written(false));
    }
}
