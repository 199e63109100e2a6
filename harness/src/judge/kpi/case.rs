//! The input of the judge of a KPI.

use crate::{
    catalog::Kpi,
    history::{History, Scope, Violation, ViolationKind},
    journal::{Counter, LatencyHistogram, Timing},
    judge::{Judged, Note, Targets, verdict::assessment::Assessment},
    plan::Plan,
};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Case<'a> {
    pub(crate) kpi: Kpi,
    pub(crate) plan: &'a Plan,
    pub(crate) targets: &'a Targets,
    pub(crate) history: &'a History,
}

impl Case<'_> {
    /// An assessment of this KPI without findings.
    pub(crate) fn open(self, sample_name: &str) -> Assessment {
        let target = self.targets.target(self.kpi);
        let mut found = Assessment::new(Judged::Kpi, self.kpi.name(), self.kpi.spec().unit, target, sample_name);
        let (expected, planned) = (self.expected(), self.plan.promises.get(self.kpi));
        found.promised = expected;
        if expected < planned {
            found.note(Note::WindowsOpenLonger { expected, planned });
        }
        found
    }

    /// The number of samples that the plan promises, less those of chaos windows that were open for too long.
    pub(crate) fn expected(self) -> u64 {
        self.plan.expected_samples(self.kpi, &self.history.timeline.windows_ms)
    }

    /// The quantile that is judged; the greatest where the KPI is none.
    pub(crate) fn quantile(self) -> f64 {
        self.kpi.spec().quantile.unwrap_or(1.0)
    }

    pub(crate) fn limit(self) -> f64 {
        self.targets.target(self.kpi).limit()
    }

    pub(crate) fn count(self, counter: Counter, scope: Scope) -> u64 {
        self.history.totals.counter(counter, scope)
    }

    /// The number of violations of a kind, and the first; none where there are none.
    pub(crate) fn violations(self, kind: ViolationKind) -> Option<(u64, Violation)> {
        let first = self.history.violations.first(kind, Scope::All).into_iter().next()?;
        Some((self.history.violations.count(kind, Scope::All), first))
    }

    pub(crate) fn histogram(self, timing: Timing, scope: Scope) -> LatencyHistogram {
        self.history.totals.histogram(timing, scope)
    }
}
