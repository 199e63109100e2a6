//! Lives of the gateway's process: which of them ended without our asking, and whether several answer in turn.

use std::collections::BTreeSet;

use super::{conclude::Findings, floors::life};
use crate::{
    journal::{Finding, Incident},
    plan::{Phase, moment},
};

/// Changes kept.
const CHANGES_MAX: usize = 64;
/// Lives that are known again. A process that restarts more often has other troubles.
const LIVES_MAX: usize = 256;
/// Changes that a note tells one by one.
const TOLD_MAX: usize = 2;
/// A process that ended so shortly before or after something went wrong has to do with it, scenario milliseconds: one is
/// looked for every ten seconds, and what it did may have been felt first.
const NEAR_MS: u64 = 2 * 60_000;

/// The lives of a gateway's process, as they were seen.
#[derive(Debug, Clone, Default)]
pub(super) struct Lives {
    seen: BTreeSet<u64>,
    changes: Vec<Change>,
    /// Whether one came back after another.
    are_several: bool,
}

/// The process was another than before.
#[derive(Debug, Clone)]
struct Change {
    at_ms: u64,
    before: String,
    after: String,
    /// Whether it was seen in the window of a restart that we had asked for.
    is_asked: bool,
}

impl Lives {
    pub(super) fn absorb(&mut self, incident: &Incident) {
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
            self.changes.push(Change { at_ms: incident.at_ms, before, after, is_asked });
        }
    }

    /// Whether several processes answer in turn: one came back after another.
    pub(super) const fn are_several(&self) -> bool {
        self.are_several
    }

    /// Those that ended out of the windows of restarts. Of several that answer in turn, nobody knows whether one has ended.
    fn unasked(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| !change.is_asked && !self.are_several)
    }

    /// Says which lives ended without our asking; all of them, or those around a moment.
    pub(super) fn tell(&self, found: &mut Findings, around_ms: Option<u64>) {
        let is_near = |change: &&Change| around_ms.is_none_or(|at_ms| change.at_ms.abs_diff(at_ms) <= NEAR_MS);
        let ended: Vec<&Change> = self.unasked().filter(is_near).collect();
        if ended.is_empty() {
            return;
        }
        let told = |change: &&Change| format!("{}: {}, before: {}", moment(change.at_ms), change.after, change.before);
        let told: Vec<String> = ended.iter().take(TOLD_MAX).map(told).collect();
        let more = ended.len() - told.len();
        let more = if more == 0 { String::new() } else { format!("; and {more} more") };
        let told = told.join("; ");
        found
            .evidence
            .notes
            .push(format!("the gateway's process was another, and no chaos had asked for it: {told}{more}"));
    }
}
