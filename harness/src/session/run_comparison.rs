//! What the workspace streams showed of a run, held against the run's record. The ledger's clients are each other's oracle:
//! what none of them was shown, none of them misses; what all of them were shown twice, none of them had too often. Only
//! the run's own record tells of that.
//!
//! A run is judged when its streams have nothing more to show of it: a client that was there all the time has shown its
//! end, after which nothing comes any more; or the grace of the ledger is over.
//!
//! - **Missing** lines, and a missing end, are judged only if some client was there all the time, from before the run was
//!   due until it is judged, and if no chaos window and no stall of ours lies in that time.
//! - **Repeated** lines are judged in any case: no outage delivers a line more often than the run has it.
//! - A missing **end** is judged only where the streams have shown the end of other runs. Some gateways have no such event,
//!   or have it only on the streams of single runs.
//!
//! Runs beyond the limits are counted, and the evidence says how many.

use std::sync::Arc;

use super::{
    Context, RunWatch, StartPoint, ledger,
    pending_runs::{EndedRun, WAITING_BYTES_MAX, WAITING_MAX},
};
use crate::{
    journal::{Counter, Finding, clip},
    streams::{LineComparison, compare},
};

/// What a stream of any client is called.
const STREAM: &str = "of the workspace";

/// What was going on while a run was played, and since.
#[derive(Debug, Clone, Copy)]
struct Observation {
    /// The clients that were there all the time, a bit each.
    there: u128,
    /// No window was open, and we were there ourselves.
    is_calm: bool,
    now_ms: u64,
}

/// What a run's streams have shown, once they have nothing more to show.
struct RunFindings {
    comparison: Option<LineComparison>,
    /// Whether what is missing can be judged.
    is_witnessed: bool,
    has_unreadable: bool,
    /// Equal lines that no record decides.
    equal_undecided: u64,
    end: EndShown,
}

/// Whether streams have shown the end of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EndShown {
    /// The gateway has none, or nobody was there to see it.
    Unjudged,
    Shown,
    /// Not this one, nor that of any other run.
    NeverShown,
    /// Not this one, although it could have come.
    Missing,
}

impl Context {
    /// A watched run has ended in success, and these are the log lines that it has. What the workspace streams showed of
    /// it is compared with them, now or once all could have come. The run is forgotten then.
    pub fn compare_with_streams(&self, run: &str, watch: &Arc<RunWatch>, record: Vec<String>, due: StartPoint) {
        let known_ms = self.ledger_ms();
        let ended = EndedRun { run: run.to_owned(), watch: Arc::clone(watch), due, known_ms, record };
        if self.settle(&ended) || !self.keep_waiting(ended) {
            self.shared_runs.forget(run);
        }
    }

    /// Looks away from a run whose record nobody will see.
    pub fn forget_run(&self, run: &str) {
        if let Some(watch) = self.shared_runs.forget(run) {
            let equal = watch.with_heard(|heard, _| heard.lines().equal());
            self.recorder.add(Counter::LinesEqualUndecided, equal, self.recorder.mark());
        }
    }

    /// A run that ended in success was not watched, since too many are.
    pub fn run_uncompared(&self, due: StartPoint) {
        self.recorder.count(Counter::RunsUncompared, due);
    }

    /// Whether there was room for another.
    fn keep_waiting(&self, ended: EndedRun) -> bool {
        let mut waiting = self.shared_runs.pending_runs().lock();
        let bytes = ended.bytes();
        let has_room = waiting.runs.len() < WAITING_MAX && waiting.bytes + bytes <= WAITING_BYTES_MAX;
        if has_room {
            waiting.bytes += bytes;
            waiting.runs.push_back(ended);
        } else {
            drop(waiting);
            let equal = ended.watch.with_heard(|heard, _| heard.lines().equal());
            self.recorder.add(Counter::LinesEqualUndecided, equal, ended.due);
            self.run_uncompared(ended.due);
        }
        has_room
    }

    /// Takes down what has become certain by now of runs that have ended.
    pub(super) fn settle_runs(&self) {
        let mut waiting = self.shared_runs.pending_runs().lock();
        let mut settled_bytes = 0;
        waiting.runs.retain(|ended| {
            let is_settled = self.settle(ended);
            if is_settled {
                settled_bytes += ended.bytes();
                self.shared_runs.forget(&ended.run);
            }
            !is_settled
        });
        waiting.bytes = waiting.bytes.saturating_sub(settled_bytes);
    }

    /// How many runs have ended that may still be shown. At the end of a soak this is waited for.
    pub(super) fn runs_waiting(&self) -> usize {
        self.shared_runs.pending_runs().lock().runs.len()
    }

    /// Judges a run; `false` where its streams may have more to show.
    fn settle(&self, ended: &EndedRun) -> bool {
        if self.stop.is_requested() {
            return true;
        }
        let observation = Observation {
            there: self.ledger().there_since(self.ledger_ms_at(ended.due.at)),
            is_calm: self.was_calm_since(ended.due),
            now_ms: self.ledger_ms(),
        };
        let Some(outcome) = self.outcome_of(ended, observation) else { return false };
        self.take_down(ended, &outcome);
        true
    }

    /// Whether no chaos window and no stall of ours lies between then and now.
    #[must_use]
    pub fn was_calm_since(&self, mark: StartPoint) -> bool {
        let is_ours = !self.recorder.stalls().within(mark.at, crate::clock::now()).is_zero();
        !is_ours && self.recorder.is_calm_since(mark.at)
    }

    /// `None` where the streams may have more to show.
    fn outcome_of(&self, ended: &EndedRun, observation: Observation) -> Option<RunFindings> {
        let is_witnessed = observation.is_calm && observation.there != 0;
        let is_over = observation.now_ms >= ended.known_ms.saturating_add(ledger::GRACE_MS);
        ended.watch.with_heard(|heard, end_was_shown| {
            // Where nothing that is missing can be judged, any client's end will do.
            let is_shown_out = heard.ended_by() & (if is_witnessed { observation.there } else { u128::MAX }) != 0;
            let may_come = !is_shown_out && !is_over;
            // A gateway without ends: what has come in full need not be waited for.
            let has_ends = self.calls.client.dialect().events.has_ends();
            if may_come && has_ends && self.shared_runs.ends_shown() > 0 {
                return None;
            }
            let lines = heard.lines();
            let record: Vec<&str> = ended.record.iter().map(String::as_str).collect();
            let has_record = !record.is_empty() && lines.unreadable() == 0;
            let comparison = has_record.then(|| compare(lines, &record));
            let is_complete = comparison.as_ref().is_none_or(LineComparison::is_complete);
            if may_come && (!is_complete || lines.equal() > 0) {
                return None;
            }
            let end = match () {
                () if !is_witnessed || !has_ends => EndShown::Unjudged,
                () if end_was_shown => EndShown::Shown,
                () if self.shared_runs.ends_shown() > 0 && is_over => EndShown::Missing,
                () => EndShown::NeverShown,
            };
            Some(RunFindings {
                is_witnessed,
                has_unreadable: lines.unreadable() > 0,
                equal_undecided: comparison.as_ref().map_or(lines.equal(), |found| found.equal_undecided),
                end,
                comparison,
            })
        })
    }

    fn take_down(&self, ended: &EndedRun, outcome: &RunFindings) {
        let due = ended.due;
        self.recorder.add(Counter::LinesEqualUndecided, outcome.equal_undecided, due);
        if let Some(found) = &outcome.comparison {
            self.take_down_comparison(&ended.run, STREAM, found, outcome.is_witnessed, due);
        } else if outcome.is_witnessed {
            let counter = if outcome.has_unreadable { Counter::RunsUncompared } else { Counter::RecordsEmpty };
            self.recorder.count(counter, due);
        }
        match outcome.end {
            EndShown::Unjudged => {}
            EndShown::Shown => self.recorder.count(Counter::EndsShown, due),
            EndShown::NeverShown => self.recorder.count(Counter::EndsNotShown, due),
            EndShown::Missing => self.end_missed(&ended.run, STREAM, due),
        }
    }

    /// Takes down that no stream has shown the end of a run that is over.
    pub fn end_missed(&self, run: &str, stream: &str, due: StartPoint) {
        tracing::debug!("no stream showed the end of run {run}");
        self.recorder.count(Counter::EventsMissed, due);
        let (stream, run, id, line) = (stream.to_owned(), clip(run), "end".into(), "end".into());
        let why = "the run's record says that it is over, and no stream showed its end".to_owned();
        self.recorder.incident_since(Finding::EventMissed { stream, run, id, seen_by: 0, line, why }, due);
    }

    /// Takes down what a comparison found. What is missing is no finding without a witness.
    pub fn take_down_comparison(
        &self,
        run: &str,
        stream: &str,
        found: &LineComparison,
        is_witnessed: bool,
        due: StartPoint,
    ) {
        self.recorder.add(Counter::LinesEqual, found.equal, due);
        for repeated in &found.repeated {
            let times = repeated.delivered.saturating_sub(repeated.recorded);
            tracing::debug!("a log line of run {run} was delivered {} times", repeated.delivered);
            self.recorder.add(Counter::EventsDuplicated, times, due);
            let (stream, run, line) = (stream.to_owned(), clip(run), clip(&repeated.line));
            let why = format!(
                "delivered {} times with the same time, and the run's record has it {} times",
                repeated.delivered, repeated.recorded
            );
            let finding =
                Finding::EventDuplicated { stream, run, id: "of a log line".into(), same_id: false, line, why };
            self.recorder.incident_since(finding, due);
        }
        if !is_witnessed {
            return;
        }
        self.recorder.count(Counter::RunsCompared, due);
        self.recorder.add(Counter::RecordsShorter, u64::from(found.surplus > 0 && found.undecided == 0), due);
        self.recorder.add(Counter::LinesLoose, found.loose, due);
        self.recorder.add(Counter::LinesUndecided, found.undecided, due);
        self.recorder.add(Counter::EventsMissed, found.missing_count, due);
        if found.missing_count > 0 {
            tracing::debug!("the stream {stream} did not show {} log lines of run {run}", found.missing_count);
        }
        for missing in &found.missing {
            let (stream, run, id) = (stream.to_owned(), clip(run), clip(missing));
            let (line, why) = (String::new(), String::new());
            let missed = Finding::EventMissed { stream, run, id, seen_by: 0, line, why };
            self.recorder.incident_since(missed, due);
        }
    }
}

#[cfg(test)]
#[path = "run_comparison_tests.rs"]
mod tests;
