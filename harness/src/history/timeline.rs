//! The events of the soak itself, with their times: heartbeats, chaos, workers, holes, sources that failed, its end.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    catalog::{Chaos, Phase, Workload},
    history::{chart_windows::ChartWindows, process_instances::ProcessInstances, process_readings::ProcessReadings},
    journal::{End, Finding, Incident, Interval, Record},
    plan::Plan,
};

/// Maximum number of names that are kept of each kind: a journal may name workers, sources and routes without end.
const NAMES_MAX: usize = 32;
/// Holes kept; of all, the length is summed up. No session is taken over more often.
const HOLES_MAX: usize = 64;
/// Chaos windows kept: there are three events, and a session that takes over opens a window again.
const WINDOWS_MAX: usize = 16;
/// Times that the session stood still, kept.
const STALLS_MAX: usize = 8;

/// The timeline of a session, however many lives it had.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    /// How far the record reaches, scenario milliseconds.
    scenario_ms: u64,
    /// How far intervals and holes reach: what is later has not been measured.
    pub(crate) measured_to_ms: u64,
    /// From when to when each phase was seen.
    spans_ms: BTreeMap<Phase, (u64, u64)>,
    /// Steady, or in which chaos window, by the last record.
    pub(crate) phase: Option<Phase>,
    /// The last heartbeat.
    pub(crate) heartbeat: Option<LastHeartbeat>,
    /// Which life of the gateway was seen last.
    pub(crate) gateway_life: Option<String>,
    /// Versions of the registry that were found, by the number of their pulse.
    pub(crate) versions: BTreeMap<usize, String>,
    /// Heartbeats by when they were due, and when they came; none yet where none came.
    pub(crate) heartbeats: BTreeMap<u64, Option<u64>>,
    pub(crate) chaos: BTreeMap<Chaos, ChaosRecord>,
    /// From when to when chaos windows were open, scenario milliseconds.
    pub(crate) windows_ms: Vec<(u64, u64)>,
    /// The same as intervals tell it, those that are still open among them.
    pub(crate) chart_windows: ChartWindows,
    pub(crate) workers: BTreeMap<String, WorkerRecord>,
    pub(crate) sources: BTreeMap<String, FailureRecord>,
    /// Routes whose requests went wrong.
    pub(crate) routes: BTreeMap<String, FailureRecord>,
    pub(crate) missing_metrics: BTreeSet<String>,
    /// The first few holes, from and to in scenario milliseconds, and why.
    pub(crate) holes: Vec<(u64, u64, String)>,
    pub(crate) hole_count: u32,
    pub(crate) holes_ms: u64,
    /// Cycles that a session that died had begun, and that were played again or never.
    pub(crate) cut: BTreeMap<Workload, u64>,
    /// The first few times that the session itself stood still: when that was over, and for how long, real milliseconds.
    pub(crate) stalls: Vec<(u64, u64)>,
    /// For how long it stood still in all, real milliseconds.
    pub(crate) stalled_ms: u64,
    /// The lives of the gateway's process.
    pub(crate) lives: ProcessInstances,
    /// The processes that were read, or that answered.
    pub(crate) processes: ProcessReadings,
    /// The first fatal error, and when.
    pub(crate) fatal: Option<(u64, String)>,
    pub(crate) fatal_count: u64,
    pub(crate) ended: Option<End>,
}

/// A heartbeat, as the journal has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LastHeartbeat {
    pub(crate) due_ms: u64,
    pub(crate) open_streams: u32,
    pub(crate) runs_started: u64,
}

/// The record of one chaos event.
#[derive(Debug, Clone, Default)]
pub(crate) struct ChaosRecord {
    /// When, whether the gateway said yes, and what it said.
    pub(crate) injected: Option<(u64, bool, String)>,
    /// When the gateway said yes last.
    pub(crate) accepted_ms: Option<u64>,
    /// The round trips before it, where they were measured.
    pub(crate) fastest_us: Option<Vec<Option<u64>>>,
    /// When, whether it had its effect, and what was measured.
    pub(crate) seen: Option<(u64, bool, String)>,
    /// When, and how long it took, real milliseconds.
    pub(crate) recovered: Option<(u64, u64)>,
    /// When, how long we looked, real milliseconds, and what was still wrong.
    pub(crate) not_recovered: Option<(u64, u64, String)>,
    /// When it was known last how it ended.
    pub(crate) over_ms: Option<u64>,
}

/// The record of one worker.
#[derive(Debug, Clone, Default)]
pub(crate) struct WorkerRecord {
    pub(crate) panics: u64,
    pub(crate) last_panic: Option<(u64, String)>,
    pub(crate) gave_up_ms: Option<u64>,
    pub(crate) is_done: bool,
}

/// A source or a route that did not answer as it should.
#[derive(Debug, Clone, Default)]
pub(crate) struct FailureRecord {
    pub(crate) count: u64,
    /// Of those, out of chaos windows: what S2 disturbs itself is the cause of nothing that was missing all the time.
    pub(crate) steady_count: u64,
    pub(crate) last_ms: u64,
    pub(crate) answer: String,
}

impl Timeline {
    pub(crate) fn of(plan: &Plan) -> Self {
        Self { heartbeats: plan.heartbeats_ms.iter().map(|due_ms| (due_ms, None)).collect(), ..Self::default() }
    }

    pub(crate) fn absorb(&mut self, record: &Record) {
        match record {
            Record::Header(_) => {}
            Record::Interval(interval) => self.absorb_interval(interval),
            Record::Incident(incident) => {
                self.scenario_ms = self.scenario_ms.max(incident.at_ms);
                self.phase = Some(incident.phase);
                self.absorb_incident(incident);
            }
            Record::End(end) => {
                self.scenario_ms = self.scenario_ms.max(end.at_ms);
                self.absorb_end(end);
            }
        }
    }

    fn absorb_interval(&mut self, interval: &Interval) {
        let Interval { from_ms, to_ms, phase, .. } = *interval;
        self.scenario_ms = self.scenario_ms.max(to_ms);
        self.measured_to_ms = self.measured_to_ms.max(to_ms);
        self.phase = Some(phase);
        let span = self.spans_ms.entry(phase).or_insert((from_ms, to_ms));
        *span = (span.0.min(from_ms), span.1.max(to_ms));
        if let Some(life) = &interval.gateway_life {
            self.gateway_life = Some(life.clone());
        }
        self.chart_windows.absorb(phase, from_ms, to_ms);
    }

    fn absorb_incident(&mut self, incident: &Incident) {
        let at_ms = incident.at_ms;
        match &incident.finding {
            Finding::Heartbeat { due_ms, open_streams, runs_started } => {
                let (open_streams, runs_started) = (*open_streams, *runs_started);
                self.heartbeat = Some(LastHeartbeat { due_ms: *due_ms, open_streams, runs_started });
                if let Some(came) = self.heartbeats.get_mut(due_ms) {
                    *came = Some(came.map_or(at_ms, |came| came.min(at_ms)));
                }
            }
            Finding::ChaosInjected { chaos, accepted, answer } => {
                self.chart_windows.injected((*chaos).into(), at_ms);
                let record = self.chaos.entry(*chaos).or_default();
                record.accepted_ms = if *accepted { Some(at_ms) } else { record.accepted_ms };
                // Of two answers the one that said yes counts: an injection may be tried again.
                let injected = &mut record.injected;
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
                let record = self.chaos.entry(*chaos).or_default();
                (record.recovered, record.over_ms) = (Some((at_ms, *recovery_ms)), Some(at_ms));
            }
            Finding::ChaosNotRecovered { chaos, waited_ms, answer } => {
                let record = self.chaos.entry(*chaos).or_default();
                (record.not_recovered, record.over_ms) = (Some((at_ms, *waited_ms, answer.clone())), Some(at_ms));
            }
            Finding::RoundTripsBefore { chaos, fastest_us } => {
                self.chaos.entry(*chaos).or_default().fastest_us = Some(fastest_us.clone());
            }
            Finding::VersionFound { pulse, version } => drop(self.versions.insert(*pulse as usize, version.clone())),
            Finding::WindowClosed { from_ms, .. } if self.windows_ms.len() < WINDOWS_MAX => {
                self.windows_ms.push((*from_ms, at_ms));
            }
            Finding::WorkerPanicked { worker, message, .. } => {
                self.worker(worker, |record| {
                    record.panics += 1;
                    record.last_panic = Some((at_ms, message.clone()));
                });
            }
            Finding::WorkerGaveUp { worker } => self.worker(worker, |record| record.gave_up_ms = Some(at_ms)),
            Finding::WorkerDone { worker } => self.worker(worker, |record| record.is_done = true),
            Finding::SourceFailed { source, answer } => note_failure(&mut self.sources, source, incident, answer),
            Finding::RequestFailed { route, answer, .. } => note_failure(&mut self.routes, route, incident, answer),
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
                self.hole_count = self.hole_count.saturating_add(1);
                self.measured_to_ms = self.measured_to_ms.max(*to_ms);
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
    fn absorb_end(&mut self, end: &End) {
        if self.ended.as_ref().is_none_or(|ended| (end.reason, end.at_ms) >= (ended.reason, ended.at_ms)) {
            self.ended = Some(end.clone());
        }
    }

    /// How far the record reaches, scenario milliseconds.
    pub(crate) const fn scenario_ms(&self) -> u64 {
        self.scenario_ms
    }

    /// From when to when a phase was seen, scenario milliseconds.
    pub(crate) fn span_ms(&self, phase: Phase) -> Option<(u64, u64)> {
        self.spans_ms.get(&phase).copied()
    }

    /// How the session ended, if it has.
    pub(crate) const fn end(&self) -> Option<&End> {
        self.ended.as_ref()
    }

    /// The error that stopped the session, if any.
    pub(crate) fn fatal(&self) -> Option<&str> {
        self.fatal.as_ref().map(|(_, message)| message.as_str())
    }

    fn worker(&mut self, worker: &str, change: impl FnOnce(&mut WorkerRecord)) {
        if self.workers.contains_key(worker) || self.workers.len() < NAMES_MAX {
            change(self.workers.entry(worker.to_owned()).or_default());
        }
    }
}

fn note_failure(records: &mut BTreeMap<String, FailureRecord>, name: &str, incident: &Incident, answer: &str) {
    if !records.contains_key(name) && records.len() >= NAMES_MAX {
        return;
    }
    let record = records.entry(name.to_owned()).or_default();
    record.count += 1;
    let is_steady = incident.phase == Phase::Steady;
    let is_first_steady = is_steady && record.steady_count == 0;
    record.steady_count += u64::from(is_steady);
    let tells_as_much = is_steady || record.steady_count == 0;
    if is_first_steady || (tells_as_much && incident.at_ms >= record.last_ms) {
        record.last_ms = incident.at_ms;
        answer.clone_into(&mut record.answer);
    }
}
