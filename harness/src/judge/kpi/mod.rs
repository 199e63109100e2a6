//! Which judge a KPI has, and which failures no further data can undo.

pub(in crate::judge) mod arrivals;
pub(in crate::judge) mod backdate;
pub(in crate::judge) mod case;
pub(in crate::judge) mod chaos;
pub(in crate::judge) mod clock;
pub(in crate::judge) mod drift;
pub(in crate::judge) mod held_back;
pub(in crate::judge) mod latency;
pub(in crate::judge) mod lateness;
pub(in crate::judge) mod missing_samples;
pub(in crate::judge) mod process_segment;
pub(in crate::judge) mod processes;
pub(in crate::judge) mod quantiles;
pub(in crate::judge) mod rates;
pub(in crate::judge) mod registry;
pub(in crate::judge) mod restarts;
pub(in crate::judge) mod retained;
pub(in crate::judge) mod safety;
pub(in crate::judge) mod scale;
pub(in crate::judge) mod streams;
pub(in crate::judge) mod undercount;

use crate::{
    catalog::{Kpi, Target},
    history::{History, Scope, ViolationKind},
    journal::{Counter, Gauge, Source, Timing},
    judge::{Judgement, Reason, Targets, kpi::case::Case, verdict::assessment::Assessment},
    plan::Plan,
};

/// How a KPI is judged.
struct KpiJudge {
    judge: fn(Case<'_>) -> Assessment,
    /// Whether the KPI is missed already and no further data can undo it; none where only the end of the soak can tell. These are
    /// the KPIs of which one bad sample is proof, and those whose value is the worst of all samples.
    is_certain: Option<fn(&History, Target) -> bool>,
}

/// How each KPI is judged.
const fn judge_of(kpi: Kpi) -> KpiJudge {
    const fn at_end(judge: fn(Case<'_>) -> Assessment) -> KpiJudge {
        KpiJudge { judge, is_certain: None }
    }
    const fn early(judge: fn(Case<'_>) -> Assessment, is_certain: fn(&History, Target) -> bool) -> KpiJudge {
        KpiJudge { judge, is_certain: Some(is_certain) }
    }
    match kpi {
        Kpi::Availability => at_end(rates::availability),
        Kpi::RunSuccess => at_end(rates::run_success),
        Kpi::StartToLogP95 | Kpi::StartToLogP99 => at_end(latency::start_to_log),
        Kpi::JudgeP95 => at_end(|case| latency::by_histogram(case, Source::Judge, Timing::JudgeEvent)),
        Kpi::ShieldP95 => at_end(|case| latency::by_histogram(case, Source::Shield, Timing::ShieldEvent)),
        Kpi::SseWriteP99 => at_end(|case| latency::by_histogram(case, Source::SseWrite, Timing::EventDelivery)),
        Kpi::SseReconnectSuccess => at_end(rates::reconnect_success),
        Kpi::SseReconnectRate => at_end(rates::reconnect_rate),
        Kpi::SseDuplicates => {
            early(streams::duplicates, |history, target| exceed(history, target, Counter::EventsDuplicated))
        }
        Kpi::SseGaps => early(streams::gaps, |history, target| exceed(history, target, Counter::EventsMissed)),
        Kpi::ErrorRateSteady => at_end(|case| rates::errors(case, Scope::Steady)),
        Kpi::ErrorRateChaos => at_end(|case| rates::errors(case, Scope::Chaos)),
        Kpi::PublishSearchDelay => early(registry::publish_search_delay, is_found_too_late),
        Kpi::RegistryConsistency => early(registry::consistency, |history, target| {
            is_all(target) && history.totals.counter(Counter::VersionsLost, Scope::All) > 0
        }),
        Kpi::TamperedManifests => early(registry::tampered_manifests, |history, target| {
            is_all(target) && history.violations.count(ViolationKind::TamperAccepted, Scope::All) > 0
        }),
        Kpi::InjectionsBlocked => early(safety::injections_blocked, |history, target| {
            is_all(target) && history.violations.count(ViolationKind::InjectionAccepted, Scope::All) > 0
        }),
        Kpi::PiiMasked => early(safety::pii_masked, |history, target| {
            is_all(target) && history.violations.count(ViolationKind::PiiLeaked, Scope::All) > 0
        }),
        Kpi::PlaintextLeaks => {
            early(safety::plaintext_leaks, |history, target| !target.is_met_by(as_value(safety::leaks(history))))
        }
        Kpi::RssDrift => at_end(|case| drift::of_gateway(case, Gauge::GatewayRss)),
        Kpi::FdDrift => at_end(|case| drift::of_gateway(case, Gauge::GatewayFdSurplus)),
        Kpi::SseConnectionDrift => at_end(|case| drift::of_gateway(case, Gauge::GatewaySseSurplus)),
        Kpi::QueueDrift => at_end(|case| drift::of_gateway(case, Gauge::GatewayQueueDepth)),
        Kpi::ClockDrift => at_end(clock::drift),
        Kpi::ChaosRecovery => early(chaos::recovery, chaos::is_too_slow),
    }
}

/// Judges one KPI.
pub(in crate::judge) fn judge(kpi: Kpi, plan: &Plan, targets: &Targets, history: &History) -> Judgement {
    let mut found = (judge_of(kpi).judge)(Case { kpi, plan, targets, history });
    found.lack.extend(missing_samples::of_routes(kpi, plan, history).map(Reason::Text));
    processes::note(&mut found, kpi, history);
    restarts::note(&history.timeline.lives, &mut found, kpi);
    missing_samples::into_judgement(found, plan, history)
}

/// Whether the KPI can be missed for good before the end of the soak. For the others there is no need to look.
#[must_use]
pub const fn may_be_certain_early(kpi: Kpi) -> bool {
    judge_of(kpi).is_certain.is_some()
}

/// Whether the KPI is missed already, and no further data can undo it: a trial may go red at once. Measured by the targets that
/// the history was made with.
#[must_use]
pub fn is_already_certain(kpi: Kpi, targets: &Targets, history: &History) -> bool {
    judge_of(kpi).is_certain.is_some_and(|is_certain| is_certain(history, targets.target(kpi)))
}

/// Whether more was counted than the target allows.
fn exceed(history: &History, target: Target, counter: Counter) -> bool {
    !target.is_met_by(as_value(history.totals.counter(counter, Scope::All)))
}

const fn as_value(count: u64) -> f64 {
    count as f64
}

/// Whether the target is a share of 100 %. Then one bad sample is enough; with a lower target later samples may
/// compensate for it. A request without an answer yet is no violation, so only observed failures count.
const fn is_all(target: Target) -> bool {
    target.limit() >= 100.0
}

fn is_found_too_late(history: &History, target: Target) -> bool {
    let slowest = history.totals.quantiles(Timing::PublishToSearch, Scope::All).map(|q| q.max_ms / 1_000.0);
    history.violations.count(ViolationKind::VersionNotFound, Scope::All) > 0
        || slowest.is_some_and(|slowest| !target.is_met_by(slowest))
}
