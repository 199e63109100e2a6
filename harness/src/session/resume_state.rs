//! What the sessions that played before this one, and died, have left on record of what is still to be played.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    catalog::{Chaos, Workload},
    history::{ChaosRecord, History},
    journal::Cycles,
};

/// The past of a session; an empty one where it is the first.
#[derive(Debug, Default)]
pub struct ResumeState {
    /// Which life of the session this is, from 0.
    pub life: u32,
    /// Which life of the gateway was seen last.
    pub(super) gateway_life: Option<String>,
    cycles: BTreeMap<Workload, Cycles>,
    heartbeats: BTreeSet<u64>,
    versions: BTreeMap<usize, String>,
    chaos: BTreeMap<Chaos, ResumedChaos>,
    last_ids: BTreeMap<String, String>,
}

/// How far a chaos event had come.
#[derive(Debug, Clone, Default)]
pub struct ResumedChaos {
    /// When the gateway said yes, scenario milliseconds.
    pub injected_ms: Option<u64>,
    /// The round trips before it, where they were measured.
    pub fastest_us: Option<Vec<Option<u64>>>,
    /// Its effect was seen.
    pub is_seen: bool,
    /// When it was known how it ended, scenario milliseconds.
    pub over_ms: Option<u64>,
}

impl ResumedChaos {
    fn of(record: &ChaosRecord) -> Self {
        Self {
            injected_ms: record.accepted_ms,
            fastest_us: record.fastest_us.clone(),
            is_seen: record.seen.as_ref().is_some_and(|(_, is_effective, _)| *is_effective),
            over_ms: record.over_ms,
        }
    }
}

impl ResumeState {
    /// What a history leaves to be played, with the last ids of streams by the last checkpoint.
    pub(super) fn of(history: &History, last_ids: BTreeMap<String, String>) -> Self {
        let timeline = &history.timeline;
        let came = |(due_ms, came_ms): (&u64, &Option<u64>)| came_ms.map(|_| *due_ms);
        let cycles = history.totals.cycles.keys().map(|workload| (*workload, history.cycles(*workload)));
        Self {
            life: timeline.hole_count,
            gateway_life: timeline.gateway_life.clone(),
            cycles: cycles.collect(),
            heartbeats: timeline.heartbeats.iter().filter_map(came).collect(),
            versions: timeline.versions.clone(),
            chaos: timeline.chaos.iter().map(|(chaos, record)| (*chaos, ResumedChaos::of(record))).collect(),
            last_ids,
        }
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
    pub fn chaos(&self, chaos: Chaos) -> ResumedChaos {
        self.chaos.get(&chaos).cloned().unwrap_or_default()
    }

    /// The chaos whose window is open at a scenario moment, and whether the gateway may still be down by it.
    #[must_use]
    pub fn window(&self, now_ms: u64, settle_ms: u64) -> Option<(Chaos, bool)> {
        let is_open =
            |resumed: &ResumedChaos| resumed.over_ms.is_none_or(|over_ms| now_ms < over_ms.saturating_add(settle_ms));
        let injected = self.chaos.iter().filter(|(_, resumed)| resumed.injected_ms.is_some() && is_open(resumed));
        let (chaos, resumed) = injected.max_by_key(|(_, resumed)| resumed.injected_ms)?;
        Some((*chaos, resumed.over_ms.is_none() && *chaos != Chaos::Latency))
    }

    /// The last id that a stream gave to the session before.
    #[must_use]
    pub fn last_id(&self, stream: &str) -> Option<&str> {
        self.last_ids.get(stream).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{catalog::Suite, journal::Finding, judge::fixtures::soak::Soak};

    #[test]
    fn each_hole_is_a_life_and_ends_where_the_next_one_measures() {
        let mut soak = Soak::healthy(Suite::Full).cut_at(40 * 60_000);
        let lives_and_reach = |soak: &Soak| {
            let history = soak.history();
            (ResumeState::of(&history, BTreeMap::new()).life, history.timeline.measured_to_ms)
        };
        assert_eq!((0, 40 * 60_000), lives_and_reach(&soak));
        let started = ResumeState::of(&soak.history(), BTreeMap::new()).started(Workload::Runs);
        for (n, to_minute) in [(1, 42), (2, 45)] {
            let why = "the session's process died".to_owned();
            let (from_ms, to_ms) = ((to_minute - 1) * 60_000, to_minute * 60_000);
            let cut = BTreeMap::from([(Workload::Runs, 2)]);
            soak.happens(to_ms, Finding::Hole { from_ms, to_ms, why, cut });
            assert_eq!((n, to_ms), lives_and_reach(&soak));
        }
        let resumed = ResumeState::of(&soak.history(), BTreeMap::new());
        assert!(resumed.is_there() && resumed.has_beaten(5 * 60_000) && !resumed.has_beaten(60 * 60_000));
        // What was finished stays finished, whatever was cut.
        assert_eq!(started, resumed.started(Workload::Runs));
    }
}
