//! The gateway's processes: lives that ended without a request of S2, processes that answer in turn, and readings.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    catalog::Phase,
    history::minutes::life,
    journal::{Finding, Incident},
};

const CHANGES_MAX: usize = 64;
const READINGS_MAX: usize = 4;
/// Maximum number of lives that are recognised. A process that restarts more often has other troubles.
const LIVES_MAX: usize = 256;

#[derive(Debug, Clone, Default)]
pub(crate) struct ProcessInstances {
    seen: BTreeSet<u64>,
    changes: Vec<ProcessChange>,
    /// Whether one came back after another.
    are_several: bool,
    /// The first few readings, in words.
    pub(crate) read: Vec<String>,
    /// The processes that answered `/metrics` in turn.
    pub(crate) answering: Option<AnsweringProcesses>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct AnsweringProcesses {
    pub(crate) most: u32,
    /// When their number changed last.
    pub(crate) changed_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ProcessChange {
    pub(crate) at_ms: u64,
    pub(crate) before: String,
    pub(crate) after: String,
    /// Whether it was in the window of a restart that S2 requested.
    pub(crate) is_asked: bool,
}

impl ProcessInstances {
    pub(crate) fn absorb(&mut self, incident: &Incident) {
        let (before, after) = match &incident.finding {
            Finding::GatewayRestarted { before, after } => (before, after),
            Finding::OtherProcess { .. } => return self.are_several = true,
            Finding::SeveralAnswer { processes } => {
                let most = self.answering.map_or(0, |answering| answering.most).max(*processes);
                self.answering = Some(AnsweringProcesses { most, changed_ms: incident.at_ms });
                return;
            }
            Finding::ProcessesRead { root, how } => {
                let reading = format!("{root}: {how}");
                if self.read.len() < READINGS_MAX && !self.read.contains(&reading) {
                    self.read.push(reading);
                }
                return;
            }
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

    /// Changes out of the windows of restarts. Where several answer in turn, a change does not show that one has ended.
    pub(crate) fn unasked(&self) -> impl Iterator<Item = &ProcessChange> {
        self.changes.iter().filter(|change| !change.is_asked && !self.are_several)
    }
}
