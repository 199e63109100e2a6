//! What a judgement is called in a sentence. Each reads well before "is".

use crate::{
    judge::{Judged, Judgement, Unit},
    plan::{HarnessCheck, Kpi},
};

/// The subject of a sentence about a judgement.
pub(super) fn title(judgement: &Judgement) -> String {
    let name = judgement.name.as_str();
    let known = match judgement.kind {
        Judged::Kpi => Kpi::from_name(name).map(of_kpi),
        // Of its two conditions the one that is shown is told by its unit.
        Judged::Harness if judgement.unit == Unit::Millis => Some("the p99 of how late planned starts were"),
        Judged::Harness => HarnessCheck::from_name(name).map(of_check),
        Judged::Workload => return format!("workload {name}"),
    };
    known.map_or_else(|| name.to_owned(), str::to_owned)
}

const fn of_kpi(kpi: Kpi) -> &'static str {
    match kpi {
        Kpi::Availability => "availability",
        Kpi::RunSuccess => "run success",
        Kpi::StartToLogP95 => "start-to-log p95",
        Kpi::StartToLogP99 => "start-to-log p99",
        Kpi::JudgeP95 => "judge p95",
        Kpi::ShieldP95 => "shield p95",
        Kpi::SseWriteP99 => "SSE write p99",
        Kpi::SseReconnectSuccess => "SSE reconnect success",
        Kpi::SseReconnectRate => "SSE reconnect rate",
        Kpi::SseDuplicates => "the number of SSE events delivered twice",
        Kpi::SseGaps => "the number of SSE events that did not come",
        Kpi::ErrorRateSteady => "the error rate out of chaos windows",
        Kpi::ErrorRateChaos => "the error rate in chaos windows",
        Kpi::PublishSearchDelay => "the slowest publish-to-search delay",
        Kpi::RegistryConsistency => "registry consistency",
        Kpi::TamperedManifests => "the share of tampered manifests rejected",
        Kpi::InjectionsBlocked => "the share of prompt injections refused",
        Kpi::PiiMasked => "the share of personal data masked",
        Kpi::PlaintextLeaks => "the number of canaries shown in plain text",
        Kpi::RssDrift => "growth of the gateway's memory (RSS)",
        Kpi::FdDrift => "growth of the gateway's open descriptors beyond our own",
        Kpi::SseConnectionDrift => "growth of streams the gateway counts beyond ours",
        Kpi::QueueDrift => "growth of the gateway's run queue",
        Kpi::ClockDrift => "drift of the gateway's clock against ours",
        Kpi::ChaosRecovery => "the slowest recovery from chaos",
    }
}

const fn of_check(check: HarnessCheck) -> &'static str {
    match check {
        HarnessCheck::NoFatalErrors => "the number of fatal errors of the harness",
        HarnessCheck::Heartbeats => "the number of heartbeats on time",
        HarnessCheck::FullDuration => "the plan's full duration",
        HarnessCheck::LoadDelivered => "the share of planned starts that happened",
        HarnessCheck::SelfDrift => "growth of the harness's own memory (RSS)",
    }
}
