//! Runs that have ended are compared with what the workspace streams showed of them, and the findings are recorded.
//!
//! Runs beyond the limits are counted, and the evidence says how many.

use std::sync::Arc;

use super::{
    Deliveries, RunWatch, StartPoint,
    pending_runs::{EndedRun, WAITING_BYTES_MAX, WAITING_MAX},
};
use crate::{
    journal::{Counter, Finding, clip},
    streams::{EndShown, GRACE_MS, LineComparison, Observation, RunFindings, settle_run},
};

/// Name for a stream of any client.
const STREAM: &str = "of the workspace";

impl Deliveries {
    /// A watched run has ended in success, and these are the log lines that it has. What the workspace streams showed of
    /// it is compared with them, now or once all could have come. The run is forgotten then.
    pub fn compare(&self, run: &str, watch: &Arc<RunWatch>, record: Vec<String>, due: StartPoint) {
        let known_ms = self.now_ms();
        let ended = EndedRun { run: run.to_owned(), watch: Arc::clone(watch), due, known_ms, record };
        if self.settle_run(&ended) || !self.keep_waiting(ended) {
            self.forget(run);
        }
    }

    /// Looks away from a run whose record nobody will see.
    pub fn give_up(&self, run: &str) {
        if let Some(watch) = self.forget(run) {
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
        let mut waiting = self.pending_runs.lock();
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
        let mut waiting = self.pending_runs.lock();
        let mut settled_bytes = 0;
        waiting.runs.retain(|ended| {
            let is_settled = self.settle_run(ended);
            if is_settled {
                settled_bytes += ended.bytes();
                self.forget(&ended.run);
            }
            !is_settled
        });
        waiting.bytes = waiting.bytes.saturating_sub(settled_bytes);
    }

    /// How many runs have ended that may still be shown. At the end of a soak this is waited for.
    pub(super) fn runs_waiting(&self) -> usize {
        self.pending_runs.lock().runs.len()
    }

    /// Judges a run; `false` where its streams may have more to show.
    fn settle_run(&self, ended: &EndedRun) -> bool {
        if self.stop.is_requested() {
            return true;
        }
        let due_ms = self.ms_at(ended.due.at);
        let has_witness = self.ledger.lock().is_witnessed_since(due_ms);
        let is_calm = self.recorder.was_calm_since(ended.due);
        let is_over = self.now_ms() >= ended.known_ms.saturating_add(GRACE_MS);
        let findings = ended.watch.with_heard(|seen, end_was_shown| {
            let observation = Observation {
                due_ms,
                has_witness,
                is_calm,
                is_over,
                end_was_shown,
                has_ends: self.has_ends,
                ends_are_shown: self.ends_shown() > 0,
            };
            settle_run(seen, &ended.record, &observation)
        });
        let Some(findings) = findings else { return false };
        self.take_down(ended, &findings);
        true
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
