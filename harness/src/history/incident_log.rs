//! The incidents for a reader: of each kind the first few and the last few, and their number, step by step.

use std::collections::{BTreeMap, VecDeque};

use crate::{
    catalog::Phase,
    journal::{Finding, Incident},
};

/// Maximum number of the first incidents of a kind, and of the last.
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

#[derive(Debug, Clone, Default)]
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
        let Incident { at_ms, phase, ref finding } = *incident;
        let shown = ShownIncident { at_ms, phase, kind: name, says: says(finding) };
        let steps = self.steps;
        let kind = self.kinds.entry(name);
        let kind = kind.or_insert_with(|| IncidentKind { by_step: vec![0; steps], ..IncidentKind::default() });
        kind.count += 1;
        if let Some(n) = kind.by_step.get_mut(step) {
            *n = n.saturating_add(1);
        }
        if kind.first.len() < KEPT_MAX {
            kind.first.push(shown);
            return;
        }
        if kind.last.len() == KEPT_MAX {
            kind.last.pop_front();
        }
        kind.last.push_back(shown);
    }

    /// The first and the last incidents of all kinds, in order of time.
    pub(crate) fn kept(&self) -> Vec<&ShownIncident> {
        let mut kept: Vec<_> = self.kinds.values().flat_map(|kind| kind.first.iter().chain(&kind.last)).collect();
        kept.sort_by_key(|shown| shown.at_ms);
        kept
    }

    pub(crate) fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.kinds.iter().map(|(name, kind)| (*name, kind.count))
    }

    /// The number of incidents of a kind, step by step; empty where there were none.
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
