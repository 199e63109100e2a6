//! Incidents by kind: how many there were, and the first few with their evidence.

use std::collections::BTreeMap;

use crate::{
    catalog::Phase,
    history::{Scope, Violation, phase_totals::named},
    journal::{Finding, Incident},
};

/// Maximum number of incidents that are kept of a kind in a phase: the first, and five more.
const KEPT_MAX: usize = 6;

/// Maximum number of routes: the contract has two dozen, and there are four phases.
const ROUTES_MAX: usize = 96;

/// The way in which an incident violates a KPI. Every sample that went wrong has a kind, so that a KPI over it needs no
/// change here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ViolationKind {
    NotReady,
    RunFailed,
    RunUnended,
    RequestFailed,
    AnswerUnread,
    EventOversized,
    SourceFailed,
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

#[derive(Debug, Clone, Default)]
pub(crate) struct Violations {
    kinds: BTreeMap<(ViolationKind, Phase), (u64, Vec<Violation>)>,
    /// The number of requests on record that went wrong.
    routes: BTreeMap<(Phase, String), u64>,
}

impl Violations {
    /// Takes in one incident; `ready` is the gateway's name for the route of readiness probes.
    pub(crate) fn absorb(&mut self, incident: &Incident, ready: &str) {
        let phase = incident.phase;
        let Some((kind, subject, answer)) = describe(&incident.finding, ready) else { return };
        let mut violation = Violation::at(incident.at_ms, phase, subject);
        violation.answer = Some(answer).filter(|answer| !answer.is_empty());
        match &incident.finding {
            Finding::RequestFailed { route, .. } => {
                let key = (phase, route.clone());
                if self.routes.len() < ROUTES_MAX || self.routes.contains_key(&key) {
                    *self.routes.entry(key).or_default() += 1;
                }
            }
            Finding::VersionNotFound { waited_ms, .. } => violation.value = Some(*waited_ms as f64 / 1_000.0),
            _ => {}
        }
        let (count, kept) = self.kinds.entry((kind, phase)).or_default();
        *count += 1;
        kept.push(violation);
        sort_and_cut(kept);
    }

    /// Routes on which requests went wrong, by phase, and how many are on record.
    pub(crate) fn routes(&self, scope: Scope) -> impl Iterator<Item = (&str, u64)> {
        let of_scope = self.routes.iter().filter(move |((phase, _), _)| scope.has(*phase));
        of_scope.map(|((_, route), count)| (route.as_str(), *count))
    }

    fn of(&self, kind: ViolationKind, scope: Scope) -> impl Iterator<Item = &(u64, Vec<Violation>)> {
        scope.phases().filter_map(move |phase| self.kinds.get(&(kind, phase)))
    }

    pub(crate) fn count(&self, kind: ViolationKind, scope: Scope) -> u64 {
        self.of(kind, scope).map(|(count, _)| count).sum()
    }

    /// The first few, in order of time.
    pub(crate) fn first(&self, kind: ViolationKind, scope: Scope) -> Vec<Violation> {
        let mut kept = self.of(kind, scope).flat_map(|(_, kept)| kept.clone()).collect();
        sort_and_cut(&mut kept);
        kept
    }
}

fn sort_and_cut(kept: &mut Vec<Violation>) {
    kept.sort_by(|a, b| a.order().cmp(&b.order()));
    kept.truncate(KEPT_MAX);
}

/// The kind of violation, its subject, and the answer.
fn describe(finding: &Finding, ready: &str) -> Option<(ViolationKind, String, String)> {
    use ViolationKind::{
        AnswerUnread, EventDuplicated, EventMissed, EventOversized, InjectionAccepted, InjectionUnclear, NewVersionCut,
        NotReady, PiiLeaked, PiiRefused, PlaintextLeaked, ReconnectFailed, RequestFailed, RunFailed, RunUnended,
        SourceFailed, StreamDropped, TamperAccepted, VersionCut, VersionLost, VersionNotFound,
    };
    let of_request = |route: &str, subject: &str| {
        if subject.is_empty() { route.to_owned() } else { format!("{route} ({})", named(subject)) }
    };
    let of_run = |run: &str| format!("run {run}");
    let of_stream = |stream: &str| format!("stream {stream}");
    let of_both = |stream: &str, run: &str| format!("stream {stream}, run {run}");
    let of_probe = |probe: &str, run: &str| format!("{probe}, run {run}");
    let of_version = |version: &str, workspace: &str| format!("{version} from workspace {workspace}");
    let quoted = |line: &str| if line.is_empty() { String::new() } else { format!(" ('{line}')") };
    let because = |why: &str| if why.is_empty() { String::new() } else { format!(": {why}") };
    let answered = |kind, subject, answer: &String| (kind, subject, answer.clone());
    Some(match finding {
        Finding::NotReady { answer } => answered(NotReady, ready.to_owned(), answer),
        Finding::RunFailed { run, answer } => answered(RunFailed, of_run(run), answer),
        Finding::RunUnended { run, answer } => answered(RunUnended, of_run(run), answer),
        Finding::RequestFailed { route, subject, answer, .. } => {
            answered(RequestFailed, of_request(route, subject), answer)
        }
        Finding::AnswerUnread { route, subject, answer } => answered(AnswerUnread, of_request(route, subject), answer),
        Finding::EventOversized { stream, bytes, beginning } => {
            (EventOversized, of_stream(stream), format!("{bytes} bytes: {beginning}"))
        }
        Finding::SourceFailed { source, answer } => answered(SourceFailed, source.clone(), answer),
        Finding::StreamDropped { stream, answer } => answered(StreamDropped, of_stream(stream), answer),
        Finding::ReconnectFailed { stream, attempt, answer } => {
            (ReconnectFailed, of_stream(stream), format!("attempt {attempt}: {answer}"))
        }
        Finding::EventDuplicated { stream, run, id, same_id, line, why } => {
            let how = if *same_id { "again under the same id" } else { "again under a new id" };
            (EventDuplicated, of_both(stream, run), format!("event {id}{} {how}{}", quoted(line), because(why)))
        }
        Finding::EventMissed { stream, run, id, seen_by, line, why } => {
            let seen = match seen_by {
                0 if !why.is_empty() => why.clone(),
                0 => format!("the run has the log line '{id}', and the stream did not show it"),
                _ => format!("event {id}{} was seen by {seen_by} other clients{}", quoted(line), because(why)),
            };
            (EventMissed, of_both(stream, run), seen)
        }
        Finding::VersionNotFound { version, answer, .. } => answered(VersionNotFound, version.clone(), answer),
        Finding::VersionLost { version, workspace, answer } => {
            answered(VersionLost, of_version(version, workspace), answer)
        }
        Finding::SearchCut { version, is_new, workspace, why, .. } => {
            let kind = if *is_new { NewVersionCut } else { VersionCut };
            answered(kind, of_version(version, workspace), why)
        }
        Finding::TamperAccepted { version, answer } => answered(TamperAccepted, version.clone(), answer),
        Finding::InjectionAccepted { probe, run, answer } => answered(InjectionAccepted, of_probe(probe, run), answer),
        Finding::InjectionUnclear { probe, run, answer } => answered(InjectionUnclear, of_probe(probe, run), answer),
        Finding::PiiRefused { probe, answer } => answered(PiiRefused, probe.clone(), answer),
        Finding::PiiLeaked { probe, run, place } => (PiiLeaked, of_probe(probe, run), format!("shown in {place}")),
        Finding::PlaintextLeaked { run, place } => (PlaintextLeaked, of_run(run), format!("shown in {place}")),
        _ => return None,
    })
}
