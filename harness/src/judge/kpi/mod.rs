//! Which judge a KPI has, and which failures no further data can undo.

pub(crate) mod arrivals;
pub(crate) mod backdate;
pub(crate) mod case;
pub(crate) mod chaos;
pub(crate) mod clock;
pub(crate) mod drift;
pub(crate) mod held_back;
pub(crate) mod latency;
pub(crate) mod lateness;
pub(crate) mod missing_samples;
pub(crate) mod process_segment;
pub(crate) mod processes;
pub(crate) mod quantiles;
pub(crate) mod rates;
pub(crate) mod registry;
pub(crate) mod restarts;
pub(crate) mod retained;
pub(crate) mod safety;
pub(crate) mod scale;
pub(crate) mod streams;
pub(crate) mod undercount;

use crate::{
    catalog::{Kpi, Target},
    history::{History, Scope, ViolationKind},
    journal::{Counter, Gauge, Source, Timing},
    judge::{
        Judgement, Targets,
        kpi::{case::Case, rates::Part},
        stats::as_value,
        verdict::assessment::Assessment,
    },
    plan::Plan,
};

type KpiJudge = fn(Case<'_>) -> Assessment;
/// Whether a KPI is missed already and no further data can undo it.
type IsMissed = fn(&History, Target) -> bool;

/// The judge of each KPI. Those of which one bad sample is proof, and those whose value is the worst of all samples,
/// can be missed before the end of the soak.
const fn judge_of(kpi: Kpi) -> (KpiJudge, Option<IsMissed>) {
    match kpi {
        Kpi::Availability => (rates::availability, None),
        Kpi::RunSuccess => (rates::run_success, None),
        Kpi::StartToLogP95 | Kpi::StartToLogP99 => (latency::start_to_log, None),
        Kpi::JudgeP95 => (|case| latency::by_histogram(case, Source::Judge, Timing::JudgeEvent), None),
        Kpi::ShieldP95 => (|case| latency::by_histogram(case, Source::Shield, Timing::ShieldEvent), None),
        Kpi::SseWriteP99 => (|case| latency::by_histogram(case, Source::SseWrite, Timing::EventDelivery), None),
        Kpi::SseReconnectSuccess => {
            let judge: KpiJudge = |case| {
                let (part, kind) = (Part::Good(Counter::ReconnectsOk), ViolationKind::ReconnectFailed);
                rates::share(case, part, Counter::ReconnectAttempts, Scope::Steady, kind, "reconnect attempts")
            };
            (judge, None)
        }
        Kpi::SseReconnectRate => (rates::reconnect_rate, None),
        Kpi::SseDuplicates => {
            (streams::duplicates, Some(|history, target| exceed(history, target, Counter::EventsDuplicated)))
        }
        Kpi::SseGaps => (streams::gaps, Some(|history, target| exceed(history, target, Counter::EventsMissed))),
        Kpi::ErrorRateSteady => (|case| rates::errors(case, Scope::Steady), None),
        Kpi::ErrorRateChaos => (|case| rates::errors(case, Scope::Chaos), None),
        Kpi::PublishSearchDelay => (registry::publish_search_delay, Some(is_found_too_late)),
        Kpi::RegistryConsistency => (registry::consistency, Some(is_version_lost)),
        Kpi::TamperedManifests => {
            let is_missed: IsMissed = |history, target| is_refuted(history, target, ViolationKind::TamperAccepted);
            (registry::tampered_manifests, Some(is_missed))
        }
        Kpi::InjectionsBlocked => {
            let is_missed: IsMissed = |history, target| is_refuted(history, target, ViolationKind::InjectionAccepted);
            (safety::injections_blocked, Some(is_missed))
        }
        Kpi::PiiMasked => {
            (safety::pii_masked, Some(|history, target| is_refuted(history, target, ViolationKind::PiiLeaked)))
        }
        Kpi::PlaintextLeaks => {
            (safety::plaintext_leaks, Some(|history, target| !target.is_met_by(as_value(safety::leaks(history)))))
        }
        Kpi::RssDrift => (|case| drift::of_gateway(case, Gauge::GatewayRss), None),
        Kpi::FdDrift => (|case| drift::of_gateway(case, Gauge::GatewayFdSurplus), None),
        Kpi::SseConnectionDrift => (|case| drift::of_gateway(case, Gauge::GatewaySseSurplus), None),
        Kpi::QueueDrift => (|case| drift::of_gateway(case, Gauge::GatewayQueueDepth), None),
        Kpi::ClockDrift => (clock::drift, None),
        Kpi::ChaosRecovery => (chaos::recovery, Some(chaos::is_too_slow)),
    }
}

pub(crate) fn judge(kpi: Kpi, plan: &Plan, targets: &Targets, history: &History) -> Judgement {
    let mut found = (judge_of(kpi).0)(Case { kpi, plan, targets, history });
    found.lack.extend(missing_samples::of_routes(kpi, plan, history));
    processes::note(&mut found, kpi, history);
    restarts::note(&history.timeline.lives, &mut found, kpi);
    missing_samples::into_judgement(found, plan, history)
}

/// Whether the KPI can be missed for good before the end of the soak. For the others there is no need to look.
pub(crate) const fn may_be_certain_early(kpi: Kpi) -> bool {
    judge_of(kpi).1.is_some()
}

/// Whether the KPI is missed already, and no further data can undo it: a trial may go red at once. Measured by the
/// targets that the history was made with.
pub(crate) fn is_already_certain(kpi: Kpi, targets: &Targets, history: &History) -> bool {
    judge_of(kpi).1.is_some_and(|is_missed| is_missed(history, targets.target(kpi)))
}

/// Whether more was counted than the target allows.
fn exceed(history: &History, target: Target, counter: Counter) -> bool {
    !target.is_met_by(as_value(history.totals.counter(counter, Scope::All)))
}

/// Whether there is a violation and the target is 100 %. With a lower target later samples may compensate for it. A
/// request without an answer yet is no violation, so only observed failures count.
fn is_refuted(history: &History, target: Target, kind: ViolationKind) -> bool {
    target.limit() >= 100.0 && history.violations.count(kind, Scope::All) > 0
}

fn is_version_lost(history: &History, target: Target) -> bool {
    target.limit() >= 100.0 && history.totals.counter(Counter::VersionsLost, Scope::All) > 0
}

fn is_found_too_late(history: &History, target: Target) -> bool {
    let slowest = history.totals.quantiles(Timing::PublishToSearch, Scope::All).map(|q| q.max_ms / 1_000.0);
    history.violations.count(ViolationKind::VersionNotFound, Scope::All) > 0
        || slowest.is_some_and(|slowest| !target.is_met_by(slowest))
}
