//! All verdicts at a glance.
use crate::judge::Verdicts;

/// A table of the KPIs: name, value, target, samples, verdict.
#[must_use]
pub fn kpi_table(verdicts: &Verdicts) -> String {
    verdicts.kpis.iter().map(|j| format!("{} {:?}\n", j.name, j.verdict)).collect()
}
