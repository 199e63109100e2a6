//! Latencies: start to log by the session's own measurement, the guard's work and stream writes by the gateway's
//! histograms where these decide.

use crate::{
    catalog::Kpi,
    history::{Bounds, Scope, limit_us},
    journal::{Counter, Source, Timing},
    judge::{
        Fault, HistogramGap, Note, PhaseValue, UnprovenReason,
        kpi::{
            arrivals,
            backdate::backdate_to_window,
            case::Case,
            held_back,
            lateness::Lateness,
            missing_samples,
            quantiles::{TimedSamples, by_timing, first_over, worst_over},
        },
        stats::confidence::{self, Range},
        verdict::assessment::{Assessment, is_too_few},
    },
};

/// `start_to_log_p95` and `_p99`: steady runs, by nearest rank. Windows are shown, not judged.
pub(crate) fn start_to_log(case: Case<'_>) -> Assessment {
    let mut found = case.open("runs");
    by_timing(&mut found, case, Timing::StartToLog, Scope::Steady);
    let limit_us = limit_us(case.limit());
    let first_in = |phase| first_over(case.history, Timing::StartToLog, Scope::In(phase), limit_us);
    backdate_to_window(&mut found, case.history, first_in);
    let unseen = case.count(Counter::FirstLinesUnseen, Scope::Steady);
    found.note_count(unseen, |runs| Note::FirstLinesUnseen { runs });
    if found.samples == 0 {
        found.lack.push(UnprovenReason::LogLinesMissing.into());
    }
    unless_late(&mut found, case);
    found
}

/// The latencies that this process measures itself, so that its own lateness is in them.
pub(crate) const OBSERVED: [(Kpi, Timing, Scope); 3] = [
    (Kpi::StartToLogP95, Timing::StartToLog, Scope::Steady),
    (Kpi::StartToLogP99, Timing::StartToLog, Scope::Steady),
    (Kpi::SseWriteP99, Timing::EventDelivery, Scope::All),
];

/// The latency that decides a KPI and that this process measured itself, milliseconds, with the lateness in its scope;
/// none where the gateway's histogram decides.
pub(crate) fn observed(case: Case<'_>) -> Option<(f64, Lateness)> {
    let (_, timing, scope) = *OBSERVED.iter().find(|(kpi, ..)| *kpi == case.kpi)?;
    if timing == Timing::EventDelivery && decisive_bounds(case, Source::SseWrite).is_ok() {
        return None;
    }
    let observed_ms = TimedSamples::of(case.history, timing, scope).at_ms(case.quantile())?;
    Some((observed_ms, Lateness::of(case.history, case.targets, scope)))
}

/// Whether only the lateness of our own reading keeps arrivals from proving that a KPI is missed.
pub(crate) fn is_read_late(case: Case<'_>) -> bool {
    case.kpi == Kpi::SseWriteP99
        && decisive_bounds(case, Source::SseWrite).is_ok_and(|bounds| bounds.upper <= case.limit())
        && (arrivals::excuse(case).is_some() || held_back::excuse(case).is_some())
}

/// A latency that may have missed its target because this process was late proves nothing.
fn unless_late(found: &mut Assessment, case: Case<'_>) {
    let observed = observed(case).filter(|_| found.value.is_some() && found.fault.is_empty());
    let explanation = observed.and_then(|(ms, lateness)| lateness.explanation(case.quantile(), ms, found.target));
    if let Some(explanation) = explanation {
        found.withdraw(explanation);
    }
}

/// The bounds of the quantile in the gateway's histogram, if they are on one side of the target and enough samples say
/// so. Otherwise the bounds all the same, if there are enough samples.
fn decisive_bounds(case: Case<'_>, source: Source) -> Result<Bounds, Option<Bounds>> {
    let cells = case.history.totals.cells(source, Scope::All);
    let bounds = cells.quantile(case.quantile()).map(in_ms);
    match bounds.filter(|_| !is_too_few(cells.total(), case.expected())) {
        Some(bounds) if bounds.upper <= case.limit() || bounds.lower >= case.limit() => Ok(bounds),
        between => Err(between),
    }
}

/// `judge_p95`, `shield_p95`, `sse_write_p99`: by the gateway's histogram where it has enough samples, else by events.
///
/// A Prometheus histogram gives bounds of a quantile, not its value. A bucket under the target passes and one over it
/// fails; where the target divides the bucket, events decide, and nothing is interpolated: that would be a guess.
pub(crate) fn by_histogram(case: Case<'_>, source: Source, timing: Timing) -> Assessment {
    let is_of_writes = timing == Timing::EventDelivery;
    let mut found = case.open(if is_of_writes { "events" } else { "guard events" });
    let cells = case.history.totals.cells(source, Scope::All);
    let total = cells.total();
    match decisive_bounds(case, source) {
        Ok(bounds) => {
            "samples of the gateway's histogram".clone_into(&mut found.evidence.sample_name);
            found.samples = total;
            found.evidence.over = cells.certainly_above(case.limit() / 1_000.0);
            by_bounds(&mut found, case, source, timing, bounds);
        }
        Err(between) => {
            by_timing(&mut found, case, timing, Scope::All);
            let gap = match between {
                Some(Bounds { lower, upper }) => HistogramGap::Between { lower_ms: lower, upper_ms: finite(upper) },
                None if total > 0 => HistogramGap::Few { samples: total, promised: found.promised },
                None => HistogramGap::Empty,
            };
            if is_too_few(found.samples, found.promised) {
                let scrapes = missing_samples::of_scrapes(&[source.name()], case.history);
                found.lack.push(Note::NeitherDecides { source, gap, scrapes, events: found.samples });
            } else {
                found.note(Note::ByEvents { source, gap });
            }
            if is_of_writes {
                arrivals::note(&mut found, case);
                held_back::from_browsers(&mut found, case);
                unless_late(&mut found, case);
            }
            found.note_count(cells.malformed, |intervals| Note::HistogramMalformed { source, intervals });
        }
    }
    found
}

/// Judges by the bounds of the quantile in the gateway's histogram, milliseconds, unless events contradict it.
fn by_bounds(found: &mut Assessment, case: Case<'_>, source: Source, timing: Timing, Bounds { lower, upper }: Bounds) {
    let (limit_ms, limit_us) = (case.limit(), limit_us(case.limit()));
    let is_of_writes = timing == Timing::EventDelivery;
    let cells = case.history.totals.cells(source, Scope::All);
    found.evidence.by_phase = PhaseValue::of_each(|phase| {
        let cells = case.history.totals.cells(source, phase);
        Some((finite(cells.quantile(case.quantile()).map(in_ms)?.upper)?, cells.total()))
    });
    found.note(Note::ByHistogram { source, lower_ms: lower, upper_ms: finite(upper) });
    found.value = Some(if upper.is_finite() { upper } else { lower });
    if let Some(ranks) = confidence::ranks(case.quantile(), cells.total()) {
        // The truth may lie anywhere within the buckets of the two ranks.
        let low = cells.at_rank(ranks.low).map_or(0.0, |bounds| in_ms(bounds).lower);
        let high = cells.at_rank(ranks.high).map(|bounds| in_ms(bounds).upper);
        found.range = high.zip(found.value).map(|(high, value)| Range { low, high }.holding(value));
        found.range_is_open = ranks.is_open;
    }
    if is_of_writes {
        arrivals::note(found, case);
    }
    if upper <= limit_ms && is_of_writes {
        arrivals::contradicted(found, case, source);
        if found.fault.is_empty() && found.value.is_some() {
            held_back::from_browsers(found, case);
        }
    } else if upper <= limit_ms {
        contradicted(found, case, source, timing);
    }
    if lower >= limit_ms {
        // A histogram names no sample; events that say how long they took do.
        let of_events = first_over(case.history, timing, Scope::All, limit_us);
        let firsts = of_events.into_iter().chain(case.history.totals.source_over(source).cloned());
        found.evidence.first = firsts.min_by_key(|first| first.at_ms);
        found.evidence.worst = worst_over(case.history, timing, Scope::All, limit_us);
        if !upper.is_finite() {
            found.fail(Fault::BucketUnbounded { source, lower_ms: lower });
        }
    }
}

/// Compares a gateway's histogram with the gateway's events on the same work: where the events miss the target, and are
/// as many as expected, the target is missed. (The delay of an event is not reported by the gateway, and includes the
/// network and the harness: [`arrivals`] decides when lateness is certain all the same.)
fn contradicted(found: &mut Assessment, case: Case<'_>, source: Source, timing: Timing) {
    let reported = TimedSamples::of(case.history, timing, Scope::All);
    if is_too_few(reported.histogram.len(), found.promised) {
        return;
    }
    if let Some(reported_ms) = reported.at_ms(case.quantile()).filter(|ms| *ms > case.limit()) {
        let at_most_ms = found.value.unwrap_or(0.0);
        found.fail(Fault::EventsSlower { source, at_most_ms, reported_ms });
        reported.judge(found, case, timing, Scope::All);
    }
}

/// An upper bound, unless the bucket has none.
fn finite(bound: f64) -> Option<f64> {
    Some(bound).filter(|bound| bound.is_finite())
}

/// Bounds in milliseconds, to the microsecond: 0.3 s is not to become 299.99999999999994 ms.
fn in_ms(seconds: Bounds) -> Bounds {
    let ms = |seconds: f64| (seconds * 1_000_000.0).round() / 1_000.0;
    Bounds { lower: ms(seconds.lower), upper: ms(seconds.upper) }
}
