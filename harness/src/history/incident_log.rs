//! The incidents for a reader to look through: of each kind the first few and the last few, and their number, step by
//! step.

use std::collections::{BTreeMap, VecDeque};

use crate::{
    catalog::Phase,
    journal::{Finding, Incident},
};

/// Of each kind so many of the first, and so many of the last.
const KEPT_MAX: usize = 12;

/// An incident in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShownIncident {
    /// Scenario milliseconds.
    pub(crate) at_ms: u64,
    pub(crate) phase: Phase,
    pub(crate) kind: &'static str,
    /// Its fields in the journal, name by name.
    pub(crate) says: String,
}

/// All incidents, heartbeats aside.
#[derive(Debug, Clone)]
pub(crate) struct IncidentLog {
    steps: usize,
    kinds: BTreeMap<&'static str, IncidentKind>,
}

#[derive(Debug, Clone)]
struct IncidentKind {
    count: u64,
    first: Vec<ShownIncident>,
    last: VecDeque<ShownIncident>,
    by_step: Vec<u16>,
}

impl IncidentLog {
    pub(crate) fn new(steps: usize) -> Self {
        Self { steps, kinds: BTreeMap::new() }
    }

    pub(crate) fn absorb(&mut self, incident: &Incident, step: usize) {
        if matches!(incident.finding, Finding::Heartbeat { .. }) {
            return;
        }
        let name = incident.finding.kind();
        let told =
            ShownIncident { at_ms: incident.at_ms, phase: incident.phase, kind: name, says: says(&incident.finding) };
        let steps = self.steps;
        let kind = self.kinds.entry(name).or_insert_with(|| IncidentKind {
            count: 0,
            first: Vec::with_capacity(KEPT_MAX),
            last: VecDeque::with_capacity(KEPT_MAX),
            by_step: vec![0; steps],
        });
        kind.count += 1;
        if let Some(n) = kind.by_step.get_mut(step) {
            *n = n.saturating_add(1);
        }
        if kind.first.len() < KEPT_MAX {
            kind.first.push(told);
            return;
        }
        if kind.last.len() == KEPT_MAX {
            kind.last.pop_front();
        }
        kind.last.push_back(told);
    }

    /// Those that are kept, in order of time.
    pub(crate) fn kept(&self) -> Vec<&ShownIncident> {
        let mut kept: Vec<&ShownIncident> =
            self.kinds.values().flat_map(|kind| kind.first.iter().chain(&kind.last)).collect();
        kept.sort_by_key(|told| told.at_ms);
        kept
    }

    /// Each kind, with how many there were.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.kinds.iter().map(|(name, kind)| (*name, kind.count))
    }

    /// How many of a kind, step by step; nothing where there were none.
    pub(crate) fn by_step(&self, kind: &str) -> &[u16] {
        self.kinds.get(kind).map_or(&[], |kind| &kind.by_step)
    }
}

/// The fields of a finding in the journal, in one line. Texts from a gateway are cut and escaped already.
fn says(finding: &Finding) -> String {
    let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(finding) else { return String::new() };
    let said = fields.iter().filter(|(name, _)| *name != "kind").map(|(name, value)| match value {
        serde_json::Value::String(text) => format!("{}: {text}", name.replace('_', " ")),
        other => format!("{}: {other}", name.replace('_', " ")),
    });
    said.collect::<Vec<_>>().join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn not_ready(at_ms: u64) -> Incident {
        Incident { at_ms, phase: Phase::Steady, finding: Finding::NotReady { answer: format!("503 at {at_ms}") } }
    }

    #[test]
    fn of_many_the_first_and_the_last_are_kept_and_all_are_counted() {
        let mut incidents = IncidentLog::new(2);
        (0..100).for_each(|n| incidents.absorb(&not_ready(n), usize::from(n >= 50)));
        let kept = incidents.kept();
        assert_eq!((24, 0, 99), (kept.len(), kept[0].at_ms, kept[23].at_ms));
        assert_eq!("answer: 503 at 0", kept[0].says);
        assert_eq!(vec![("not_ready", 100)], incidents.counts().collect::<Vec<_>>());
        assert_eq!([50, 50], incidents.by_step("not_ready"));
        assert!(incidents.by_step("fatal").is_empty());
    }
}
