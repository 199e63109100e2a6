//! All KPIs at a glance.

use super::{
    TerminalLook,
    look::{padded_left, padded_name, width},
    number,
};
use crate::{
    judge::Judged,
    results::{Results, Row, Status},
};

const HEAD: [&str; 5] = ["KPI", "value", "target", "samples / promised", "verdict"];
const BETWEEN: usize = 2;
/// The columns to show, from the widest layout to the narrowest. Names and verdicts stay.
const COLUMNS: [&[usize]; 3] = [&[0, 1, 2, 3, 4], &[0, 1, 2, 4], &[0, 1, 4]];

/// A table of the KPIs. A narrow terminal gets fewer columns, and no line wraps. Ends with a line feed.
pub(crate) fn kpi_table(results: &Results, look: TerminalLook) -> String {
    let head = (None, HEAD.map(str::to_owned));
    let kpis = results.of_kind(Judged::Kpi).map(|row| (Some(&row.status), cells(row)));
    let rows: Vec<(Option<&Status>, [String; 5])> = std::iter::once(head).chain(kpis).collect();
    let widest = |column: usize| rows.iter().map(|(_, cells)| width(&cells[column])).max().unwrap_or(0);
    let mut widths: [usize; 5] = std::array::from_fn(widest);
    let taken = |columns: &[usize]| columns.iter().map(|n| widths[*n]).sum::<usize>() + BETWEEN * (columns.len() - 1);
    let narrowest = COLUMNS[COLUMNS.len() - 1];
    let columns = COLUMNS.into_iter().find(|columns| taken(columns) <= look.columns).unwrap_or(narrowest);
    // Names are cut if the table is still too wide.
    widths[0] -= taken(columns).saturating_sub(look.columns).min(widths[0] - 1);
    let mut table = String::new();
    for (status, cells) in &rows {
        let shown = columns.iter().map(|n| match n {
            0 => padded_name(&cells[0], widths[0]),
            4 => status.map_or_else(|| cells[4].clone(), |status| look.of_status(status, &cells[4])),
            n => padded_left(&cells[*n], widths[*n]),
        });
        let line = shown.collect::<Vec<_>>().join(&" ".repeat(BETWEEN));
        table += &(look.fit(&line) + "\n");
    }
    table
}

/// The cells below [`HEAD`].
pub(super) fn cells(Row { judgement, status }: &Row) -> [String; 5] {
    [
        judgement.name.clone(),
        number::value_or_dash(judgement.value, judgement.unit, judgement.target),
        number::target_signed(judgement.target, judgement.unit),
        format!("{} / {}", number::count(judgement.samples), number::count(judgement.promised)),
        if status.is_red() { status.word().to_uppercase() } else { status.word().to_owned() },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        catalog::{Kpi, Suite},
        judge::{Verdict, fixtures::sick::diagnosis},
        report::fixture::waiving,
        snapshots::assert_snapshot,
    };

    fn table(columns: usize, is_coloured: bool) -> String {
        let mut verdicts = diagnosis(Kpi::StartToLogP99).verdicts.clone();
        verdicts.kpis[6].verdict = Verdict::Unproven;
        let waivers = waiving(Kpi::RssDrift, "until 4711 is fixed");
        let results = Results::new(Suite::Full, verdicts, &waivers, |_| true);
        kpi_table(&results, TerminalLook { columns, is_coloured })
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
