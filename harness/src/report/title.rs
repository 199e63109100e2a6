//! The name of a judgement in a sentence. Each reads well before "is".

use crate::{
    catalog::{HarnessCheck, Kpi, Unit},
    judge::{Judged, Judgement},
};

/// The subject of a sentence about a judgement.
pub(super) fn title(judgement: &Judgement) -> String {
    let name = judgement.name.as_str();
    let known = match judgement.kind {
        Judged::Kpi => Kpi::from_name(name).map(|kpi| kpi.spec().title),
        // The unit tells which of the check's two conditions is shown.
        Judged::Harness if judgement.unit == Unit::Millis => Some("the p99 of how late planned starts were"),
        Judged::Harness => HarnessCheck::from_name(name).map(of_check),
        Judged::Workload => return format!("workload {name}"),
    };
    known.map_or_else(|| name.to_owned(), str::to_owned)
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
