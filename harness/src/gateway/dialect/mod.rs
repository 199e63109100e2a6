//! How a gateway spells the contract: its paths, bodies and words, as a file says them.
//!
//! The contract itself is the built-in dialect `4runr`. What a gateway does not have at all is said here too, with why, so
//! that what needs it is waived and not silently green. Reading such a file is the settings' business.

mod codes;
mod fills;
mod limits;
mod registry;
mod template;
mod unsupported;

use std::collections::{BTreeMap, BTreeSet};

use http::{HeaderName, Method};
use serde_json::Value;

pub use codes::{CodeSays, Codes};
pub use fills::chaos_fill;
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
    /// GET, POST, …
    pub method: Method,
    /// Its path and query.
    pub path: Template,
    /// Headers of its own, beyond those of every call.
    pub headers: Vec<(HeaderName, Template)>,
    /// The body of the request, if there is one.
    pub body: Option<Value>,
    /// Statuses that mean that all is well.
    pub yes: Vec<u16>,
    /// Statuses of what the gateway is right not to accept.
    pub refused: Vec<u16>,
    /// Statuses that ask to come again a moment later.
    pub wait: Vec<u16>,
    /// Where things are in its answer.
    pub pointers: BTreeMap<&'static str, String>,
    /// Method and path, with its places: what is shown to people.
    pub route: String,
    /// Habits that only some calls have.
    pub habits: Habits,
}

impl Spec {
    /// Returns the value that a pointer of the answer leads to. A pointer that the dialect does not have leads nowhere.
    #[must_use]
    pub fn find<'a>(&self, pointer: &str, answer: &'a Value) -> Option<&'a Value> {
        answer.pointer(self.pointers.get(pointer)?)
    }
}

/// Habits that only some calls have; at the others they are the default, and mean nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Habits {
    /// Of publishing: how versions are written.
    pub version_form: VersionForm,
    /// Of a search: how its hits are divided into pages.
    pub paging: Paging,
    /// Of the privacy toggle: its words for runs that are stored as they are, and as a hash only.
    pub storage: [String; 2],
    /// Of creating a run: personal data may be refused, too, instead of being masked.
    pub refuses_personal_data: bool,
}

/// Knowledge about a call: whether and how the gateway has it.
#[derive(Debug, Clone, PartialEq)]
pub enum Has {
    /// The gateway has it.
    Call(Box<Spec>),
    /// It is done by another: a run that is created is under way.
    PartOf(CallName),
    /// It has none: why.
    Absent(String),
}

/// Where things are in the data of an event, and the words for what it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Events {
    /// Where its type stands; else it is the stream's `event:`.
    pub kind: String,
    /// The run that it is about.
    pub run_id: String,
    /// The gateway's time of it.
    pub timestamp: String,
    /// Where an event carries several log lines: the array of them. Empty: an event is a line.
    pub lines: String,
    /// Text of a log line.
    pub message: String,
    /// How a run ended.
    pub status: String,
    /// Duration of a verdict or decision.
    pub duration_ms: String,
    /// A unit of that, in milliseconds.
    pub duration_unit_ms: f64,
    /// Types that are a log line, a run's end, a judge's verdict, a shield's decision.
    pub words: BTreeMap<String, EventKind>,
    /// Types that are neither read nor counted.
    pub ignore: BTreeSet<String>,
    /// Whether ids are those of a connection, and mean nothing on the next.
    pub ids_are_the_connections: bool,
    /// Whether an event on a run's own stream has to name the run, although the path does.
    pub run_id_is_required: bool,
    /// Whether a run's own stream shows what happened while it was not open.
    pub replay: Replay,
}

/// Whether a run's own stream shows what happened while it was not open: from the run's beginning, or from the last id
/// that the client has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    /// It does. A line that it lacks is lost.
    Yes,
    /// It delivers only what happens while it is open.
    No,
    /// Nobody said so. A line that it may have shown before it was open is not taken for lost.
    Unknown,
}

impl Events {
    /// Whether streams tell the end of a run. A gateway may only close the run's own stream.
    #[must_use]
    pub fn has_ends(&self) -> bool {
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
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Log, Self::End, Self::Verdict, Self::Decision];

    /// The contract's word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::End => "end",
            Self::Verdict => "judge.verdict",
            Self::Decision => "shield.decision",
        }
    }
}

/// Where a run can stand.
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
    pub is_json: bool,
    /// The gateway's name for each of the contract's.
    pub names: BTreeMap<String, String>,
    /// Names of the contract that the gateway does not have, and why.
    pub absent: BTreeMap<String, String>,
}

/// How a gateway spells the contract.
#[derive(Debug, Clone, PartialEq)]
pub struct Dialect {
    /// Its name: `4runr`, or the file.
    pub name: String,
    /// Headers of every call.
    pub headers: Vec<(HeaderName, Template)>,
    /// Every call of the contract.
    pub calls: BTreeMap<CallName, Has>,
    /// The words for where a run stands.
    pub states: BTreeMap<String, RunState>,
    /// Of the words for failure, those of a run that the safety layer refused.
    pub refused_states: BTreeSet<String>,
    /// Codes in answers.
    pub codes: Codes,
    /// Limits of the gateway in matters that the contract leaves open.
    pub limits: Limits,
    /// Events of streams.
    pub events: Events,
    /// Metrics.
    pub metrics: MetricNames,
    /// On which line of which file each key stands.
    pub places: BTreeMap<String, String>,
}

impl Dialect {
    /// A call, where the gateway has it as one of its own.
    #[must_use]
    pub fn call(&self, name: CallName) -> Option<&Spec> {
        match self.calls.get(&name) {
            Some(Has::Call(spec)) => Some(spec),
            _ => None,
        }
    }

    /// Why the gateway does not have a call; `None` where it has, by itself or as part of another.
    #[must_use]
    pub fn absence(&self, name: CallName) -> Option<&str> {
        match self.calls.get(&name) {
            Some(Has::Absent(why)) => Some(why),
            _ => None,
        }
    }

    /// Method and path of a call with its places, as people are shown them.
    #[must_use]
    pub fn route(&self, name: CallName) -> &str {
        self.call(name).map_or(name.name(), |spec| &spec.route)
    }

    /// The routes that the contract's dialect calls otherwise: what it calls them, and what they are called here.
    #[must_use]
    pub fn routes_other_than(&self, contract: &Self) -> BTreeMap<String, String> {
        let routes =
            CallName::ALL.iter().filter_map(|name| Some((&contract.call(*name)?.route, &self.call(*name)?.route)));
        routes.filter(|(there, here)| there != here).map(|(there, here)| (there.clone(), here.clone())).collect()
    }

    /// On which line of which file a key stands, or where it would.
    #[must_use]
    pub fn place_of(&self, key: &str) -> String {
        match self.places.get(key) {
            Some(place) if self.name != BUILT_IN_NAME && place.starts_with(&format!("{BUILT_IN_NAME}:")) => {
                format!("stands in {place}; say it in {}", self.name)
            }
            Some(place) => place.clone(),
            None => format!("nowhere yet; it belongs into {}", self.name),
        }
    }

    /// Whether a run with personal data may be refused, which protects the data as well as masking it.
    #[must_use]
    pub fn refuses_personal_data(&self) -> bool {
        self.call(CallName::CreateRun).is_some_and(|spec| spec.habits.refuses_personal_data)
    }

    /// Whether a run's id is the gateway's word, and not ours.
    #[must_use]
    pub fn gives_run_ids(&self) -> bool {
        self.call(CallName::CreateRun).is_some_and(|spec| !spec.has_place("id"))
    }
}

impl Spec {
    /// Whether its path or body has such a place.
    #[must_use]
    pub fn has_place(&self, place: &str) -> bool {
        let in_body = || self.body.iter().flat_map(places_of_json).any(|word| word == place);
        self.path.places().any(|word| word == place) || in_body()
    }
}
