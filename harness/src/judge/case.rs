//! What a judge of a KPI is given.

use super::{Digest, Judged, Targets, conclude::Findings};
use crate::{catalog::Kpi, plan::Plan};

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
        let mut findings = Findings::new(Judged::Kpi, self.kpi.name(), self.kpi.spec().unit, target, sample_name);
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

    /// The quantile that is judged; the greatest where the KPI is none.
    pub(super) fn quantile(self) -> f64 {
        self.kpi.spec().quantile.unwrap_or(1.0)
    }

    /// The limit of the KPI's target, in its unit.
    pub(super) fn limit(self) -> f64 {
        self.targets.target(self.kpi).limit()
    }
}
