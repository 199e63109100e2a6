//! What the sessions that played before this one, and died, have left on record of what is still to be played.

use std::collections::{BTreeMap, BTreeSet};

use super::checkpoint::Checkpoint;
use crate::{
    catalog::{Chaos, Workload},
    journal::{Cycles, Finding, Incident, Record},
};

/// The past of a session; an empty one where it is the first.
#[derive(Debug, Default)]
pub struct Past {
    /// Which life of the session this is, from 0.
    pub life: u32,
    /// How far the record reaches, scenario milliseconds.
    pub(super) measured_to_ms: u64,
    /// Which life of the gateway was seen last.
    pub(super) gateway_life: Option<String>,
    cycles: BTreeMap<Workload, Cycles>,
    heartbeats: BTreeSet<u64>,
    versions: BTreeMap<usize, String>,
    chaos: BTreeMap<Chaos, PastChaos>,
    last_ids: BTreeMap<String, String>,
}

/// How far a chaos event had come.
#[derive(Debug, Clone, Default)]
pub struct PastChaos {
    /// When the gateway said yes, scenario milliseconds.
    pub injected_ms: Option<u64>,
    /// The round trips before it, where they were measured.
    pub fastest_us: Option<Vec<Option<u64>>>,
    /// Its effect was seen.
    pub is_seen: bool,
    /// When it was known how it ended, scenario milliseconds.
    pub over_ms: Option<u64>,
}

impl Past {
    /// Takes in a record of the journal.
    pub(super) fn absorb(&mut self, record: &Record) {
        match record {
            Record::Interval(interval) => {
                self.measured_to_ms = self.measured_to_ms.max(interval.to_ms);
                self.gateway_life = interval.gateway_life.clone().or(self.gateway_life.take());
                for (workload, cycles) in &interval.cycles {
                    let sum = self.cycles.entry(*workload).or_default();
                    sum.started = sum.started.saturating_add(cycles.started);
                    sum.finished = sum.finished.saturating_add(cycles.finished);
                }
            }
            Record::Incident(incident) => self.absorb_incident(incident),
            Record::Header(_) | Record::End(_) => {}
        }
    }

    fn absorb_incident(&mut self, incident: &Incident) {
        let at_ms = incident.at_ms;
        match &incident.finding {
            Finding::Heartbeat { due_ms, .. } => drop(self.heartbeats.insert(*due_ms)),
            Finding::VersionFound { pulse, version } => drop(self.versions.insert(*pulse as usize, version.clone())),
            Finding::RoundTripsBefore { chaos, fastest_us } => {
                self.chaos.entry(*chaos).or_default().fastest_us = Some(fastest_us.clone());
            }
            Finding::ChaosInjected { chaos, accepted: true, .. } => {
                self.chaos.entry(*chaos).or_default().injected_ms = Some(at_ms);
            }
            Finding::ChaosSeen { chaos, effective: true, .. } => {
                self.chaos.entry(*chaos).or_default().is_seen = true;
            }
            Finding::ChaosRecovered { chaos, .. } | Finding::ChaosNotRecovered { chaos, .. } => {
                self.chaos.entry(*chaos).or_default().over_ms = Some(at_ms);
            }
            Finding::Hole { to_ms, cut, .. } => {
                self.life += 1;
                self.measured_to_ms = self.measured_to_ms.max(*to_ms);
                for (workload, cut) in cut {
                    let cycles = self.cycles.entry(*workload).or_default();
                    cycles.started = cycles.started.saturating_sub(*cut);
                }
            }
            _ => {}
        }
    }

    /// Takes in the last checkpoint's ids.
    pub(super) fn resume_from(&mut self, checkpoint: &mut Checkpoint) {
        self.last_ids = std::mem::take(&mut checkpoint.last_ids);
    }

    /// Cycles that were begun and not finished: nobody will finish them.
    pub(super) fn cut(&self) -> BTreeMap<Workload, u64> {
        let cut = |cycles: &Cycles| cycles.started.saturating_sub(cycles.finished);
        self.cycles.iter().map(|(workload, cycles)| (*workload, cut(cycles))).filter(|(_, cut)| *cut > 0).collect()
    }

    /// Whether this session took over from another.
    #[must_use]
    pub const fn is_there(&self) -> bool {
        self.life > 0
    }

    /// Cycles of a workload that were played to their end: with the one after, it goes on. Of cycles side by side others
    /// than the last may be those that were not finished; as many are played.
    #[must_use]
    pub fn finished(&self, workload: Workload) -> usize {
        let finished = self.cycles.get(&workload).map_or(0, |cycles| cycles.finished);
        usize::try_from(finished).unwrap_or(usize::MAX)
    }

    /// Cycles of a workload that were begun, finished or not.
    #[must_use]
    pub fn started(&self, workload: Workload) -> usize {
        let started = self.cycles.get(&workload).map_or(0, |cycles| cycles.started.max(cycles.finished));
        usize::try_from(started).unwrap_or(usize::MAX)
    }

    /// Whether a heartbeat came.
    #[must_use]
    pub fn has_beaten(&self, due_ms: u64) -> bool {
        self.heartbeats.contains(&due_ms)
    }

    /// Versions that were found, by the number of their pulse.
    #[must_use]
    pub const fn versions(&self) -> &BTreeMap<usize, String> {
        &self.versions
    }

    /// How far a chaos event had come.
    #[must_use]
    pub fn chaos(&self, chaos: Chaos) -> PastChaos {
        self.chaos.get(&chaos).cloned().unwrap_or_default()
    }

    /// The chaos whose window is open at a scenario moment, and whether the gateway may still be down by it.
    #[must_use]
    pub fn window(&self, now_ms: u64, settle_ms: u64) -> Option<(Chaos, bool)> {
        let is_open = |past: &PastChaos| past.over_ms.is_none_or(|over_ms| now_ms < over_ms.saturating_add(settle_ms));
        let injected = self.chaos.iter().filter(|(_, past)| past.injected_ms.is_some() && is_open(past));
        let (chaos, past) = injected.max_by_key(|(_, past)| past.injected_ms)?;
        Some((*chaos, past.over_ms.is_none() && *chaos != Chaos::Latency))
    }

    /// The last id that a stream gave to the session before.
    #[must_use]
    pub fn last_id(&self, stream: &str) -> Option<&str> {
        self.last_ids.get(stream).map(String::as_str)
    }
}
