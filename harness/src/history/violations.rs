//! Incidents by kind: how many there were, and the first few with their evidence.

use std::collections::BTreeMap;

use crate::{
    catalog::Phase,
    history::{
        Scope, Violation,
        phase_totals::{named, order},
    },
    journal::{Finding, Incident},
};

/// Incidents kept of a kind in a phase: the first, and five more.
const KEPT_MAX: usize = 6;

/// Routes kept: the contract has two dozen, and there are four phases.
const ROUTES_MAX: usize = 96;

/// The way in which an incident violates a KPI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ViolationKind {
    NotReady,
    RunFailed,
    RunUnended,
    RequestFailed,
    StreamDropped,
    ReconnectFailed,
    EventDuplicated,
    EventMissed,
    VersionNotFound,
    VersionLost,
    /// A new version, or an earlier one, that a search did not show because it did not show all.
    NewVersionCut,
    VersionCut,
    TamperAccepted,
    InjectionAccepted,
    InjectionUnclear,
    PiiRefused,
    PiiLeaked,
    PlaintextLeaked,
}

/// The incidents of a soak that speak against a KPI.
#[derive(Debug, Clone, Default)]
pub(crate) struct Violations {
    kinds: BTreeMap<(ViolationKind, Phase), (u64, Vec<Violation>)>,
    /// Requests that went wrong, of those on record.
    routes: BTreeMap<(Phase, String), u64>,
}

impl Violations {
    /// Takes in one; `ready` is the route that says whether the gateway is.
    pub(crate) fn absorb(&mut self, incident: &Incident, ready: &str) {
        let Some((offence, subject, answer, value)) = offence(&incident.finding, ready) else { return };
        let answer = Some(answer).filter(|answer| !answer.is_empty());
        let (at_ms, phase) = (incident.at_ms, incident.phase);
        if let Finding::RequestFailed { route, .. } = &incident.finding {
            self.absorb_route(route, phase);
        }
        let (count, kept) = self.kinds.entry((offence, phase)).or_default();
        *count += 1;
        kept.push(Violation { at_ms, phase, subject, value, answer });
        kept.sort_by(|a, b| order(a).cmp(&order(b)));
        kept.truncate(KEPT_MAX);
    }

    fn absorb_route(&mut self, route: &str, phase: Phase) {
        let key = (phase, route.to_owned());
        if self.routes.len() < ROUTES_MAX || self.routes.contains_key(&key) {
            *self.routes.entry(key).or_default() += 1;
        }
    }

    /// Routes on which requests went wrong, by phase, and how many are on record.
    pub(crate) fn routes(&self, scope: Scope) -> impl Iterator<Item = (&str, u64)> {
        let of_scope = self.routes.iter().filter(move |((phase, _), _)| scope.has(*phase));
        of_scope.map(|((_, route), count)| (route.as_str(), *count))
    }

    pub(crate) fn count(&self, offence: ViolationKind, scope: Scope) -> u64 {
        scope.phases().filter_map(|phase| self.kinds.get(&(offence, phase))).map(|(count, _)| count).sum()
    }

    /// The first in a phase.
    pub(crate) fn first_in(&self, offence: ViolationKind, phase: Phase) -> Option<&Violation> {
        self.kinds.get(&(offence, phase)).and_then(|(_, kept)| kept.first())
    }

    /// The first few, in order of time.
    pub(crate) fn first(&self, offence: ViolationKind, scope: Scope) -> Vec<Violation> {
        let kept = scope.phases().filter_map(|phase| self.kinds.get(&(offence, phase)));
        let mut kept: Vec<Violation> = kept.flat_map(|(_, kept)| kept.clone()).collect();
        kept.sort_by(|a, b| order(a).cmp(&order(b)));
        kept.truncate(KEPT_MAX);
        kept
    }
}

/// The offence, whose it is, what was answered, and the value where it has one.
fn offence(finding: &Finding, ready: &str) -> Option<(ViolationKind, String, String, Option<f64>)> {
    let of_answer = |offence, subject: String, answer: &str| Some((offence, subject, answer.to_owned(), None));
    match finding {
        Finding::NotReady { answer } => of_answer(ViolationKind::NotReady, ready.into(), answer),
        Finding::RunFailed { run, answer } => of_answer(ViolationKind::RunFailed, run_named(run), answer),
        Finding::RunUnended { run, answer } => of_answer(ViolationKind::RunUnended, run_named(run), answer),
        Finding::RequestFailed { route, subject, answer, .. } => {
            let about = if subject.is_empty() { route.clone() } else { format!("{route} ({})", named(subject)) };
            of_answer(ViolationKind::RequestFailed, about, answer)
        }
        Finding::StreamDropped { stream, answer } => {
            of_answer(ViolationKind::StreamDropped, stream_named(stream), answer)
        }
        Finding::ReconnectFailed { stream, attempt, answer } => {
            of_answer(ViolationKind::ReconnectFailed, stream_named(stream), &format!("attempt {attempt}: {answer}"))
        }
        Finding::EventDuplicated { stream, run, id, same_id, line, why } => {
            let how = if *same_id { "again under the same id" } else { "again under a new id" };
            let text = format!("event {id}{} {how}{}", quoted(line), because(why));
            of_answer(ViolationKind::EventDuplicated, of_stream(run, stream), &text)
        }
        Finding::EventMissed { stream, run, id, seen_by, line, why } => {
            let seen = match seen_by {
                0 if !why.is_empty() => why.clone(),
                0 => format!("the run has the log line '{id}', and the stream did not show it"),
                _ => format!("event {id}{} was seen by {seen_by} other clients{}", quoted(line), because(why)),
            };
            of_answer(ViolationKind::EventMissed, of_stream(run, stream), &seen)
        }
        Finding::VersionNotFound { version, waited_ms, answer } => {
            let waited_seconds = *waited_ms as f64 / 1_000.0;
            Some((ViolationKind::VersionNotFound, version.clone(), answer.clone(), Some(waited_seconds)))
        }
        Finding::VersionLost { version, workspace, answer } => {
            of_answer(ViolationKind::VersionLost, format!("{version} from workspace {workspace}"), answer)
        }
        Finding::SearchCut { version, is_new, workspace, why, .. } => {
            let offence = if *is_new { ViolationKind::NewVersionCut } else { ViolationKind::VersionCut };
            of_answer(offence, format!("{version} from workspace {workspace}"), why)
        }
        Finding::TamperAccepted { version, answer } => {
            of_answer(ViolationKind::TamperAccepted, version.clone(), answer)
        }
        Finding::InjectionAccepted { probe, run, answer } => {
            of_answer(ViolationKind::InjectionAccepted, format!("{probe}, {}", run_named(run)), answer)
        }
        Finding::InjectionUnclear { probe, run, answer } => {
            of_answer(ViolationKind::InjectionUnclear, format!("{probe}, {}", run_named(run)), answer)
        }
        Finding::PiiRefused { probe, answer } => of_answer(ViolationKind::PiiRefused, probe.clone(), answer),
        Finding::PiiLeaked { probe, run, place } => {
            of_answer(ViolationKind::PiiLeaked, format!("{probe}, {}", run_named(run)), &format!("shown in {place}"))
        }
        Finding::PlaintextLeaked { run, place } => {
            of_answer(ViolationKind::PlaintextLeaked, run_named(run), &format!("shown in {place}"))
        }
        _ => None,
    }
}

/// A line behind the id of its event.
fn quoted(line: &str) -> String {
    if line.is_empty() { String::new() } else { format!(" ('{line}')") }
}

fn because(why: &str) -> String {
    if why.is_empty() { String::new() } else { format!(": {why}") }
}

fn run_named(run: &str) -> String {
    format!("run {run}")
}

fn stream_named(stream: &str) -> String {
    format!("stream {stream}")
}

fn of_stream(run: &str, stream: &str) -> String {
    format!("{}, {}", stream_named(stream), run_named(run))
}
