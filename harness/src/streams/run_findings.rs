//! The events of one run on the workspace streams, compared with the run's record. The ledger compares its clients with
//! each other, so it finds neither an event that no client received, nor an event that all clients received twice. Only
//! the run's own record shows these.
//!
//! A run is judged when its streams have nothing more to show of it: a client that was there all the time has shown its
//! end, after which nothing comes any more; or the grace of the ledger is over.
//!
//! - **Missing** lines, and a missing end, are judged only if some client was there all the time, from before the run was
//!   due until it is judged, and if no chaos window and no stall of the harness lies in that time.
//! - **Repeated** lines are judged in any case: no outage delivers a line more often than the run has it.
//! - A missing **end** is judged only where the streams have shown the end of other runs. Some gateways have no such event,
//!   or have it only on the streams of single runs.

use super::{LineComparison, SeenLines, compare};

/// The circumstances in which a run was played, and since.
#[derive(Debug, Clone, Copy)]
pub struct Observation {
    /// When the run was due; milliseconds as the ledger counts them.
    pub due_ms: u64,
    /// Whether some client has been there since before that.
    pub has_witness: bool,
    /// Whether no window was open, and the harness did not stand still.
    pub is_calm: bool,
    /// Whether the grace since the run's end is over.
    pub is_over: bool,
    /// Whether any stream has shown the run's end.
    pub end_was_shown: bool,
    /// Whether the gateway has an event that ends a run.
    pub has_ends: bool,
    /// Whether workspace streams have shown the end of any run.
    pub ends_are_shown: bool,
}

/// How the streams differ from a run's record, once they have nothing more to show.
#[derive(Debug)]
pub struct RunFindings {
    /// Line by line; none where the record has no lines, or where lines could not be read.
    pub comparison: Option<LineComparison>,
    /// Whether missing lines can be judged.
    pub is_witnessed: bool,
    /// Whether a line could not be read.
    pub has_unreadable: bool,
    /// Equal lines that no record decides.
    pub equal_undecided: u64,
    /// Whether the end was shown.
    pub end: EndShown,
}

/// Whether streams have shown the end of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndShown {
    /// The gateway has no such event, or no client was there to receive it.
    Unjudged,
    /// They have.
    Shown,
    /// Neither this one, nor that of any other run.
    NeverShown,
    /// Not this one, although it could have come.
    Missing,
}

/// Compares what workspace streams have shown of a run with its record. `None` where they may have more to show.
#[must_use]
pub fn settle_run(seen: &SeenLines, record: &[String], run: &Observation) -> Option<RunFindings> {
    let is_witnessed = run.is_calm && run.has_witness;
    // Where nothing that is missing can be judged, any client's end will do.
    let is_shown_out = seen.end_shown_since().is_some_and(|since_ms| !is_witnessed || since_ms <= run.due_ms);
    let may_come = !is_shown_out && !run.is_over;
    // A gateway without ends: a run whose lines have all come need not be waited for.
    if may_come && run.has_ends && run.ends_are_shown {
        return None;
    }
    let lines = seen.lines();
    let record: Vec<&str> = record.iter().map(String::as_str).collect();
    let has_record = !record.is_empty() && lines.unreadable() == 0;
    let comparison = has_record.then(|| compare(lines, &record));
    let is_complete = comparison.as_ref().is_none_or(LineComparison::is_complete);
    if may_come && (!is_complete || lines.equal() > 0) {
        return None;
    }
    let end = match () {
        () if !is_witnessed || !run.has_ends => EndShown::Unjudged,
        () if run.end_was_shown => EndShown::Shown,
        () if run.ends_are_shown && run.is_over => EndShown::Missing,
        () => EndShown::NeverShown,
    };
    Some(RunFindings {
        is_witnessed,
        has_unreadable: lines.unreadable() > 0,
        equal_undecided: comparison.as_ref().map_or(lines.equal(), |found| found.equal_undecided),
        end,
        comparison,
    })
}
