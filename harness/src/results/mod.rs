//! The result set: every judgement with its status, decided in one place.
//!
//! A [`Results`] is made from a record at a moment. Every renderer takes it, so all output files, the live page and the terminal
//! agree about each judgement at every moment.

mod row;
mod waivers;

pub use row::{Row, Stage, Status};
use serde::{Deserialize, Serialize};
pub use waivers::Waivers;

use crate::{
    catalog::{Kpi, Suite},
    history::History,
    judge::{ChaosReport, Comparison, Judged, Judgement, Targets, Verdict, Verdicts, is_already_certain, judge},
    plan::Plan,
};

/// The results of a soak at a moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// The suite that was played.
    pub suite: Suite,
    /// The judgements on KPIs, workloads and the harness, each kind in the order of its names' `ALL`.
    pub rows: Vec<Row>,
    /// The state of each planned chaos event, in order.
    pub chaos: Vec<ChaosReport>,
    /// The changes since an earlier run, where there is one to compare with.
    pub comparison: Option<Comparison>,
    /// Everything that is waived, also what the suite does not judge.
    pub waivers: Waivers,
}

impl Results {
    /// Judges a record. `stage` says whether the soak goes on; a record that has an end is over in any case.
    #[must_use]
    pub fn of(plan: &Plan, targets: &Targets, history: &History, waivers: &Waivers, stage: Stage) -> Self {
        let is_over = stage == Stage::Over || history.timeline.end().is_some();
        // A workload or a check that has not played its plan yet looks like a failure and is none.
        let is_missed_for_good = |judgement: &Judgement| {
            let kpi = Kpi::from_name(&judgement.name).filter(|_| judgement.kind == Judged::Kpi);
            judgement.verdict == Verdict::Fail && kpi.is_some_and(|kpi| is_already_certain(kpi, targets, history))
        };
        let verdicts = judge(plan, targets, history);
        Self::new(plan.suite, verdicts, waivers, |judgement| is_over || is_missed_for_good(judgement))
    }

    /// Gives each verdict its status.
    pub(crate) fn new(suite: Suite, of: Verdicts, waivers: &Waivers, is_final: impl Fn(&Judgement) -> bool) -> Self {
        let row = |of: Judgement| Row { status: Status::of(&of, waivers, is_final(&of)), judgement: of };
        let rows = of.kpis.into_iter().chain(of.workloads).chain(of.harness).map(row).collect();
        Self { suite, rows, chaos: of.chaos, comparison: of.comparison, waivers: waivers.clone() }
    }

    /// The row of a judgement; none where the suite does not judge it.
    #[must_use]
    pub fn row(&self, kind: Judged, name: &str) -> Option<&Row> {
        self.of_kind(kind).find(|row| row.judgement.name == name)
    }

    /// The rows of one kind.
    pub fn of_kind(&self, kind: Judged) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.judgement.kind == kind)
    }

    /// All rows, the worst first. Rows of equal status keep their order.
    #[must_use]
    pub fn worst_first(&self) -> Vec<&Row> {
        let mut rows: Vec<&Row> = self.rows.iter().collect();
        rows.sort_by_key(|row| row.status.rank());
        rows
    }

    /// The counts that a reader wants, the worst first: the status's word, and a text such as `3 failed`. A status that no row has
    /// is left out, except for `0 passed`.
    #[must_use]
    pub fn counts(&self) -> Vec<(&'static str, String)> {
        let count = |word| self.rows.iter().filter(|row| row.status.word() == word).count();
        let counts = Status::WORDS.iter().map(|(word, counted)| (*word, *counted, count(*word)));
        let counts = counts.filter(|(word, _, n)| *n > 0 || *word == Status::Pass.word());
        counts.map(|(word, counted, n)| (word, format!("{n} {counted}"))).collect()
    }

    /// The gravest verdict of everything that is not waived; unproven where nothing is judged.
    #[must_use]
    pub fn overall(&self) -> Verdict {
        self.rows.iter().filter_map(|row| row.status.verdict()).max().unwrap_or(Verdict::Unproven)
    }

    /// The KPIs that have used most of the budget that their targets allow, the closest to its target first. Missed targets come
    /// before all others. KPIs that are waived or have no value yet are left out.
    #[must_use]
    pub fn closest_to_target(&self, count_max: usize) -> Vec<&Row> {
        let judged = self.of_kind(Judged::Kpi).filter(|row| row.status.waiver().is_none());
        let mut by_use: Vec<(f64, &Row)> = judged.filter_map(|row| Some((row.judgement.budget_used()?, row))).collect();
        // Stable: KPIs that are equally close keep the order of the table.
        by_use.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        by_use.into_iter().take(count_max).map(|(_, row)| row).collect()
    }
}

#[cfg(test)]
mod agreement_tests;
#[cfg(test)]
mod tests;
