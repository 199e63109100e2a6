//! All KPIs at a glance.

use super::{
    TerminalLook,
    look::{padded_left, padded_name, width},
    number,
};
use crate::{
    catalog::{Kpi, Workload},
    judge::{Judged, Judgement, Verdict, Verdicts},
    plan::Unsupported,
};

const HEAD: [&str; 5] = ["KPI", "value", "target", "samples / promised", "verdict"];
const BETWEEN: usize = 2;
/// What is shown where, from the widest to the narrowest: what it is held against can be read elsewhere, and its name and
/// the verdict on it cannot.
const COLUMNS: [&[usize]; 3] = [&[0, 1, 2, 3, 4], &[0, 1, 2, 4], &[0, 1, 4]];

/// A table of the KPIs, one a line: name, value, target, samples of those promised, verdict. On a narrow terminal columns
/// are left out, and no line wraps. Ends with a line feed.
#[must_use]
pub fn kpi_table(verdicts: &Verdicts, waived: &Unsupported, look: TerminalLook) -> String {
    let head = (None, HEAD.map(str::to_owned));
    let rows = verdicts.kpis.iter().map(|judgement| {
        let verdict = waiver(judgement, waived).is_none().then_some(judgement.verdict);
        (Some(verdict), cells(judgement, waived))
    });
    let rows: Vec<(Option<Option<Verdict>>, [String; 5])> = std::iter::once(head).chain(rows).collect();
    let widest = |column: usize| rows.iter().map(|(_, cells)| width(&cells[column])).max().unwrap_or(0);
    let mut widths: [usize; 5] = std::array::from_fn(widest);
    let taken = |columns: &[usize]| columns.iter().map(|n| widths[*n]).sum::<usize>() + BETWEEN * (columns.len() - 1);
    let narrowest = COLUMNS[COLUMNS.len() - 1];
    let columns = COLUMNS.into_iter().find(|columns| taken(columns) <= look.columns).unwrap_or(narrowest);
    // What is still too wide is cut where it says least: in the name.
    widths[0] -= taken(columns).saturating_sub(look.columns).min(widths[0] - 1);
    let mut table = String::new();
    for (verdict, cells) in &rows {
        let shown = columns.iter().map(|n| match n {
            0 => padded_name(&cells[0], widths[0]),
            4 => verdict.map_or_else(|| cells[4].clone(), |verdict| look.of_verdict(verdict, &cells[4])),
            n => padded_left(&cells[*n], widths[*n]),
        });
        let line = shown.collect::<Vec<_>>().join(&" ".repeat(BETWEEN));
        table.push_str(&look.fit(&line));
        table.push('\n');
    }
    table
}

/// Name, value, target, samples of those promised, verdict.
pub(super) fn cells(judgement: &Judgement, waived: &Unsupported) -> [String; 5] {
    let value = judgement.value.map(|value| number::value(value, judgement.unit, judgement.target));
    let verdict = match (waiver(judgement, waived), judgement.verdict) {
        (Some(_), _) => "waived",
        (None, Verdict::Pass) => "pass",
        (None, Verdict::Unproven) => "UNPROVEN",
        (None, Verdict::Fail) => "FAIL",
    };
    [
        judgement.name.clone(),
        value.unwrap_or_else(|| "–".to_owned()),
        number::target_signed(judgement.target, judgement.unit),
        format!("{} / {}", number::count(judgement.samples), number::count(judgement.promised)),
        verdict.to_owned(),
    ]
}

/// Why something is not judged, where it is waived.
pub(super) fn waiver<'a>(judgement: &Judgement, waived: &'a Unsupported) -> Option<&'a str> {
    let reason = match judgement.kind {
        Judged::Kpi => waived.kpis.get(&Kpi::from_name(&judgement.name)?),
        Judged::Workload => waived.workloads.get(&Workload::from_name(&judgement.name)?),
        Judged::Harness => None,
    };
    reason.map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{judge::fixtures::sick::diagnosis, snapshots::assert_snapshot};

    fn table(columns: usize, is_coloured: bool) -> String {
        let mut verdicts = diagnosis(Kpi::StartToLogP99).verdicts.clone();
        verdicts.kpis[6].verdict = Verdict::Unproven;
        let waived =
            Unsupported { kpis: [(Kpi::RssDrift, "until 4711 is fixed".to_owned())].into(), ..Unsupported::default() };
        kpi_table(&verdicts, &waived, TerminalLook { columns, is_coloured })
    }

    #[test]
    fn the_table_fits_the_terminal() {
        let tables = [40, 80, 120].map(|columns| format!("{columns} columns\n{}", table(columns, false)));
        assert_snapshot("kpi_table_widths", &tables.join("\n"));
        for columns in 10..130 {
            let table = table(columns, true);
            assert!(table.lines().all(|line| width(line) <= columns), "{columns} columns\n{table}");
        }
    }

    #[test]
    fn only_verdicts_are_coloured_and_only_where_that_is_wanted() {
        assert_snapshot("kpi_table_coloured", &table(80, true).replace('\u{1b}', "<ESC>"));
        assert!(!table(80, false).contains('\u{1b}'));
        let stripped = console::strip_ansi_codes(&table(80, true)).into_owned();
        assert_eq!(table(80, false), stripped);
    }
}
