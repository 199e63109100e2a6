//! The changes since an earlier run, at a glance.

use super::{notes::note_text, number};
use crate::{
    catalog::{Target, Unit},
    judge::{Change, Compared, Comparison},
};

pub(super) const HEAD: [&str; 5] = ["KPI", "then", "now", "change", "moved"];

/// The baseline, the differences between the two runs, and a table of the KPIs. Ends with a line feed.
pub(crate) fn comparison_table(comparison: &Comparison) -> String {
    let mut table = compared_with(comparison) + "\n\n";
    let kpis = comparison.kpis.iter().map(row);
    let rows: Vec<[String; 5]> = std::iter::once(HEAD.map(str::to_owned)).chain(kpis).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let [name_width, then_width, now_width, change_width, _]: [usize; 5] = std::array::from_fn(width);
    for [name, then, now, change, moved] in &rows {
        table +=
            &format!("{name:<name_width$}  {then:>then_width$}  {now:>now_width$}  {change:>change_width$}  {moved}\n");
    }
    table
}

/// The baseline, and the differences between the two runs.
pub(super) fn compared_with(comparison: &Comparison) -> String {
    let Comparison { baseline, started_at, max_regression_percent, notes, .. } = comparison;
    let mut said = format!("compared with {baseline}, of a soak that began at {started_at}");
    for note in notes {
        said.push_str(&format!("; {}", note_text(note)));
    }
    if let Some(max) = max_regression_percent {
        said.push_str(&format!("; worse by {max} % at most"));
    }
    said
}

/// The cells below [`HEAD`].
pub(super) fn row(kpi: &Compared) -> [String; 5] {
    let format_value = |value| number::value_or_dash(value, kpi.unit, kpi.target);
    [kpi.name.clone(), format_value(kpi.then), format_value(kpi.now), change(kpi), moved(kpi)]
}

/// In percent of the old value, or in points for a share of successes, whose percentage would be close to 0.
fn change(kpi: &Compared) -> String {
    let Some(change) = kpi.change else { return "–".to_owned() };
    let is_of_points = matches!(kpi.target, Target::AtLeast(_)) && kpi.unit == Unit::Percent;
    match kpi.change_percent {
        _ if change == 0.0 => "=".to_owned(),
        None => "from 0".to_owned(),
        Some(_) if is_of_points => format!("{change:+.2} points"),
        Some(percent) => format!("{percent:+.0} %"),
    }
}

fn moved(kpi: &Compared) -> String {
    let word = match kpi.verdict {
        Change::Worse => "worse",
        Change::Better => "better",
        Change::WithinNoise => "within noise",
        Change::NoRange => "no range",
        Change::NotComparable => "not comparable",
    };
    let why = kpi.why.as_ref().map_or_else(String::new, |why| format!(": {why}"));
    let is_regression = if kpi.is_regression { ", REGRESSION" } else { "" };
    format!("{word}{why}{is_regression}")
}
