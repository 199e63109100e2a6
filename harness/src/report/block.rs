//! The live display of a soak: one block per suite with a constant number of lines, and the lines of a CI log.

use console::Style;

use super::{
    TerminalLook,
    look::{padded, padded_left, padded_name, width},
    number,
};
use crate::{
    catalog::{Phase, Suite},
    judge::Judgement,
    plan::{Plan, moment},
    results::{Results, Row, Status},
};

const KPIS_SHOWN: usize = 3;
const BAR_COLUMNS_MAX: usize = 40;
const BAR_COLUMNS_MIN: usize = 5;
const SUITE_COLUMNS: usize = 9;
/// Fits any value: columns do not move when one grows.
const VALUE_COLUMNS: usize = 9;
const TARGET_COLUMNS: usize = 10;

/// A soak at a moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SoakStanding<'a> {
    pub(crate) plan: &'a Plan,
    /// Scenario milliseconds.
    pub(crate) at_ms: u64,
    /// Runs that were started.
    pub(crate) runs: u64,
    /// Workspace log streams that are open.
    pub(crate) streams: u64,
    pub(crate) phase: Phase,
    pub(crate) results: &'a Results,
}

/// The lines of the block. None is wider than the terminal, and their number is constant.
pub(crate) fn block(standing: &SoakStanding<'_>, look: TerminalLook) -> Vec<String> {
    let mut lines = vec![clock(standing, look), counts(standing, look)];
    lines.extend(kpis(&standing.results.closest_to_target(KPIS_SHOWN), look));
    lines.resize(2 + KPIS_SHOWN, "  –".to_owned());
    if !standing.plan.chaos.is_empty() {
        lines.push(chaos(standing, look));
    }
    lines.iter().map(|line| look.fit(line)).collect()
}

/// The line of a CI log about a KPI that is missed for good, with the first line of its failure.
pub(crate) fn red_line(suite: Suite, failure: &str) -> String {
    format!("{suite:<SUITE_COLUMNS$} red already: {}", failure.lines().next().unwrap_or_default())
}

/// The heartbeat of a scenario minute, as log and terminal show it.
pub(crate) fn heartbeat_line(minute: u64, open_streams: u64, runs_started: u64) -> String {
    format!("💓 S2 alive — t={minute}m, active SSE={open_streams}, runs started={runs_started}")
}

fn clock(standing: &SoakStanding<'_>, look: TerminalLook) -> String {
    let SoakStanding { plan, at_ms, .. } = *standing;
    let suite = padded(plan.suite.name(), SUITE_COLUMNS);
    // Its width at the end.
    let time = format!("{} of {}", moment(at_ms.min(plan.duration_ms)), moment(plan.duration_ms));
    let time = padded_left(&time, width(&moment(plan.duration_ms)) * 2 + 4);
    let room = look.columns.saturating_sub(SUITE_COLUMNS + width(&time) + 2).min(BAR_COLUMNS_MAX);
    if room < BAR_COLUMNS_MIN {
        return format!("{suite} {time}");
    }
    let played = u128::from(at_ms.min(plan.duration_ms)) * room as u128 / u128::from(plan.duration_ms.max(1));
    let played = usize::try_from(played).unwrap_or(room);
    let done = look.paint(Style::new().green(), &"━".repeat(played));
    let left = look.paint(Style::new().dim(), &"─".repeat(room - played));
    format!("{suite} {done}{left} {time}")
}

fn counts(standing: &SoakStanding<'_>, look: TerminalLook) -> String {
    let (runs, streams) = (number::count(standing.runs), number::count(standing.streams));
    let mut line = format!("  {runs} runs, {streams} streams");
    let reds = standing.results.rows.iter().filter(|row| row.status == Status::Fail);
    let names: Vec<&str> = reds.map(|row| row.judgement.name.as_str()).collect();
    if !names.is_empty() {
        let reds = format!("{} red: {}", names.len(), names.join(", "));
        line += &format!(", {}", look.paint(Style::new().red().bold(), &reds));
    }
    line
}

fn kpis(rows: &[&Row], look: TerminalLook) -> Vec<String> {
    let judgements = || rows.iter().map(|row| &row.judgement);
    let widest = judgements().map(|judgement| width(&judgement.name)).max().unwrap_or(0);
    let figures = 2 + VALUE_COLUMNS + 2 + TARGET_COLUMNS;
    let lacks = |judgement: &Judgement| match judgement.samples_lacking() {
        0 => "enough samples".to_owned(),
        1 => "lacks 1 sample".to_owned(),
        n => format!("lacks {} samples", number::count(n)),
    };
    let lacks_columns = judgements().map(|judgement| width(&lacks(judgement))).max().unwrap_or(0);
    let has_room = look.columns >= 2 + widest + figures + 2 + lacks_columns;
    let name_columns = widest.min(look.columns.saturating_sub(2 + figures));
    let line = |judgement: &Judgement| {
        let value = number::value_or_dash(judgement.value, judgement.unit, judgement.target);
        let is_missed = judgement.value.is_some_and(|value| !judgement.target.is_met_by(value));
        let value = padded_left(&value, VALUE_COLUMNS);
        let value = if is_missed { look.paint(Style::new().red(), &value) } else { value };
        let target = padded(&number::target_signed(judgement.target, judgement.unit), TARGET_COLUMNS);
        let name = padded_name(&judgement.name, name_columns);
        if has_room {
            format!("  {name}  {value}  {target}  {}", lacks(judgement))
        } else {
            format!("  {name}  {value}  {}", target.trim_end())
        }
    };
    judgements().map(line).collect()
}

/// The current chaos, or the next one and the scenario time until then.
fn chaos(standing: &SoakStanding<'_>, look: TerminalLook) -> String {
    if standing.phase != Phase::Steady {
        return format!("  {}", look.paint(Style::new().yellow(), &format!("now: {}", standing.phase)));
    }
    match standing.plan.chaos.iter().find(|event| event.at_ms > standing.at_ms) {
        Some(event) => {
            let seconds = (event.at_ms - standing.at_ms).div_ceil(1_000);
            format!("  next: {} in {:02}:{:02}", event.chaos, seconds / 60, seconds % 60)
        }
        None => "  no more chaos".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        catalog::Kpi,
        judge::fixtures::{sick::diagnosis, soak::Soak},
        results::Waivers,
        snapshots::assert_snapshot,
    };

    fn shown(at_ms: u64, phase: Phase, columns: usize, is_coloured: bool) -> String {
        let soak = Soak::healthy(Suite::Full);
        let verdicts = diagnosis(Kpi::StartToLogP99).verdicts.clone();
        let mut results = Results::new(Suite::Full, verdicts, &Waivers::default(), |_| false);
        let second = results.closest_to_target(2)[1].judgement.name.clone();
        for row in &mut results.rows {
            if row.judgement.name == second {
                row.judgement.samples = 22;
            }
            if [Kpi::SseGaps, Kpi::PublishSearchDelay].iter().any(|kpi| kpi.name() == row.judgement.name) {
                row.status = Status::Fail;
            }
        }
        if at_ms == 0 {
            results.rows.clear();
        }
        let standing = SoakStanding { plan: &soak.plan, at_ms, runs: 1_066, streams: 20, phase, results: &results };
        block(&standing, TerminalLook { columns, is_coloured }).join("\n")
    }

    #[test]
    fn a_block_fits_the_terminal_and_keeps_its_height() {
        let minute = 60_000;
        let moments = [
            (0, Phase::Steady),
            (22 * minute + 31_000, Phase::Steady),
            (76 * minute, Phase::GatewayRestart),
            (200 * minute, Phase::Steady),
        ];
        let blocks = [40, 80, 120].into_iter().flat_map(|columns| {
            moments.map(|(at_ms, phase)| format!("{columns} columns\n{}", shown(at_ms, phase, columns, false)))
        });
        assert_snapshot("block", &blocks.collect::<Vec<_>>().join("\n\n"));
        for columns in 1..130 {
            for (at_ms, phase) in moments {
                let block = shown(at_ms, phase, columns, true);
                assert_eq!(6, block.lines().count(), "{block}");
                assert!(block.lines().all(|line| width(line) <= columns), "{columns} columns\n{block}");
            }
        }
    }

    #[test]
    fn a_block_without_colour_has_no_escape_codes_and_reads_the_same() {
        let coloured = shown(76 * 60_000, Phase::GatewayRestart, 80, true);
        let plain = shown(76 * 60_000, Phase::GatewayRestart, 80, false);
        assert_snapshot("block_coloured", &coloured.replace('\u{1b}', "<ESC>"));
        assert!(coloured.contains('\u{1b}') && !plain.contains('\u{1b}'));
        assert_eq!(plain, console::strip_ansi_codes(&coloured));
    }

    #[test]
    fn a_red_line_is_one_line() {
        assert_eq!(
            "smoke     red already: a is 2; the target is 0",
            red_line(Suite::Smoke, "a is 2; the target is 0\n  b")
        );
    }
}
