//! All KPIs at a glance.

use super::number;
use crate::judge::{Judgement, Verdict, Verdicts};

const HEAD: [&str; 5] = ["KPI", "value", "target", "samples / promised", "verdict"];

/// A table of the KPIs, one a line: name, value, target, samples of those promised, verdict. Ends with a line feed.
#[must_use]
pub fn kpi_table(verdicts: &Verdicts) -> String {
    let rows: Vec<[String; 5]> =
        std::iter::once(HEAD.map(str::to_owned)).chain(verdicts.kpis.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 5] = std::array::from_fn(width);
    let mut table = String::new();
    for [name, value, target, samples, verdict] in &rows {
        let [name_width, value_width, target_width, samples_width, _] = widths;
        let line = format!(
            "{name:<name_width$}  {value:>value_width$}  {target:>target_width$}  {samples:>samples_width$}  {verdict}\n"
        );
        table.push_str(&line);
    }
    table
}

fn row(judgement: &Judgement) -> [String; 5] {
    let value = judgement.value.map(|value| number::value(value, judgement.unit, judgement.target));
    let verdict = match judgement.verdict {
        Verdict::Pass => "pass",
        Verdict::Unproven => "UNPROVEN",
        Verdict::Fail => "FAIL",
    };
    [
        judgement.name.clone(),
        value.unwrap_or_else(|| "–".to_owned()),
        number::target_signed(judgement.target, judgement.unit),
        format!("{} / {}", number::count(judgement.samples), number::count(judgement.promised)),
        verdict.to_owned(),
    ]
}
