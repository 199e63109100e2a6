//! The events of the soak itself, with their times: heartbeats, chaos, workers, holes, sources that failed, its end.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    catalog::{Chaos, Phase, Workload},
    history::{chart_windows::ChartWindows, process_instances::ProcessInstances},
    journal::{End, Finding, Incident, Interval, Record},
    plan::Plan,
};

/// Maximum number of names that are kept of each kind: a journal may name workers, sources and routes without end.
const NAMES_MAX: usize = 32;
/// No session is taken over more often.
const HOLES_MAX: usize = 64;
/// There are three events, and a session that takes over opens a window again.
const WINDOWS_MAX: usize = 16;
const STALLS_MAX: usize = 8;

/// The timeline of a soak, over all its sessions.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    /// The end of the record, scenario milliseconds.
    scenario_ms: u64,
    /// The end of the intervals and holes: nothing later was measured.
    pub(crate) measured_to_ms: u64,
    /// The begin and end of each phase, scenario milliseconds.
    pub(crate) spans_ms: BTreeMap<Phase, (u64, u64)>,
    pub(crate) phase: Option<Phase>,
    pub(crate) heartbeat: Option<LastHeartbeat>,
    pub(crate) gateway_life: Option<String>,
    /// Versions of the registry that were found, by the number of their pulse.
    pub(crate) versions: BTreeMap<usize, String>,
    /// The arrival of each heartbeat, if it came, by the time at which it was due.
    pub(crate) heartbeats: BTreeMap<u64, Option<u64>>,
    pub(crate) chaos: BTreeMap<Chaos, ChaosRecord>,
    /// The begin and end of chaos windows, scenario milliseconds.
    pub(crate) windows_ms: Vec<(u64, u64)>,
    /// The same by the phases of intervals, including windows that are still open.
    pub(crate) chart_windows: ChartWindows,
    pub(crate) workers: BTreeMap<String, WorkerRecord>,
    pub(crate) sources: BTreeMap<String, FailureRecord>,
    pub(crate) routes: BTreeMap<String, FailureRecord>,
    pub(crate) missing_metrics: BTreeSet<String>,
    /// The first few holes, from and to in scenario milliseconds, and why.
    pub(crate) holes: Vec<(u64, u64, String)>,
    pub(crate) hole_count: u32,
    pub(crate) holes_ms: u64,
    /// Cycles that a session that died had begun, and that were played again or never.
    pub(crate) cut: BTreeMap<Workload, u64>,
    /// The first few stalls of the session: the scenario time of its end, and its length in real milliseconds.
    pub(crate) stalls: Vec<(u64, u64)>,
    /// The length of all stalls, real milliseconds.
    pub(crate) stalled_ms: u64,
    pub(crate) lives: ProcessInstances,
    /// The first fatal error, and when.
    pub(crate) fatal: Option<(u64, String)>,
    pub(crate) fatal_count: u64,
    pub(crate) ended: Option<End>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LastHeartbeat {
    pub(crate) due_ms: u64,
    pub(crate) open_streams: u32,
    pub(crate) runs_started: u64,
}

/// The record of one chaos event. The first number of a tuple is its scenario time, milliseconds.
#[derive(Debug, Clone, Default)]
pub(crate) struct ChaosRecord {
    /// Whether the gateway accepted it, and its answer.
    pub(crate) injected: Option<(u64, bool, String)>,
    /// When the gateway accepted it last.
    pub(crate) accepted_ms: Option<u64>,
    /// The round trips before it, where they were measured.
    pub(crate) fastest_us: Option<Vec<Option<u64>>>,
    /// Whether it had its effect, and the measurements.
    pub(crate) seen: Option<(u64, bool, String)>,
    /// The time that the recovery took, real milliseconds.
    pub(crate) recovered: Option<(u64, u64)>,
    /// The time that S2 waited for it, real milliseconds, and the last failure.
    pub(crate) not_recovered: Option<(u64, u64, String)>,
    /// When its outcome was recorded last.
    pub(crate) over_ms: Option<u64>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct WorkerRecord {
    pub(crate) panics: u64,
    pub(crate) last_panic: Option<(u64, String)>,
    pub(crate) gave_up_ms: Option<u64>,
    pub(crate) is_done: bool,
}

/// The wrong answers of a source or a route.
#[derive(Debug, Clone, Default)]
pub(crate) struct FailureRecord {
    pub(crate) count: u64,
    /// The number out of chaos windows: failures that S2 causes itself do not explain samples that lack all the time.
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
                // A session that was started again after an end has two; of two reasons the greater counts.
                if self.ended.as_ref().is_none_or(|ended| (end.reason, end.at_ms) >= (ended.reason, ended.at_ms)) {
                    self.ended = Some(end.clone());
                }
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
        if interval.gateway_life.is_some() {
            self.gateway_life.clone_from(&interval.gateway_life);
        }
        self.chart_windows.absorb(phase, from_ms, to_ms);
    }

    fn absorb_incident(&mut self, incident: &Incident) {
        let at_ms = incident.at_ms;
        match &incident.finding {
            &Finding::Heartbeat { due_ms, open_streams, runs_started } => {
                self.heartbeat = Some(LastHeartbeat { due_ms, open_streams, runs_started });
                if let Some(came) = self.heartbeats.get_mut(&due_ms) {
                    *came = Some(came.map_or(at_ms, |came| came.min(at_ms)));
                }
            }
            Finding::ChaosInjected { chaos, accepted, answer } => {
                self.chart_windows.injected((*chaos).into(), at_ms);
                let record = self.chaos.entry(*chaos).or_default();
                record.accepted_ms = if *accepted { Some(at_ms) } else { record.accepted_ms };
                // An injection may be tried again: the first answer that accepts it counts, or else the last.
                if record.injected.as_ref().is_none_or(|(_, accepted, _)| !accepted) {
                    record.injected = Some((at_ms, *accepted, answer.clone()));
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
            Finding::WorkerPanicked { worker, message, .. } => self.worker(worker, |record| {
                record.panics += 1;
                record.last_panic = Some((at_ms, message.clone()));
            }),
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
            _ => self.lives.absorb(incident),
        }
    }

    /// The end of the record, scenario milliseconds.
    pub(crate) const fn scenario_ms(&self) -> u64 {
        self.scenario_ms
    }

    pub(crate) const fn end(&self) -> Option<&End> {
        self.ended.as_ref()
    }

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
    // A steady answer replaces one from a chaos window, and not the reverse.
    let is_steady = incident.phase == Phase::Steady;
    let is_first_steady = is_steady && record.steady_count == 0;
    record.steady_count += u64::from(is_steady);
    let counts_as_much = is_steady || record.steady_count == 0;
    if is_first_steady || (counts_as_much && incident.at_ms >= record.last_ms) {
        record.last_ms = incident.at_ms;
        answer.clone_into(&mut record.answer);
    }
}
