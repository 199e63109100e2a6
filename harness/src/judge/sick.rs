//! For tests: the healthy soak, sick in the way that each KPI is there to see, or without what the KPI lives on.

use std::sync::OnceLock;

use super::{
    Verdicts, is_already_certain, judge,
    soak::{Soak, run_id, timing},
};
use crate::{
    catalog::{Chaos, Kpi, Phase, Suite, Workload},
    journal::{Counter, Finding, Gauge, GaugeSummary, Interval, Source, Timing},
};

/// What a KPI lives on.
pub(crate) struct Diet {
    counters: &'static [Counter],
    timings: &'static [Timing],
    sources: &'static [Source],
    gauges: &'static [Gauge],
}

const NOTHING: Diet = Diet { counters: &[], timings: &[], sources: &[], gauges: &[] };

/// What the KPI lives on.
pub(crate) fn diet(kpi: Kpi) -> Diet {
    let counters = |counters| Diet { counters, ..NOTHING };
    let gauge = |gauges| Diet { gauges, ..NOTHING };
    match kpi {
        Kpi::Availability => counters(&[Counter::ReadyProbes, Counter::ReadyOk]),
        Kpi::RunSuccess => counters(&[Counter::RunsEnded, Counter::RunsSucceeded]),
        Kpi::StartToLogP95 | Kpi::StartToLogP99 => Diet { timings: &[Timing::StartToLog], ..NOTHING },
        Kpi::JudgeP95 => Diet { timings: &[Timing::JudgeEvent], sources: &[Source::Judge], ..NOTHING },
        Kpi::ShieldP95 => Diet { timings: &[Timing::ShieldEvent], sources: &[Source::Shield], ..NOTHING },
        Kpi::SseWriteP99 => Diet { timings: &[Timing::EventDelivery], sources: &[Source::SseWrite], ..NOTHING },
        Kpi::SseReconnectSuccess => counters(&[Counter::ReconnectAttempts, Counter::ReconnectsOk]),
        Kpi::SseReconnectRate => counters(&[Counter::StreamsOpened]),
        Kpi::SseDuplicates | Kpi::SseGaps => counters(&[Counter::EventsDelivered]),
        Kpi::ErrorRateSteady | Kpi::ErrorRateChaos => counters(&[Counter::Requests]),
        Kpi::PublishSearchDelay => Diet { timings: &[Timing::PublishToSearch], ..NOTHING },
        Kpi::RegistryConsistency => counters(&[Counter::VersionChecks]),
        Kpi::TamperedManifests => counters(&[Counter::TamperedSent, Counter::TamperedRejected]),
        Kpi::InjectionsBlocked => counters(&[Counter::InjectionsSent, Counter::InjectionsBlocked]),
        Kpi::PiiMasked => counters(&[Counter::PiiSent, Counter::PiiMasked]),
        Kpi::PlaintextLeaks => counters(&[Counter::CanariesSent]),
        Kpi::RssDrift => gauge(&[Gauge::GatewayRss]),
        Kpi::FdDrift => gauge(&[Gauge::GatewayFdSurplus]),
        Kpi::SseConnectionDrift => gauge(&[Gauge::GatewaySseSurplus]),
        Kpi::QueueDrift => gauge(&[Gauge::GatewayQueueDepth]),
        Kpi::ClockDrift => gauge(&[Gauge::ClockOffset]),
        Kpi::ChaosRecovery => NOTHING,
    }
}

impl Diet {
    fn take_from(&self, interval: &mut Interval) {
        interval.counters.retain(|counter, _| !self.counters.contains(counter));
        interval.timings.retain(|timing, _| !self.timings.contains(timing));
        interval.sources.retain(|source, _| !self.sources.contains(source));
        interval.gauges.retain(|gauge, _| !self.gauges.contains(gauge));
    }
}

/// The verdicts on a soak in which nothing that a KPI lives on was measured after a minute; from 0, nothing at all.
pub(crate) fn starved_from(minute: u64) -> Verdicts {
    let mut soak = Soak::healthy(Suite::Full);
    let from_ms = minute * 60_000;
    soak.incidents.retain(|incident| {
        let is_recovery = matches!(incident.finding, Finding::ChaosRecovered { .. });
        !is_recovery || incident.at_ms < from_ms
    });
    let starved = soak.each(|interval| {
        if interval.from_ms >= from_ms {
            Kpi::ALL.iter().for_each(|kpi| diet(*kpi).take_from(interval));
        }
    });
    starved.judge()
}

/// What is said of the sick soak of a KPI, worked out once for all tests.
#[derive(Debug)]
pub(crate) struct Diagnosis {
    pub(crate) verdicts: Verdicts,
    /// The KPIs whose failure is certain already.
    pub(crate) certain: Vec<Kpi>,
}

/// What is said of the sick soak of a KPI.
pub(crate) fn diagnosis(kpi: Kpi) -> &'static Diagnosis {
    static KNOWN: [OnceLock<Diagnosis>; Kpi::ALL.len()] = [const { OnceLock::new() }; Kpi::ALL.len()];
    KNOWN[kpi as usize].get_or_init(|| {
        let soak = sick(kpi);
        let digest = soak.digest();
        Diagnosis {
            verdicts: judge(&soak.plan, &soak.targets, &digest),
            certain: Kpi::ALL.iter().copied().filter(|kpi| is_already_certain(*kpi, &digest)).collect(),
        }
    })
}

/// Adds to a counter of an interval.
pub(crate) fn add(interval: &mut Interval, counter: Counter, n: u64) {
    *interval.counters.entry(counter).or_default() += n;
}

/// Takes from a counter of an interval.
pub(crate) fn take(interval: &mut Interval, counter: Counter, n: u64) {
    *interval.counters.entry(counter).or_default() -= n;
}

/// A soak in which the KPI is missed.
pub(crate) fn sick(kpi: Kpi) -> Soak {
    let mut soak = Soak::healthy(Suite::Full);
    match kpi {
        Kpi::Availability
        | Kpi::RunSuccess
        | Kpi::SseReconnectSuccess
        | Kpi::SseReconnectRate
        | Kpi::ErrorRateSteady
        | Kpi::ErrorRateChaos => shares(&mut soak, kpi),
        Kpi::StartToLogP95
        | Kpi::StartToLogP99
        | Kpi::JudgeP95
        | Kpi::ShieldP95
        | Kpi::SseWriteP99
        | Kpi::PublishSearchDelay => latencies(&mut soak, kpi),
        Kpi::RssDrift | Kpi::FdDrift | Kpi::SseConnectionDrift | Kpi::QueueDrift | Kpi::ClockDrift => {
            return drifting(soak, kpi);
        }
        Kpi::ChaosRecovery => {
            let of_chaos = soak.incidents.iter_mut().map(|incident| &mut incident.finding);
            for finding in of_chaos {
                if let Finding::ChaosRecovered { chaos: Chaos::GatewayRestart, recovery_ms } = finding {
                    *recovery_ms = 41_500;
                }
            }
        }
        _ => offences(&mut soak, kpi),
    }
    soak
}

fn shares(soak: &mut Soak, kpi: Kpi) {
    let run = run_id(33);
    match kpi {
        Kpi::Availability => {
            take(soak.minute(12), Counter::ReadyOk, 9);
            soak.happens(725_000, Finding::NotReady { answer: "503 {\"ready\":false}".into() });
            soak.happens(726_000, Finding::NotReady { answer: "503 {\"ready\":false}".into() });
        }
        Kpi::RunSuccess => {
            for minute in 10..35 {
                take(soak.minute(minute), Counter::RunsSucceeded, 1);
            }
            soak.happens(1_980_000, Finding::RunFailed { run, answer: "timed out after 90 s".into() });
            soak.happens(612_000, Finding::RunFailed { run: run_id(10), answer: "ended as failed".into() });
        }
        Kpi::SseReconnectSuccess => {
            add(soak.minute(20), Counter::ReconnectAttempts, 2);
            let answer = "503 Service Unavailable".to_owned();
            soak.happens(1_201_500, Finding::ReconnectFailed { stream: "7".into(), attempt: 1, answer });
        }
        Kpi::SseReconnectRate => {
            add(soak.minute(31), Counter::StreamsDropped, 4);
            let answer = "the connection was reset".to_owned();
            soak.happens(1_866_000, Finding::StreamDropped { stream: "12".into(), answer });
        }
        _ => {
            let (minute, at_ms) = if kpi == Kpi::ErrorRateSteady { (33, 1_985_000) } else { (91, 5_465_000) };
            add(soak.minute(minute), Counter::RequestErrors, 12);
            let finding = Finding::RequestFailed {
                workload: Workload::Runs,
                route: "POST /api/runs/{id}/start".into(),
                subject: run,
                answer: "500 {\"error\":\"no worker\"}".into(),
            };
            soak.happens(at_ms, finding);
        }
    }
}

fn latencies(soak: &mut Soak, kpi: Kpi) {
    for minute in [4, 30, 61, 62, 63, 64, 65, 66, 67, 68_u64] {
        let at_ms = minute * 60_000 + 20_000;
        let value_us = 2_400_000 + minute * 2_000;
        let interval = soak.minute(usize::try_from(minute).unwrap());
        let slow = |count| timing(value_us, count, at_ms, &run_id(minute));
        match kpi {
            Kpi::StartToLogP95 | Kpi::StartToLogP99 => drop(interval.timings.insert(Timing::StartToLog, slow(3))),
            Kpi::PublishSearchDelay => {
                let slow = timing(value_us * 5, 1, at_ms, &format!("soak-agent@1.0.0-{minute}"));
                interval.timings.insert(Timing::PublishToSearch, slow);
            }
            _ => {
                let (source, events) = match kpi {
                    Kpi::JudgeP95 => (Source::Judge, Timing::JudgeEvent),
                    Kpi::ShieldP95 => (Source::Shield, Timing::ShieldEvent),
                    _ => (Source::SseWrite, Timing::EventDelivery),
                };
                interval.timings.insert(events, timing(400_000 + minute * 100, 3, at_ms, &run_id(minute)));
                let counts = &mut interval.sources.get_mut(&source).unwrap().counts;
                counts[4] = counts[0];
                counts[0] = 0;
            }
        }
    }
}

fn offences(soak: &mut Soak, kpi: Kpi) {
    let (run, version) = (run_id(41), "soak-agent@1.0.0-3".to_owned());
    let stream = "4".to_owned();
    let finding = match kpi {
        Kpi::SseDuplicates => {
            add(soak.minute(41), Counter::EventsDuplicated, 3);
            let (id, line) = ("1841".into(), "demo-enricher starts".into());
            let why = "19 other clients did not get it so often".into();
            Finding::EventDuplicated { stream, run, id, same_id: false, line, why }
        }
        Kpi::SseGaps => {
            add(soak.minute(41), Counter::EventsMissed, 1);
            let (id, line) = ("1841".into(), "demo-enricher starts".into());
            Finding::EventMissed { stream, run, id, seen_by: 19, line, why: String::new() }
        }
        Kpi::RegistryConsistency => {
            add(soak.minute(41), Counter::VersionsLost, 1);
            let answer = "200 {\"agents\":[],\"total\":0}".into();
            Finding::VersionLost { version, workspace: "s2-other".into(), answer }
        }
        Kpi::TamperedManifests => {
            take(soak.minute(41), Counter::TamperedRejected, 1);
            Finding::TamperAccepted { version, answer: "201 {\"success\":true}".into() }
        }
        Kpi::InjectionsBlocked => {
            take(soak.minute(47), Counter::InjectionsBlocked, 1);
            let probe = "ignore-previous".into();
            Finding::InjectionAccepted { probe, run, answer: "201 {\"success\":true}".into() }
        }
        Kpi::PiiMasked => {
            take(soak.minute(47), Counter::PiiMasked, 1);
            Finding::PiiLeaked { probe: "card number".into(), run, place: "GET /api/runs/{id}, output".into() }
        }
        _ => {
            add(soak.minute(44), Counter::CanariesLeaked, 1);
            Finding::PlaintextLeaked { run, place: "the run's own log stream".into() }
        }
    };
    soak.happens(2_485_000, finding);
}

fn drifting(soak: Soak, kpi: Kpi) -> Soak {
    soak.each(|interval| {
        #[expect(clippy::cast_precision_loss, reason = "a few minutes")]
        let minute = (interval.from_ms / 60_000) as f64;
        let (gauge, slope) = match kpi {
            Kpi::RssDrift => (Gauge::GatewayRss, 250_000.0),
            Kpi::FdDrift => (Gauge::GatewayFdSurplus, 0.2),
            Kpi::SseConnectionDrift => (Gauge::GatewaySseSurplus, 0.2),
            Kpi::QueueDrift => (Gauge::GatewayQueueDepth, 0.15),
            _ => (Gauge::ClockOffset, 8.0),
        };
        let GaugeSummary { min, max, last, .. } = interval.gauges.get_mut(&gauge).unwrap();
        for value in [min, max, last] {
            *value += slope * minute;
        }
    })
}

/// A healthy soak whose gateway has no `/metrics`.
pub(crate) fn without_metrics() -> Soak {
    let scraped = [Gauge::GatewayRss, Gauge::GatewayFdSurplus, Gauge::GatewaySseSurplus, Gauge::GatewayQueueDepth];
    let mut soak = Soak::healthy(Suite::Full).each(|interval| {
        interval.sources.clear();
        interval.gauges.retain(|gauge, _| !scraped.contains(gauge));
        interval.counters.insert(Counter::ScrapesOk, 0);
    });
    for at_ms in [10, 20_010] {
        let finding = Finding::SourceFailed { source: "GET /metrics".into(), answer: "404 not found".into() };
        soak.happens(at_ms, finding);
    }
    soak
}

/// Whether the interval is out of chaos windows.
pub(crate) fn is_steady(interval: &Interval) -> bool {
    interval.phase == Phase::Steady
}
