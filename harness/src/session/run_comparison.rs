//! Runs that have ended are compared with their events on the workspace streams, and the findings are recorded. The
//! ledger, which compares its clients, finds no event that all lack or that all received twice. The run's record shows
//! these.
//!
//! A run is judged when its streams have nothing more to show of it: a client that was there all the time has shown its
//! end, after which nothing comes any more; or the grace of the ledger is over.
//!
//! - **Missing** lines, and a missing end, are judged only if some client was there all the time, from before the run
//!   was due until it is judged, and if no chaos window and no stall of the harness lies in that time.
//! - **Repeated** lines are judged in any case: no outage delivers a line more often than the run has it.
//! - A missing **end** is judged only where the streams have shown the end of other runs. Some gateways have no such
//!   event, or have it only on the streams of single runs.

use std::sync::{Arc, atomic::Ordering};

use super::{Deliveries, RunWatch, StartPoint, deliveries::EndedRun};
use crate::{
    journal::{Counter, Finding, clip},
    streams::{GRACE_MS, LineComparison, compare},
};

/// Maximum number of runs that wait for their lines. Further runs are not compared.
const WAITING_MAX: usize = 4_096;
/// The same for the bytes of their records.
const WAITING_BYTES_MAX: usize = 64 * 1_024 * 1_024;
/// Name for a stream of any client.
const STREAM: &str = "of the workspace";

impl Deliveries {
    /// A watched run has ended in success, and these are its log lines. They are compared with the lines that the
    /// workspace streams showed of it, now or once all could have come. The run is forgotten then.
    pub fn compare(&self, run: &str, watch: &Arc<RunWatch>, record: Vec<String>, due: StartPoint) {
        let known_ms = self.now_ms();
        let ended = EndedRun { run: run.to_owned(), watch: Arc::clone(watch), due, known_ms, record };
        if self.settle_run(&ended) || !self.keep_waiting(ended) {
            self.watched.forget(run);
        }
    }

    /// Stops watching a run whose record will not be read.
    pub fn give_up(&self, run: &str) {
        if let Some(watch) = self.watched.forget(run) {
            self.equal_undecided(&watch, self.recorder.mark());
        }
    }

    /// A run that ended in success was not watched, since too many are.
    pub fn run_uncompared(&self, due: StartPoint) {
        self.recorder.count(Counter::RunsUncompared, due);
    }

    /// Counts the equal lines of a run that is not compared with its record.
    fn equal_undecided(&self, watch: &RunWatch, since: StartPoint) {
        let equal = watch.with_heard(|seen, _| seen.lines.equal);
        self.recorder.add(Counter::LinesEqualUndecided, equal, since);
    }

    /// Whether there was room for another.
    fn keep_waiting(&self, ended: EndedRun) -> bool {
        let mut waiting = self.pending_runs.lock();
        let bytes = bytes_of(&ended);
        let has_room = waiting.runs.len() < WAITING_MAX && waiting.bytes + bytes <= WAITING_BYTES_MAX;
        if has_room {
            waiting.bytes += bytes;
            waiting.runs.push_back(ended);
        } else {
            drop(waiting);
            self.equal_undecided(&ended.watch, ended.due);
            self.run_uncompared(ended.due);
        }
        has_room
    }

    /// Records findings that have become certain about runs that have ended.
    pub(super) fn settle_runs(&self) {
        let mut waiting = self.pending_runs.lock();
        let mut settled_bytes = 0;
        waiting.runs.retain(|ended| {
            let is_settled = self.settle_run(ended);
            if is_settled {
                settled_bytes += bytes_of(ended);
                self.watched.forget(&ended.run);
            }
            !is_settled
        });
        waiting.bytes = waiting.bytes.saturating_sub(settled_bytes);
    }

    /// The number of ended runs whose streams may have more to show. The end of a soak waits for them.
    pub(super) fn runs_waiting(&self) -> usize {
        self.pending_runs.lock().runs.len()
    }

    /// Judges a run; `false` where its streams may have more to show.
    fn settle_run(&self, ended: &EndedRun) -> bool {
        if self.stop.is_requested() {
            return true;
        }
        let (recorder, due, due_ms) = (&self.recorder, ended.due, self.ms_at(ended.due.at));
        let is_witnessed = self.ledger.lock().is_witnessed_since(due_ms) && recorder.was_calm_since(due);
        let is_over = self.now_ms() >= ended.known_ms.saturating_add(GRACE_MS);
        let findings = ended.watch.with_heard(|seen, end_was_shown| {
            let ends_are_shown = self.ends_shown.load(Ordering::Relaxed) > 0;
            // Where no missing event can be judged, any client's end will do.
            let is_shown_out = seen.end_shown_since_ms.is_some_and(|since_ms| !is_witnessed || since_ms <= due_ms);
            let may_come = !is_shown_out && !is_over;
            // A gateway without ends: a run whose lines have all come need not be waited for.
            if may_come && self.has_ends && ends_are_shown {
                return None;
            }
            let (lines, record) = (&seen.lines, ended.record.iter().map(String::as_str).collect::<Vec<_>>());
            let comparison = (!record.is_empty() && lines.unreadable == 0).then(|| compare(lines, &record));
            let is_complete = comparison.as_ref().is_none_or(LineComparison::is_complete);
            let may_change = may_come && (!is_complete || lines.equal > 0);
            (!may_change).then_some((comparison, lines.equal, lines.unreadable > 0, (end_was_shown, ends_are_shown)))
        });
        let Some((comparison, equal, has_unreadable, (end_was_shown, ends_are_shown))) = findings else { return false };
        let equal_undecided = comparison.as_ref().map_or(equal, |found| found.equal_undecided);
        recorder.add(Counter::LinesEqualUndecided, equal_undecided, due);
        if let Some(found) = &comparison {
            self.take_down_comparison(&ended.run, STREAM, found, is_witnessed, due);
        } else if is_witnessed {
            recorder.count(if has_unreadable { Counter::RunsUncompared } else { Counter::RecordsEmpty }, due);
        }
        if is_witnessed && self.has_ends {
            if end_was_shown {
                recorder.count(Counter::EndsShown, due);
            } else if ends_are_shown && is_over {
                self.end_missed(&ended.run, STREAM, due);
            } else {
                recorder.count(Counter::EndsNotShown, due);
            }
        }
        true
    }

    /// Records that no stream has shown the end of a run that is over.
    pub fn end_missed(&self, run: &str, stream: &str, due: StartPoint) {
        tracing::debug!("no stream showed the end of run {run}");
        self.recorder.count(Counter::EventsMissed, due);
        let (stream, run, id, line) = (stream.to_owned(), clip(run), "end".into(), "end".into());
        let why = "the run's record says that it is over, and no stream showed its end".to_owned();
        self.recorder.incident_since(Finding::EventMissed { stream, run, id, seen_by: 0, line, why }, due);
    }

    /// Records the findings of a comparison. Missing lines are no finding without a witness.
    pub fn take_down_comparison(
        &self,
        run: &str,
        stream: &str,
        found: &LineComparison,
        is_witnessed: bool,
        due: StartPoint,
    ) {
        let recorder = &self.recorder;
        recorder.add(Counter::LinesEqual, found.equal, due);
        for repeated in &found.repeated {
            let (delivered, recorded) = (repeated.delivered, repeated.recorded);
            tracing::debug!("a log line of run {run} was delivered {delivered} times");
            recorder.add(Counter::EventsDuplicated, delivered.saturating_sub(recorded), due);
            let (stream, run, line) = (stream.to_owned(), clip(run), clip(&repeated.line));
            let (id, same_id) = ("of a log line".into(), false);
            let why =
                format!("delivered {delivered} times with the same time, and the run's record has it {recorded} times");
            recorder.incident_since(Finding::EventDuplicated { stream, run, id, same_id, line, why }, due);
        }
        if !is_witnessed {
            return;
        }
        recorder.count(Counter::RunsCompared, due);
        recorder.add(Counter::RecordsShorter, u64::from(found.surplus > 0 && found.undecided == 0), due);
        recorder.add(Counter::LinesLoose, found.loose, due);
        recorder.add(Counter::LinesUndecided, found.undecided, due);
        recorder.add(Counter::EventsMissed, found.missing_count, due);
        if found.missing_count > 0 {
            tracing::debug!("the stream {stream} did not show {} log lines of run {run}", found.missing_count);
        }
        for missing in &found.missing {
            let (stream, run, id) = (stream.to_owned(), clip(run), clip(missing));
            let (line, why) = (String::new(), String::new());
            recorder.incident_since(Finding::EventMissed { stream, run, id, seen_by: 0, line, why }, due);
        }
    }
}

fn bytes_of(ended: &EndedRun) -> usize {
    ended.record.iter().map(|line| line.len() + size_of::<String>()).sum()
}

#[cfg(test)]
#[path = "run_comparison_tests.rs"]
mod tests;
