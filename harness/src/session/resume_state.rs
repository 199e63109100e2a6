//! Records of earlier sessions, which died, about the part of the plan that is still to be played.

use std::collections::BTreeMap;

use crate::{
    catalog::{Chaos, Workload},
    history::{ChaosRecord, History, Timeline},
    journal::Cycles,
};

/// The past of a session; an empty one where it is the first.
#[derive(Debug, Default)]
pub struct ResumeState {
    /// Events of the soak so far. Each hole in it is a life of the session that ended.
    pub(crate) timeline: Timeline,
    cycles: BTreeMap<Workload, Cycles>,
    /// The last id that each stream gave to the session before, by the stream's name.
    pub(super) last_ids: BTreeMap<String, String>,
}

impl ResumeState {
    /// Reads from a history the part that is still to be played. The last ids of streams come from the last checkpoint.
    pub(super) fn of(history: &History, last_ids: BTreeMap<String, String>) -> Self {
        let cycles = history.totals.cycles.keys().map(|workload| (*workload, history.cycles(*workload)));
        Self { timeline: history.timeline.clone(), cycles: cycles.collect(), last_ids }
    }

    /// Which life of the session this is, from 0.
    pub(super) const fn life(&self) -> u32 {
        self.timeline.hole_count
    }

    /// Whether this session took over from another.
    pub const fn is_there(&self) -> bool {
        self.life() > 0
    }

    /// The number of cycles of a workload that were played to their end. It goes on after as many, even if some overlap.
    pub fn finished(&self, workload: Workload) -> usize {
        self.cycles.get(&workload).map_or(0, |cycles| cycles.finished as usize)
    }

    /// The number of cycles of a workload that were begun, finished or not.
    pub fn started(&self, workload: Workload) -> usize {
        self.cycles.get(&workload).map_or(0, |cycles| cycles.started.max(cycles.finished) as usize)
    }

    /// Whether a heartbeat came.
    pub fn has_beaten(&self, due_ms: u64) -> bool {
        self.timeline.heartbeats.get(&due_ms).is_some_and(Option::is_some)
    }

    /// Returns the progress of a chaos event.
    pub(crate) fn chaos(&self, chaos: Chaos) -> ChaosRecord {
        self.timeline.chaos.get(&chaos).cloned().unwrap_or_default()
    }

    /// The chaos whose window is open at a scenario moment, and whether the gateway may still be down by it.
    pub fn window(&self, now_ms: u64, settle_ms: u64) -> Option<(Chaos, bool)> {
        let is_open =
            |event: &ChaosRecord| event.over_ms.is_none_or(|over_ms| now_ms < over_ms.saturating_add(settle_ms));
        let injected = self.timeline.chaos.iter().filter(|(_, event)| event.accepted_ms.is_some() && is_open(event));
        let (chaos, event) = injected.max_by_key(|(_, event)| event.accepted_ms)?;
        Some((*chaos, event.over_ms.is_none() && *chaos != Chaos::Latency))
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
            (ResumeState::of(&history, BTreeMap::new()).life(), history.timeline.measured_to_ms)
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
