//! The input of the judge of a KPI.

use crate::{
    catalog::Kpi,
    history::History,
    judge::{Judged, Note, Targets, verdict::assessment::Assessment},
    plan::Plan,
};

/// The input of the judge of a KPI.
#[derive(Debug, Clone, Copy)]
pub(in crate::judge) struct Case<'a> {
    pub(in crate::judge) kpi: Kpi,
    pub(in crate::judge) plan: &'a Plan,
    pub(in crate::judge) targets: &'a Targets,
    pub(in crate::judge) history: &'a History,
}

impl Case<'_> {
    /// Findings about this KPI, with nothing found yet.
    pub(in crate::judge) fn open(self, sample_name: &str) -> Assessment {
        let target = self.targets.target(self.kpi);
        let mut findings = Assessment::new(Judged::Kpi, self.kpi.name(), self.kpi.spec().unit, target, sample_name);
        let planned = self.plan.promises.get(self.kpi);
        findings.promised = self.plan.expected_samples(self.kpi, &self.history.timeline.windows_ms);
        if findings.promised < planned {
            findings.evidence.notes.push(Note::WindowsOpenLonger { expected: findings.promised, planned });
        }
        findings
    }

    /// The quantile that is judged; the greatest where the KPI is none.
    pub(in crate::judge) fn quantile(self) -> f64 {
        self.kpi.spec().quantile.unwrap_or(1.0)
    }

    /// The limit of the KPI's target, in its unit.
    pub(in crate::judge) fn limit(self) -> f64 {
        self.targets.target(self.kpi).limit()
    }
}
