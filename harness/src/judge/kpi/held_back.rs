//! Events that come late to clients that ask for content codings, as browsers do.
//!
//! One of the workspace streams asks so. It must show all that another stream shows before it, and the delay between the
//! two was measured by one clock, over one network and by one process: neither the gateway's clock nor the network
//! matters.

use crate::{
    catalog::Kpi,
    history::{Scope, ms},
    journal::Timing,
    judge::{
        Fault, Note, UnprovenReason,
        kpi::{arrivals::CERTAIN, case::Case, lateness::Lateness, quantiles::by_timing},
        stats::confidence,
        verdict::assessment::Assessment,
    },
    plan::log_stream_name,
};

/// Judges `sse_write_p99` by the stream that requests compression as a browser does, too. The delay of an event begins
/// when the latest of several others that show it before does so. Where one event in ten is later by more than the
/// target and the 99th percentile of `/ready` round trips together, and by the lower end of the 95 % range, the KPI is
/// missed, whatever the histogram and the other streams say: a gateway that is fast for clients without compression is
/// not fast for browsers.
///
/// Where only the lateness of our own reading explains it, the KPI is unproven.
///
/// A delay of a packet of one connection, or of a task of this process, affects fewer events than one in ten, or
/// `/ready` too. A gateway that sends its compressed data after every event is behind by less than a millisecond.
pub(crate) fn from_browsers(found: &mut Assessment, case: Case<'_>) {
    if let Some(excused) = excuse(case) {
        return found.withdraw(excused);
    }
    let Some((late_ms, ready_ms)) = late_and_ready_ms(case, 0.0) else { return };
    let (stream, without_ms) = (name(case), found.value);
    by_timing(found, case, Timing::ShownAsABrowser, Scope::Steady);
    "steady events on the stream that asks as a browser does".clone_into(&mut found.evidence.sample_name);
    found.fail(Fault::EventsBehind { stream, late_ms, ready_ms, without_ms });
}

/// Notes with events that a stream lacks that they may be held back from it, where that is so.
pub(crate) fn note_with_gaps(found: &mut Assessment, case: Case<'_>) {
    if found.is_missed() && late_and_ready_ms(case, reading_ms(case)).is_some() {
        found.note(Note::EventsHeldBack { stream: name(case) });
    }
}

/// Why this stream may be late because S2 read it late; none where it is not late, or is all the same.
pub(crate) fn excuse(case: Case<'_>) -> Option<UnprovenReason> {
    let reading_ms = reading_ms(case);
    let is_excused = late_and_ready_ms(case, 0.0).is_some() && late_and_ready_ms(case, reading_ms).is_none();
    is_excused.then_some(UnprovenReason::EventsReadLate { late_ms: reading_ms })
}

fn reading_ms(case: Case<'_>) -> f64 {
    Lateness::of(case.history, case.targets, Scope::Steady).reading_ms()
}

/// The lateness of the stream and the round trip of `/ready`, milliseconds, where the stream is late even if it was
/// read late by `reading_ms`.
fn late_and_ready_ms(case: Case<'_>, reading_ms: f64) -> Option<(f64, f64)> {
    let shown = case.histogram(Timing::ShownAsABrowser, Scope::Steady);
    let ranks = confidence::ranks(CERTAIN, shown.len()).filter(|ranks| ranks.low > 0)?;
    let ready_ms = case.history.totals.quantiles(Timing::ReadyRoundTrip, Scope::Steady)?.p99_ms;
    let late_ms = confidence::at_rank(&shown.recorded(), ranks.low).map(ms)?;
    let is_late = !case.targets.target(Kpi::SseWriteP99).is_met_by(late_ms - ready_ms - reading_ms);
    is_late.then_some((late_ms, ready_ms))
}

fn name(case: Case<'_>) -> String {
    let streams = case.plan.scenario.streams.count as usize;
    log_stream_name(streams.saturating_sub(1), streams)
}
