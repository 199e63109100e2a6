//! What a person sees while a soak is on, on stderr: bars on a terminal, signs of life elsewhere, nothing under nextest,
//! which shows what a test wrote only where it failed.

use std::{
    collections::BTreeMap,
    io::IsTerminal,
    sync::{Mutex, PoisonError},
    thread,
    time::Duration,
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::follow::Soak;
use crate::{
    plan::{Suite, moment},
    report::heartbeat_line,
};

/// Trials that have just been told need so long to print what they have to say.
const PRINTING: Duration = Duration::from_millis(200);
const TEMPLATE: &str = "{prefix:<9} {bar:40.green/dim} {msg}";

/// Shows how far each suite is.
#[derive(Debug)]
pub(super) enum Progress {
    /// A bar a suite.
    Bars { all: MultiProgress, bars: Mutex<BTreeMap<Suite, ProgressBar>> },
    /// A line a heartbeat, as it comes; with the last that was shown.
    Lines(Mutex<BTreeMap<Suite, u64>>),
    /// Nothing.
    Silent,
}

impl Progress {
    /// What fits this process's stderr.
    pub(super) fn new(is_nextest: bool) -> Self {
        if is_nextest {
            Self::Silent
        } else if std::io::stderr().is_terminal() {
            let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
            Self::Bars { all, bars: Mutex::default() }
        } else {
            Self::Lines(Mutex::default())
        }
    }

    /// Shows where a soak is. `tell` lets trials know that they can speak already.
    pub(super) fn show(&self, suite: Suite, soak: &Soak, reds: usize, tell: Option<&dyn Fn()>) {
        match self {
            Self::Bars { all, bars } => {
                let mut bars = bars.lock().unwrap_or_else(PoisonError::into_inner);
                let bar = bars.entry(suite).or_insert_with(|| all.add(new_bar(suite, soak)));
                bar.set_position(soak.digest.scenario_ms());
                bar.set_message(message(soak, reds));
            }
            Self::Lines(shown) => {
                let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(beat) = soak.heartbeat
                    && shown.insert(suite, beat.due_ms) != Some(beat.due_ms)
                {
                    let line = heartbeat_line(beat.due_ms / 60_000, beat.open_streams.into(), beat.runs_started);
                    eprintln!("{suite:<9} {line}");
                }
            }
            Self::Silent => {}
        }
        if let Some(tell) = tell {
            self.aside(tell);
        }
    }

    /// A soak is over; `tell` lets its trials speak.
    pub(super) fn finish(&self, suite: Suite, tell: impl FnOnce()) {
        if let Self::Bars { bars, .. } = self
            && let Some(bar) = bars.lock().unwrap_or_else(PoisonError::into_inner).remove(&suite)
        {
            bar.finish_and_clear();
        }
        self.aside(tell);
    }

    /// Takes the bars away while trials print to stdout, which the bars know nothing of.
    fn aside(&self, tell: impl FnOnce()) {
        match self {
            Self::Bars { all, .. } => all.suspend(|| {
                tell();
                thread::sleep(PRINTING);
            }),
            Self::Lines(_) | Self::Silent => tell(),
        }
    }
}

fn new_bar(suite: Suite, soak: &Soak) -> ProgressBar {
    let bar = ProgressBar::new(soak.plan.duration_ms).with_prefix(suite.name());
    bar.set_style(ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

fn message(soak: &Soak, reds: usize) -> String {
    let (digest, plan) = (&soak.digest, &soak.plan);
    let reds = if reds == 0 { String::new() } else { format!(", {reds} red") };
    format!(
        "{} of {}, {} runs, {} streams{reds}",
        moment(digest.scenario_ms()),
        moment(plan.duration_ms),
        digest.runs_started(),
        digest.open_streams()
    )
}
