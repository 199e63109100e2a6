//! Progress on stderr: a block for each suite on a terminal, heartbeats elsewhere, nothing under nextest.

use std::{collections::BTreeMap, io::IsTerminal};

use console::Term;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use parking_lot::Mutex;

use super::{follow::Soak, stdout::CarriedStdout};
use crate::{
    catalog::{Kpi, Phase, Suite},
    history::History,
    report::{SoakStanding, TerminalLook, block, heartbeat_line, red_line},
    results::Results,
};

/// Assumed width of a terminal that does not report one.
const COLUMNS: usize = 80;

/// Shows how far each suite is.
#[derive(Debug)]
pub(super) enum Progress {
    /// A block a suite. A bar of the library only holds its lines.
    Blocks {
        all: MultiProgress,
        bars: Mutex<BTreeMap<Suite, ProgressBar>>,
    },
    /// A line a heartbeat, and one for each KPI that is missed for good.
    Lines(Mutex<BTreeMap<Suite, ShownProgress>>),
    Silent,
}

/// Progress of a suite that was shown.
#[derive(Debug, Default)]
pub(super) struct ShownProgress {
    heartbeat_ms: Option<u64>,
    reds: Vec<Kpi>,
}

impl Progress {
    /// Returns the form of output that fits this process's stderr.
    pub(super) fn new(is_nextest: bool) -> Self {
        if is_nextest {
            Self::Silent
        } else if is_drawn_on() {
            let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
            Self::Blocks { all, bars: Mutex::default() }
        } else {
            Self::Lines(Mutex::default())
        }
    }

    /// Whether the output also changes between two records.
    pub(super) const fn is_live(&self) -> bool {
        matches!(self, Self::Blocks { .. })
    }

    /// Leads a test report that goes to the same terminal around the blocks. On failure its lines may mix with theirs.
    pub(super) fn carry_stdout(&self) -> Option<CarriedStdout> {
        match self {
            Self::Blocks { all, .. } if std::io::stdout().is_terminal() => CarriedStdout::begin(all).ok(),
            _ => None,
        }
    }

    /// Shows a soak. `results` are there for live output; `certain` has the failures of KPIs that are missed for good.
    pub(super) fn show(
        &self,
        suite: Suite,
        soak: &Soak,
        results: Option<&Results>,
        certain: &BTreeMap<Kpi, String>,
        live_url: Option<&str>,
    ) {
        match self {
            Self::Blocks { all, bars } => {
                let Some(results) = results else { return };
                let History { timeline, totals, .. } = &soak.history;
                let standing = SoakStanding {
                    plan: &soak.header.plan,
                    at_ms: soak.now_ms(),
                    runs: totals.runs_started(),
                    streams: totals.open_streams(),
                    phase: timeline.phase.unwrap_or(Phase::Steady),
                    results,
                };
                let mut lines = block(&standing, stderr_look());
                // The URL is there from the first look to the last: the height of the block does not change.
                lines.extend(live_url.map(|url| format!("          live at {url}")));
                let mut bars = bars.lock();
                let bar = bars.entry(suite).or_insert_with(|| all.add(place_for_lines()));
                bar.set_message(lines.join("\n"));
            }
            Self::Lines(shown) => {
                let mut shown = shown.lock();
                let shown = shown.entry(suite).or_default();
                if let Some(beat) = soak.history.timeline.heartbeat
                    && shown.heartbeat_ms.replace(beat.due_ms) != Some(beat.due_ms)
                {
                    let line = heartbeat_line(beat.due_ms / 60_000, beat.open_streams.into(), beat.runs_started);
                    let live = live_url.map_or_else(String::new, |url| format!(", live at {url}"));
                    eprintln!("{suite:<9} {line}{live}");
                }
                for (kpi, failure) in certain {
                    if !shown.reds.contains(kpi) {
                        shown.reds.push(*kpi);
                        eprintln!("{}", red_line(suite, failure));
                    }
                }
            }
            Self::Silent => {}
        }
    }

    /// Removes the block of a soak that is over.
    pub(super) fn finish(&self, suite: Suite) {
        if let Self::Blocks { all, bars } = self
            && let Some(bar) = bars.lock().remove(&suite)
        {
            bar.finish_and_clear();
            all.remove(&bar);
        }
    }

    /// Prints a line on stderr, around the blocks.
    pub(super) fn print(&self, line: &str) {
        match self {
            Self::Blocks { all, .. } => all.suspend(|| eprintln!("{line}")),
            Self::Lines(_) | Self::Silent => eprintln!("{line}"),
        }
    }
}

/// How text on stderr is to look.
pub(super) fn stderr_look() -> TerminalLook {
    if !is_drawn_on() {
        return TerminalLook::PLAIN;
    }
    // The library heeds NO_COLOR and CLICOLOR.
    let columns = Term::stderr().size_checked().map_or(COLUMNS, |(_, columns)| columns.into());
    TerminalLook { columns, is_coloured: console::colors_enabled_stderr() }
}

/// Whether stderr is a terminal on which lines can be replaced.
fn is_drawn_on() -> bool {
    std::io::stderr().is_terminal() && !console::is_dumb()
}

fn place_for_lines() -> ProgressBar {
    let style = ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::no_length().with_style(style)
}
