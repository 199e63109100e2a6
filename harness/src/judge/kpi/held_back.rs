//! Events that come late to whoever asks for content codings, as browsers do.
//!
//! One of the workspace streams asks so. What another stream shows first it has to show, too, and how much later that is was
//! taken by one clock, over one network and by one process: neither the gateway's clock nor the way to it has a part in it.

use crate::{
    catalog::Kpi,
    history::Scope,
    journal::Timing,
    judge::{
        Note,
        kpi::{
            arrivals::{CERTAIN, read_late, whole},
            case::Case,
            lateness::Lateness,
            quantiles::{by_timing, ms},
        },
        stats::confidence,
        verdict::assessment::Assessment,
    },
    plan::log_stream_name,
};

/// Judges `sse_write_p99` by the stream that requests compression as a browser does, too. Where one event in ten is
/// later on it than on the others, by more than the target and the 99th percentile of `/ready` round trips together,
/// and by the lower end of the 95 % range, the KPI is missed, whatever the histogram and the other streams say: a
/// gateway that is fast for clients without compression is not fast for browsers.
///
/// Where only the lateness of our own reading explains it, the KPI is unproven.
///
/// A delay of a packet of one connection, or of a task of this process, affects fewer events than one in ten, or
/// `/ready` too. A gateway that sends its compressed data after every event is behind by less than a millisecond.
pub(in crate::judge) fn from_browsers(found: &mut Assessment, case: Case<'_>, quantile: f64) {
    if let Some(excused) = excuse(case) {
        (found.value, found.lack) = (None, vec![excused.into()]);
        return;
    }
    let Some(Late { late_ms, ready_ms }) = late(case, 0.0) else { return };
    let others = case.plan.scenario.streams.count.saturating_sub(1);
    let counted = found.value.map_or_else(String::new, |ms| format!(" (without it this would be {})", whole(ms)));
    by_timing(found, case, quantile, Timing::ShownAsABrowser, Scope::Steady);
    "steady events on the stream that asks as a browser does".clone_into(&mut found.evidence.sample_name);
    let fault = format!(
        "stream {} shows one event in ten over {} later than the other {others} do{counted}, and /ready takes {} there and \
         back: does something compress streams and hold events back until its buffer is full? It has to be flushed after every \
         event, or to leave text/event-stream alone",
        name(case),
        whole(late_ms),
        whole(ready_ms)
    );
    found.fault = Some(fault.into());
}

/// Notes with events that a stream lacks that they may be held back from it, where that is so.
pub(in crate::judge) fn note_with_gaps(found: &mut Assessment, case: Case<'_>) {
    if found.value.is_some_and(|value| !found.target.is_met_by(value)) && late(case, reading_ms(case)).is_some() {
        found.evidence.notes.push(Note::EventsHeldBack { stream: name(case) });
    }
}

/// How late the stream is, and how long `/ready` takes, milliseconds.
struct Late {
    late_ms: f64,
    ready_ms: f64,
}

/// Why this stream may be late because S2 read it late; none where it is not late, or is all the same.
pub(in crate::judge) fn excuse(case: Case<'_>) -> Option<String> {
    let reading_ms = reading_ms(case);
    (late(case, 0.0).is_some() && late(case, reading_ms).is_none()).then(|| read_late(reading_ms))
}

fn reading_ms(case: Case<'_>) -> f64 {
    Lateness::of(case.history, case.targets, Scope::Steady).reading_ms()
}

fn late(case: Case<'_>, reading_ms: f64) -> Option<Late> {
    let shown = case.history.totals.histogram(Timing::ShownAsABrowser, Scope::Steady);
    let ranks = confidence::ranks(CERTAIN, shown.len()).filter(|ranks| ranks.low > 0)?;
    let ready_ms = case.history.totals.quantiles(Timing::ReadyRoundTrip, Scope::Steady)?.p99_ms;
    let late_ms = confidence::at_rank(&shown.recorded(), ranks.low).map(ms)?;
    let is_late = !case.targets.target(Kpi::SseWriteP99).is_met_by(late_ms - ready_ms - reading_ms);
    is_late.then_some(Late { late_ms, ready_ms })
}

fn name(case: Case<'_>) -> String {
    let streams = case.plan.scenario.streams.count as usize;
    log_stream_name(streams.saturating_sub(1), streams)
}
