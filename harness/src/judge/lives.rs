//! Lives of the gateway's process: which of them ended without our asking, and whether several answer in turn.

use std::{collections::BTreeSet, ops::RangeInclusive};

use super::{conclude::Findings, floors::life};
use crate::{
    catalog::{Kpi, Phase, RestartEffect},
    journal::{Finding, Incident},
    plan::moment,
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

    /// Says which lives ended without our asking, of those that may be why the KPI is as it was found.
    pub(super) fn tell(&self, found: &mut Findings, kpi: Kpi) {
        let first_ms = found.evidence.first.as_ref().map(|first| first.at_ms);
        let Some(when_ms) = may_be_why(kpi, first_ms) else { return };
        let ended: Vec<&Change> = self.unasked().filter(|change| when_ms.contains(&change.at_ms)).collect();
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

/// When a life ended that may be why something went wrong first at a moment.
fn may_be_why(kpi: Kpi, first_ms: Option<u64>) -> Option<RangeInclusive<u64>> {
    let around = |first_ms: u64| first_ms.saturating_sub(NEAR_MS)..=first_ms.saturating_add(NEAR_MS);
    match kpi.spec().restarts {
        RestartEffect::Always => Some(0..=u64::MAX),
        RestartEffect::Later => Some(0..=*around(first_ms?).end()),
        RestartEffect::Near => first_ms.map(around),
    }
}
