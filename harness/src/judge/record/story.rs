//! What happened to the soak itself: heartbeats, chaos, workers, holes, sources that failed, its end.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    catalog::{Chaos, Phase, Workload},
    journal::{End, Finding, Incident},
    judge::record::{process_instances::ProcessInstances, process_story::ProcessStory},
    plan::Plan,
};

/// Of things that a journal may name without end, so many names are kept.
const NAMES_MAX: usize = 32;
/// Holes kept by name; of all, the length is summed up. No session is taken over more often.
const HOLES_MAX: usize = 16;
/// Chaos windows kept: there are three events, and a session that takes over opens a window again.
const WINDOWS_MAX: usize = 16;
/// Times that the session stood still, kept.
const STALLS_MAX: usize = 8;

/// The story of a session, however many lives it had.
#[derive(Debug, Clone, Default)]
pub(in crate::judge) struct Story {
    /// Heartbeats by when they were due, and when they came; none yet where none came.
    pub(in crate::judge) heartbeats: BTreeMap<u64, Option<u64>>,
    pub(in crate::judge) chaos: BTreeMap<Chaos, ChaosStory>,
    /// From when to when chaos windows were open, scenario milliseconds.
    pub(in crate::judge) windows_ms: Vec<(u64, u64)>,
    pub(in crate::judge) workers: BTreeMap<String, WorkerStory>,
    pub(in crate::judge) sources: BTreeMap<String, SourceStory>,
    /// Routes whose requests went wrong.
    pub(in crate::judge) routes: BTreeMap<String, SourceStory>,
    pub(in crate::judge) missing_metrics: BTreeSet<String>,
    /// The first few holes, from and to in scenario milliseconds, and why.
    pub(in crate::judge) holes: Vec<(u64, u64, String)>,
    pub(in crate::judge) holes_ms: u64,
    /// Cycles that a session that died had begun, and that were played again or never.
    pub(in crate::judge) cut: BTreeMap<Workload, u64>,
    /// The first few times that the session itself stood still: when that was over, and for how long, real milliseconds.
    pub(in crate::judge) stalls: Vec<(u64, u64)>,
    /// For how long it stood still in all, real milliseconds.
    pub(in crate::judge) stalled_ms: u64,
    /// The lives of the gateway's process.
    pub(in crate::judge) lives: ProcessInstances,
    /// The processes that were read, or that answered.
    pub(in crate::judge) processes: ProcessStory,
    /// The first fatal error, and when.
    pub(in crate::judge) fatal: Option<(u64, String)>,
    pub(in crate::judge) fatal_count: u64,
    pub(in crate::judge) ended: Option<End>,
}

/// What became of one chaos event.
#[derive(Debug, Clone, Default)]
pub(in crate::judge) struct ChaosStory {
    /// When, whether the gateway said yes, and what it said.
    pub(in crate::judge) injected: Option<(u64, bool, String)>,
    /// When, whether it had its effect, and what was measured.
    pub(in crate::judge) seen: Option<(u64, bool, String)>,
    /// When, and how long it took, real milliseconds.
    pub(in crate::judge) recovered: Option<(u64, u64)>,
    /// When, how long we looked, real milliseconds, and what was still wrong.
    pub(in crate::judge) not_recovered: Option<(u64, u64, String)>,
}

/// What became of one worker.
#[derive(Debug, Clone, Default)]
pub(in crate::judge) struct WorkerStory {
    pub(in crate::judge) panics: u64,
    pub(in crate::judge) last_panic: Option<(u64, String)>,
    pub(in crate::judge) gave_up_ms: Option<u64>,
    pub(in crate::judge) is_done: bool,
}

/// A source or a route that did not answer as it should.
#[derive(Debug, Clone, Default)]
pub(in crate::judge) struct SourceStory {
    pub(in crate::judge) count: u64,
    /// Of those, out of chaos windows: what S2 disturbs itself is the cause of nothing that was missing all the time.
    pub(in crate::judge) steady_count: u64,
    pub(in crate::judge) last_ms: u64,
    pub(in crate::judge) answer: String,
}

impl Story {
    pub(in crate::judge) fn of(plan: &Plan) -> Self {
        Self { heartbeats: plan.heartbeats_ms.iter().map(|due| (*due, None)).collect(), ..Self::default() }
    }

    pub(in crate::judge) fn absorb(&mut self, incident: &Incident) {
        let at_ms = incident.at_ms;
        match &incident.finding {
            Finding::Heartbeat { due_ms, .. } => {
                if let Some(came) = self.heartbeats.get_mut(due_ms) {
                    *came = Some(came.map_or(at_ms, |came| came.min(at_ms)));
                }
            }
            Finding::ChaosInjected { chaos, accepted, answer } => {
                // Of two answers the one that said yes counts: an injection may be tried again.
                let injected = &mut self.chaos.entry(*chaos).or_default().injected;
                if injected.as_ref().is_none_or(|(_, accepted, _)| !accepted) {
                    *injected = Some((at_ms, *accepted, answer.clone()));
                }
            }
            Finding::ChaosSeen { chaos, effective, evidence } => {
                let seen = &mut self.chaos.entry(*chaos).or_default().seen;
                if seen.as_ref().is_none_or(|(_, effective, _)| !effective) {
                    *seen = Some((at_ms, *effective, evidence.clone()));
                }
            }
            Finding::ChaosRecovered { chaos, recovery_ms } => {
                self.chaos.entry(*chaos).or_default().recovered = Some((at_ms, *recovery_ms));
            }
            Finding::ChaosNotRecovered { chaos, waited_ms, answer } => {
                self.chaos.entry(*chaos).or_default().not_recovered = Some((at_ms, *waited_ms, answer.clone()));
            }
            Finding::WindowClosed { from_ms, .. } if self.windows_ms.len() < WINDOWS_MAX => {
                self.windows_ms.push((*from_ms, at_ms));
            }
            Finding::WorkerPanicked { worker, message, .. } => {
                self.worker(worker, |story| {
                    story.panics += 1;
                    story.last_panic = Some((at_ms, message.clone()));
                });
            }
            Finding::WorkerGaveUp { worker } => self.worker(worker, |story| story.gave_up_ms = Some(at_ms)),
            Finding::WorkerDone { worker } => self.worker(worker, |story| story.is_done = true),
            Finding::SourceFailed { source, answer } => tell(&mut self.sources, source, incident, answer),
            Finding::RequestFailed { route, answer, .. } => tell(&mut self.routes, route, incident, answer),
            Finding::MetricMissing { name } if self.missing_metrics.len() < NAMES_MAX => {
                self.missing_metrics.insert(name.clone());
            }
            Finding::Fatal { message } => {
                self.fatal_count += 1;
                if self.fatal.as_ref().is_none_or(|(first, _)| at_ms < *first) {
                    self.fatal = Some((at_ms, message.clone()));
                }
            }
            Finding::Hole { from_ms, to_ms, why, cut } => {
                self.holes_ms = self.holes_ms.saturating_add(to_ms.saturating_sub(*from_ms));
                for (workload, cycles) in cut {
                    let sum = self.cut.entry(*workload).or_default();
                    *sum = sum.saturating_add(*cycles);
                }
                if self.holes.len() < HOLES_MAX {
                    self.holes.push((*from_ms, *to_ms, why.clone()));
                }
            }
            Finding::Stalled { stalled_ms } => {
                self.stalled_ms = self.stalled_ms.saturating_add(*stalled_ms);
                if self.stalls.len() < STALLS_MAX {
                    self.stalls.push((at_ms, *stalled_ms));
                }
            }
            Finding::GatewayRestarted { .. } | Finding::OtherProcess { .. } => self.lives.absorb(incident),
            Finding::SeveralAnswer { .. } | Finding::ProcessesRead { .. } => self.processes.absorb(incident),
            _ => {}
        }
    }

    /// A session that was started again after an end has two; of two reasons the greater counts.
    pub(in crate::judge) fn end(&mut self, end: &End) {
        if self.ended.as_ref().is_none_or(|ended| (end.reason, end.at_ms) >= (ended.reason, ended.at_ms)) {
            self.ended = Some(end.clone());
        }
    }

    fn worker(&mut self, worker: &str, change: impl FnOnce(&mut WorkerStory)) {
        if self.workers.contains_key(worker) || self.workers.len() < NAMES_MAX {
            change(self.workers.entry(worker.to_owned()).or_default());
        }
    }
}

fn tell(stories: &mut BTreeMap<String, SourceStory>, name: &str, incident: &Incident, answer: &str) {
    if !stories.contains_key(name) && stories.len() >= NAMES_MAX {
        return;
    }
    let story = stories.entry(name.to_owned()).or_default();
    story.count += 1;
    let is_steady = incident.phase == Phase::Steady;
    let is_first_steady = is_steady && story.steady_count == 0;
    story.steady_count += u64::from(is_steady);
    let tells_as_much = is_steady || story.steady_count == 0;
    if is_first_steady || (tells_as_much && incident.at_ms >= story.last_ms) {
        story.last_ms = incident.at_ms;
        answer.clone_into(&mut story.answer);
    }
}
