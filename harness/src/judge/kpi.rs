//! Which judge a KPI has, and which failures no further data can undo.

use super::{
    Digest, Judged, Judgement, Scope, Targets, cause, chaos, clock, conclude::Findings, drift, incidents::Offence,
    latency, processes, rates, registry, safety, streams, targets::unit,
};
use crate::{
    journal::{Counter, Gauge, Source, Timing},
    plan::{Kpi, Plan},
};

/// Judges one KPI.
pub(super) fn judge(kpi: Kpi, plan: &Plan, targets: &Targets, digest: &Digest) -> Judgement {
    let case = Case { kpi, plan, targets, digest };
    let mut found = match kpi {
        Kpi::Availability => rates::availability(case),
        Kpi::RunSuccess => rates::run_success(case),
        Kpi::StartToLogP95 => latency::start_to_log(case, 0.95),
        Kpi::StartToLogP99 => latency::start_to_log(case, 0.99),
        Kpi::JudgeP95 => latency::by_histogram(case, 0.95, Source::Judge, Timing::JudgeEvent),
        Kpi::ShieldP95 => latency::by_histogram(case, 0.95, Source::Shield, Timing::ShieldEvent),
        Kpi::SseWriteP99 => latency::by_histogram(case, 0.99, Source::SseWrite, Timing::EventDelivery),
        Kpi::SseReconnectSuccess => rates::reconnect_success(case),
        Kpi::SseReconnectRate => rates::reconnect_rate(case),
        Kpi::SseDuplicates => streams::duplicates(case),
        Kpi::SseGaps => streams::gaps(case),
        Kpi::ErrorRateSteady => rates::errors(case, Scope::Steady),
        Kpi::ErrorRateChaos => rates::errors(case, Scope::Chaos),
        Kpi::PublishSearchDelay => registry::publish_search_delay(case),
        Kpi::RegistryConsistency => registry::consistency(case),
        Kpi::TamperedManifests => registry::tampered_manifests(case),
        Kpi::InjectionsBlocked => safety::injections_blocked(case),
        Kpi::PiiMasked => safety::pii_masked(case),
        Kpi::PlaintextLeaks => safety::plaintext_leaks(case),
        Kpi::RssDrift => drift::of_gateway(case, Gauge::GatewayRss),
        Kpi::FdDrift => drift::of_gateway(case, Gauge::GatewayFdSurplus),
        Kpi::SseConnectionDrift => drift::of_gateway(case, Gauge::GatewaySseSurplus),
        Kpi::QueueDrift => drift::of_gateway(case, Gauge::GatewayQueueDepth),
        Kpi::ClockDrift => clock::drift(case),
        Kpi::ChaosRecovery => chaos::recovery(case),
    };
    let causes: Vec<String> = found.lack.take().into_iter().chain(cause::of_routes(kpi, plan, digest)).collect();
    found.lack = (!causes.is_empty()).then(|| causes.join("; "));
    processes::tell(&mut found, kpi, digest);
    digest.story.lives.tell(&mut found, kpi);
    found.conclude(plan, digest)
}

/// What a judge of a KPI is given.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case<'a> {
    pub(super) kpi: Kpi,
    pub(super) plan: &'a Plan,
    pub(super) targets: &'a Targets,
    pub(super) digest: &'a Digest,
}

impl Case<'_> {
    /// Findings about this KPI, with nothing found yet.
    pub(super) fn open(self, sample_name: &str) -> Findings {
        let target = self.targets.target(self.kpi);
        let mut findings = Findings::new(Judged::Kpi, self.kpi.name(), unit(self.kpi), target, sample_name);
        let planned = self.plan.promises.get(self.kpi);
        findings.promised = self.plan.promised(self.kpi, &self.digest.story.windows_ms);
        if findings.promised < planned {
            let promised = findings.promised;
            let note = format!(
                "chaos windows were open for longer than planned: {promised} samples are expected, not {planned}"
            );
            findings.evidence.notes.push(note);
        }
        findings
    }

    /// The limit of the KPI's target, in its unit.
    pub(super) fn limit(self) -> f64 {
        self.targets.target(self.kpi).limit()
    }
}

/// Whether the KPI can be missed for good before the end of the soak. For the others there is no need to look.
#[must_use]
pub const fn may_be_certain_early(kpi: Kpi) -> bool {
    matches!(
        kpi,
        Kpi::SseDuplicates
            | Kpi::SseGaps
            | Kpi::PlaintextLeaks
            | Kpi::RegistryConsistency
            | Kpi::TamperedManifests
            | Kpi::InjectionsBlocked
            | Kpi::PiiMasked
            | Kpi::PublishSearchDelay
            | Kpi::ChaosRecovery
    )
}

/// Whether the KPI is missed already, and no further data can undo it: a trial may go red at once.
///
/// These are the KPIs of which one bad sample is proof, and those whose value is the worst of all samples. Measured by
/// the targets that the digest was made with.
#[must_use]
pub fn is_already_certain(kpi: Kpi, digest: &Digest) -> bool {
    if !may_be_certain_early(kpi) {
        return false;
    }
    let target = digest.targets.target(kpi);
    let incidents = |offence| digest.incidents.count(offence, Scope::All);
    #[expect(clippy::cast_precision_loss, reason = "counts of offences are small")]
    let exceeds = |count: u64| !target.is_met_by(count as f64);
    match kpi {
        Kpi::SseDuplicates => exceeds(digest.counter(Counter::EventsDuplicated, Scope::All)),
        Kpi::SseGaps => exceeds(digest.counter(Counter::EventsMissed, Scope::All)),
        Kpi::PlaintextLeaks => exceeds(safety::leaks(digest)),
        // Shares: with the target at 100 % one is enough; with a lower one it may be made good by those to come. What
        // was sent and not yet answered is no offence, so only what was seen to go wrong counts.
        Kpi::RegistryConsistency => target.limit() >= 100.0 && digest.counter(Counter::VersionsLost, Scope::All) > 0,
        Kpi::TamperedManifests => target.limit() >= 100.0 && incidents(Offence::TamperAccepted) > 0,
        Kpi::InjectionsBlocked => target.limit() >= 100.0 && incidents(Offence::InjectionAccepted) > 0,
        Kpi::PiiMasked => target.limit() >= 100.0 && incidents(Offence::PiiLeaked) > 0,
        Kpi::PublishSearchDelay => {
            let slowest = digest.quantiles(Timing::PublishToSearch, Scope::All).map(|q| q.max_ms / 1_000.0);
            incidents(Offence::VersionNotFound) > 0 || slowest.is_some_and(|slowest| !target.is_met_by(slowest))
        }
        Kpi::ChaosRecovery => chaos::is_too_slow(digest, target),
        _ => false,
    }
}
