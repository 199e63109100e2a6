//! The result set: every judgement with its status, decided in one place.
//!
//! A [`Results`] is made from a record at a moment. All renderers take it, so all output files, the live page and the
//! terminal agree about each judgement.

mod row;
mod waivers;

pub(crate) use row::{Row, Stage, Status};
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
    pub(crate) suite: Suite,
    /// The judgements on KPIs, workloads and the harness, each kind in the order of its names' `ALL`.
    pub(crate) rows: Vec<Row>,
    pub(crate) chaos: Vec<ChaosReport>,
    pub(crate) comparison: Option<Comparison>,
    /// All waivers, also of KPIs and workloads that the suite does not judge.
    pub(crate) waivers: Waivers,
}

impl Results {
    /// Judges a record. At any stage, a record with an end is over.
    pub(crate) fn of(plan: &Plan, targets: &Targets, history: &History, waivers: &Waivers, stage: Stage) -> Self {
        let is_over = stage == Stage::Over || history.timeline.end().is_some();
        // A workload or a check that has not played its plan yet is no failure.
        let is_missed_for_good = |judgement: &Judgement| {
            let kpi = Kpi::from_name(&judgement.name).filter(|_| judgement.kind == Judged::Kpi);
            judgement.verdict == Verdict::Fail && kpi.is_some_and(|kpi| is_already_certain(kpi, targets, history))
        };
        let verdicts = judge(plan, targets, history);
        Self::new(plan.suite, verdicts, waivers, |judgement| is_over || is_missed_for_good(judgement))
    }

    pub(crate) fn new(suite: Suite, of: Verdicts, waivers: &Waivers, is_final: impl Fn(&Judgement) -> bool) -> Self {
        let row = |of: Judgement| Row { status: Status::of(&of, waivers, is_final(&of)), judgement: of };
        let rows = of.kpis.into_iter().chain(of.workloads).chain(of.harness).map(row).collect();
        Self { suite, rows, chaos: of.chaos, comparison: of.comparison, waivers: waivers.clone() }
    }

    /// The row of a judgement; none where the suite does not judge it.
    pub(crate) fn row(&self, kind: Judged, name: &str) -> Option<&Row> {
        self.of_kind(kind).find(|row| row.judgement.name == name)
    }

    pub(crate) fn of_kind(&self, kind: Judged) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.judgement.kind == kind)
    }

    /// All rows, the worst first. Rows of equal status keep their order.
    pub(crate) fn worst_first(&self) -> Vec<&Row> {
        let mut rows: Vec<&Row> = self.rows.iter().collect();
        rows.sort_by_key(|row| row.status.rank());
        rows
    }

    /// The number of rows of each status, the worst first: its word, and a text such as `3 failed`. A status without
    /// rows is left out, except for `0 passed`.
    pub(crate) fn counts(&self) -> Vec<(&'static str, String)> {
        let count = |word| self.rows.iter().filter(|row| row.status.word() == word).count();
        let counts = Status::WORDS.iter().map(|(word, counted)| (*word, *counted, count(*word)));
        let counts = counts.filter(|(word, _, n)| *n > 0 || *word == Status::Pass.word());
        counts.map(|(word, counted, n)| (word, format!("{n} {counted}"))).collect()
    }

    /// The worst verdict of all that is not waived; unproven where nothing is judged.
    pub(crate) fn overall(&self) -> Verdict {
        self.rows.iter().filter_map(|row| row.status.verdict()).max().unwrap_or(Verdict::Unproven)
    }

    /// The KPIs that have used most of the budget of their targets, missed targets first. KPIs that are waived or have
    /// no value yet are left out.
    pub(crate) fn closest_to_target(&self, count_max: usize) -> Vec<&Row> {
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
