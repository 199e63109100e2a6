//! Journals for tests: a healthy soak as literal data, and the ways to make it sick, thin or silent.

use std::{collections::BTreeMap, sync::OnceLock};

use super::{Digest, Targets, Verdicts, judge};
use crate::{
    catalog::{Chaos, Phase, Suite, Workload},
    journal::{
        Buckets, Counter, Cycles, End, EndReason, Exemplar, Finding, Gauge, GaugeSummary, Header, Incident, Interval,
        JOURNAL_VERSION, LatencyHistogram, Record, Source, Timing, TimingRecord,
    },
    plan::{Plan, Scenario, millis},
};

const MINUTE_MS: u64 = 60_000;

/// A soak as its journal has it, with intervals of a scenario minute.
#[derive(Debug, Clone)]
pub(crate) struct Soak {
    pub(crate) plan: Plan,
    /// What the gateway calls the contract's routes.
    pub(crate) routes: BTreeMap<String, String>,
    pub(crate) targets: Targets,
    pub(crate) intervals: Vec<Interval>,
    pub(crate) incidents: Vec<Incident>,
    pub(crate) end: Option<End>,
}

impl Soak {
    /// Everything as it should be.
    pub(crate) fn healthy(suite: Suite) -> Self {
        static SOAKS: [OnceLock<Soak>; 3] = [const { OnceLock::new() }; 3];
        SOAKS[suite as usize].get_or_init(|| Self::compose(suite)).clone()
    }

    fn compose(suite: Suite) -> Self {
        let plan = Plan::new(suite, &Scenario::default(), 1, 1.0);
        let minutes = 0..plan.duration_ms / MINUTE_MS;
        let end = End { at_ms: plan.duration_ms, ended_at: "2026-11-23T12:00:00Z".into(), reason: EndReason::Played };
        let mut targets = Targets::default();
        // No gateway of these tests has garbage, but for those that say so.
        targets.rss_base_min_bytes = 0;
        let mut soak = Self {
            intervals: minutes.map(|minute| healthy_minute(&plan, minute)).collect(),
            incidents: Vec::new(),
            end: Some(end),
            targets,
            routes: BTreeMap::new(),
            plan,
        };
        for due_ms in soak.plan.heartbeats_ms.clone() {
            soak.happens(due_ms + 20, Finding::Heartbeat { due_ms, open_streams: 20, runs_started: due_ms / 20_000 });
        }
        for event in soak.plan.chaos.clone() {
            let chaos = event.chaos;
            let answer = "202 {\"ok\":true}".to_owned();
            soak.happens(event.at_ms, Finding::ChaosInjected { chaos, accepted: true, answer });
            let evidence = match chaos {
                Chaos::Latency => "the median answer went from 4 ms to 154 ms".to_owned(),
                _ => "20 streams dropped within a second".to_owned(),
            };
            soak.happens(event.at_ms + 1_000, Finding::ChaosSeen { chaos, effective: true, evidence });
            soak.happens(event.at_ms + 4_000, Finding::ChaosRecovered { chaos, recovery_ms: 4_000 });
        }
        for workload in Workload::of(suite) {
            soak.happens(soak.plan.duration_ms, Finding::WorkerDone { worker: workload.name().into() });
        }
        soak
    }

    pub(crate) fn header(&self) -> Header {
        Header {
            version: JOURNAL_VERSION,
            harness: "0.1.0".into(),
            started_at: "2026-11-23T10:00:00Z".into(),
            started_monotonic_ms: None,
            nonce: String::new(),
            gateway_url: "http://127.0.0.1:3000".into(),
            embedded: false,
            plan: self.plan.clone(),
            settings: BTreeMap::new(),
            routes: self.routes.clone(),
        }
    }

    pub(crate) fn records(&self) -> impl Iterator<Item = Record> {
        let header = Record::Header(Box::new(self.header()));
        let intervals = self.intervals.iter().map(|interval| Record::Interval(Box::new(interval.clone())));
        let incidents = self.incidents.iter().cloned().map(Record::Incident);
        std::iter::once(header).chain(intervals).chain(incidents).chain(self.end.clone().map(Record::End))
    }

    pub(crate) fn digest(&self) -> Digest {
        let mut digest = Digest::of(&self.header(), &self.targets);
        self.records().for_each(|record| digest.absorb(&record));
        digest
    }

    pub(crate) fn judge(&self) -> Verdicts {
        judge(&self.plan, &self.targets, &self.digest())
    }

    /// A thing happens, in the phase that its moment lies in.
    pub(crate) fn happens(&mut self, at_ms: u64, finding: Finding) {
        let phase = phase_at(&self.plan, at_ms);
        self.incidents.push(Incident { at_ms, phase, finding });
    }

    /// The interval of a minute.
    pub(crate) fn minute(&mut self, minute: usize) -> &mut Interval {
        &mut self.intervals[minute]
    }

    /// Changes every interval.
    pub(crate) fn each(mut self, change: impl FnMut(&mut Interval)) -> Self {
        self.intervals.iter_mut().for_each(change);
        self
    }

    /// The session dies at a moment: nothing after it is on record.
    pub(crate) fn cut_at(mut self, at_ms: u64) -> Self {
        self.intervals.retain(|interval| interval.to_ms <= at_ms);
        self.incidents.retain(|incident| incident.at_ms <= at_ms);
        self.end = None;
        self
    }
}

/// A timing of so many equal samples, with an exemplar.
pub(crate) fn timing(value_us: u64, count: u64, at_ms: u64, subject: &str) -> TimingRecord {
    let mut histogram = LatencyHistogram::new();
    (0..count).for_each(|_| histogram.record(value_us));
    TimingRecord { histogram, worst: vec![Exemplar { at_ms, value_us, subject: subject.into() }] }
}

/// The id of the run that stands for a minute.
pub(crate) fn run_id(minute: u64) -> String {
    format!("3f2a0000-0000-4000-8000-{minute:012}")
}

fn phase_at(plan: &Plan, at_ms: u64) -> Phase {
    let settle_ms = millis(plan.scenario.chaos.settle);
    let window = plan.chaos.iter().find(|event| {
        let lasts_ms = if event.chaos == Chaos::Latency { millis(plan.scenario.chaos.latency_duration) } else { 0 };
        (event.at_ms..event.at_ms + lasts_ms + settle_ms).contains(&at_ms)
    });
    window.map_or(Phase::Steady, |event| event.chaos.into())
}

fn healthy_minute(plan: &Plan, minute: u64) -> Interval {
    let (from_ms, to_ms) = (minute * MINUTE_MS, (minute + 1) * MINUTE_MS);
    let has = |at_ms: &u64| (from_ms..to_ms).contains(at_ms);
    let runs = plan.runs.iter().filter(|run| has(&run.at_ms)).count() as u64;
    let own_streams = plan.runs.iter().filter(|run| has(&run.at_ms) && run.own_stream).count() as u64;
    let closed: u64 = plan.churns.iter().filter(|churn| has(&churn.at_ms)).map(|c| c.streams.len() as u64).sum();
    let churns = plan.churns.iter().filter(|churn| has(&churn.at_ms)).count() as u64;
    let pulse = plan.pulses.iter().position(|pulse| has(&pulse.at_ms));
    let pulses = u64::from(pulse.is_some());
    let tampered = u64::from(pulse.is_some_and(|n| plan.pulses[n].tampered));
    let looks = pulse.map_or(0, |n| 2 * n as u64);
    let probes = plan.safety_ms.iter().filter(|at| has(at)).count() as u64;
    let slices = plan.privacy_ms.iter().filter(|at| has(at)).count() as u64;
    let events = plan.chaos.iter().filter(|event| has(&event.at_ms)).count() as u64;
    let opened = if minute == 0 { 20 } else { 0 };

    let mut interval = Interval::empty(from_ms, to_ms, phase_at(plan, from_ms));
    interval.gateway_life = Some(if minute <= 75 { "4711".into() } else { "4712".into() });
    interval.counters = BTreeMap::from([
        (Counter::ReadyProbes, 60),
        (Counter::ReadyOk, 60),
        (Counter::RunsStarted, runs),
        (Counter::RunsEnded, runs),
        (Counter::RunsSucceeded, runs),
        (Counter::Requests, 4 * runs + closed + 3 * pulses + 8 * probes),
        (Counter::StreamsOpened, opened + own_streams + closed),
        (Counter::ReconnectAttempts, closed),
        (Counter::ReconnectsOk, closed),
        (Counter::EventsDelivered, 60 * runs),
        (Counter::VersionsPublished, pulses),
        (Counter::VersionsFound, pulses),
        (Counter::VersionChecks, looks),
        (Counter::TamperedSent, tampered),
        (Counter::TamperedRejected, tampered),
        (Counter::InjectionsSent, 3 * probes),
        (Counter::InjectionsBlocked, 3 * probes),
        (Counter::PiiSent, 3 * probes),
        (Counter::PiiMasked, 3 * probes),
        (Counter::CanariesSent, slices),
        (Counter::Scrapes, 6),
        (Counter::ScrapesOk, 6),
    ]);
    let at_ms = from_ms + 30_000;
    interval.timings = BTreeMap::from([
        (Timing::StartToLog, timing(200_000, runs, at_ms, &run_id(minute))),
        (Timing::JudgeEvent, timing(40_000, runs, at_ms, &run_id(minute))),
        (Timing::ShieldEvent, timing(20_000, runs, at_ms, &run_id(minute))),
        (Timing::EventDelivery, timing(5_000, 40 * runs, at_ms, "stream 4")),
        (Timing::LineFirstShown, timing(4_000, 4 * runs, at_ms, &run_id(minute))),
        (Timing::EndFirstShown, timing(4_000, runs, at_ms, &run_id(minute))),
        (Timing::ReadyRoundTrip, timing(3_000, 60, at_ms, "GET /ready")),
        (Timing::StartLateness, timing(1_500, runs, at_ms, &run_id(minute))),
    ]);
    if pulses > 0 {
        interval.timings.insert(Timing::PublishToSearch, timing(900_000, pulses, at_ms, "soak-agent@1.0.0-7"));
    }
    for (source, count) in [(Source::Judge, runs), (Source::Shield, runs), (Source::SseWrite, 40 * runs)] {
        let buckets = Buckets { bounds_seconds: vec![0.05, 0.1, 0.2, 0.3, 0.5], counts: vec![count, 0, 0, 0, 0, 0] };
        interval.sources.insert(source, buckets);
    }
    // A sawtooth, as a garbage collector makes it.
    let sawtooth = |base: f64, tooth: f64| GaugeSummary { min: base, max: base + tooth, last: base, count: 6 };
    #[expect(clippy::cast_precision_loss, reason = "a few minutes")]
    let wobble = (minute * 7 % 5) as f64;
    interval.gauges = BTreeMap::from([
        (Gauge::GatewayRss, sawtooth(80e6 + wobble * 1e5, 20e6)),
        (Gauge::GatewayFds, sawtooth(60.0 + wobble / 5.0, 6.0)),
        (Gauge::GatewayFdSurplus, sawtooth(15.0 + wobble / 5.0, 6.0)),
        (Gauge::GatewayCpu, sawtooth(4.0, 2.0)),
        (Gauge::GatewaySseSurplus, sawtooth(0.0, 1.0)),
        (Gauge::GatewayQueueDepth, sawtooth(0.0, 2.0)),
        (Gauge::ClockOffset, GaugeSummary::of(3.0 + wobble)),
        (Gauge::ClockBounds, sawtooth(2.0 + wobble, 2.0)),
        (Gauge::HarnessRss, sawtooth(30e6 + wobble * 1e4, 1e6)),
        (Gauge::HarnessFds, sawtooth(45.0, 3.0)),
        (Gauge::HarnessCpu, sawtooth(2.0, 1.0)),
        (Gauge::OpenStreams, GaugeSummary { min: 16.0, max: 20.0, last: 20.0, count: 6 }),
    ]);
    let played = |count| Cycles { started: count, finished: count };
    interval.cycles = BTreeMap::from([
        (Workload::Runs, played(runs)),
        (Workload::Churn, played(churns + u64::from(minute == 0))),
        (Workload::Registry, played(pulses)),
        (Workload::Safety, played(probes)),
        (Workload::Privacy, played(slices)),
        (Workload::Chaos, played(events)),
        (Workload::Availability, played(60)),
        (Workload::Metrics, played(6)),
    ]);
    interval
}
