//! Lives of the gateway's process: which of them ended without our asking, and whether several answer in turn.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    catalog::Phase,
    history::minutes::life,
    journal::{Finding, Incident},
};

/// Changes kept.
const CHANGES_MAX: usize = 64;
/// Lives that are known again. A process that restarts more often has other troubles.
const LIVES_MAX: usize = 256;
/// The lives of a gateway's process, as they were seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProcessInstances {
    seen: BTreeSet<u64>,
    changes: Vec<ProcessChange>,
    /// Whether one came back after another.
    are_several: bool,
}

/// The process was another than before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ProcessChange {
    pub(crate) at_ms: u64,
    pub(crate) before: String,
    pub(crate) after: String,
    /// Whether it was seen in the window of a restart that we had asked for.
    pub(crate) is_asked: bool,
}

impl ProcessInstances {
    pub(crate) fn absorb(&mut self, incident: &Incident) {
        let (before, after) = match &incident.finding {
            Finding::GatewayRestarted { before, after } => (before, after),
            Finding::OtherProcess { .. } => return self.are_several = true,
            _ => return,
        };
        if self.seen.len() < LIVES_MAX {
            self.seen.insert(life(before));
        }
        self.are_several |= self.seen.contains(&life(after));
        if self.changes.len() < CHANGES_MAX {
            let is_asked = matches!(incident.phase, Phase::RedisRestart | Phase::GatewayRestart);
            let (before, after) = (before.clone(), after.clone());
            self.changes.push(ProcessChange { at_ms: incident.at_ms, before, after, is_asked });
        }
    }

    /// Whether several processes answer in turn: one came back after another.
    pub(crate) const fn are_several(&self) -> bool {
        self.are_several
    }

    /// Those that ended out of the windows of restarts. Of several that answer in turn, nobody knows whether one has ended.
    pub(crate) fn unasked(&self) -> impl Iterator<Item = &ProcessChange> {
        self.changes.iter().filter(|change| !change.is_asked && !self.are_several)
    }
}
