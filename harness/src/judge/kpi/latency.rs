//! How long things take: start to log by what we saw, the guard's work and stream writes by what the gateway says of
//! itself where that is enough.

use crate::{
    catalog::{Kpi, Phase},
    history::{Bounds, Scope, limit_us},
    journal::{Counter, Source, Timing},
    judge::{
        HistogramGap, Note, PhaseValue,
        kpi::{
            arrivals,
            backdate::backdate_to_window,
            case::Case,
            held_back,
            lateness::{self, Lateness},
            missing_samples,
            quantiles::{bound, by_timing, first_over, ms, value_us, worst_over},
        },
        stats::confidence::{self, Range},
        verdict::assessment::{Assessment, is_too_few},
    },
};

/// `start_to_log_p95` and `_p99`: steady runs, by nearest rank. Windows are shown, not judged.
pub(in crate::judge) fn start_to_log(case: Case<'_>) -> Assessment {
    let quantile = case.quantile();
    let mut found = case.open("runs");
    by_timing(&mut found, case, quantile, Timing::StartToLog, Scope::Steady);
    let limit_us = limit_us(case.limit());
    backdate_to_window(&mut found, case.history, |phase| {
        let worst = case.history.totals.worst_in(Timing::StartToLog, phase)?;
        worst.first_over(limit_us).cloned()
    });
    let unseen = case.history.totals.counter(Counter::FirstLinesUnseen, Scope::Steady);
    if unseen > 0 {
        found.evidence.notes.push(Note::FirstLinesUnseen { runs: unseen });
    }
    if found.samples == 0 {
        found.lack.push("no run wrote a log line".to_owned().into());
    }
    unless_late(&mut found, case);
    found
}

/// The latencies that this process measures itself, so that its own lateness is in them.
const OBSERVED: [(Kpi, Timing, Scope); 3] = [
    (Kpi::StartToLogP95, Timing::StartToLog, Scope::Steady),
    (Kpi::StartToLogP99, Timing::StartToLog, Scope::Steady),
    (Kpi::SseWriteP99, Timing::EventDelivery, Scope::All),
];

/// The KPIs that may be decided by a latency that this process measured itself.
pub(in crate::judge) fn observed_kpis() -> impl Iterator<Item = Kpi> {
    OBSERVED.iter().map(|(kpi, ..)| *kpi)
}

/// The scope of the latency that this process measured itself for a KPI.
pub(in crate::judge) fn observed_scope(kpi: Kpi) -> Scope {
    OBSERVED.iter().find(|(observed, ..)| *observed == kpi).map_or(Scope::All, |(.., scope)| *scope)
}

/// The latency that decides a KPI and that this process measured itself, milliseconds; none where the gateway's histogram
/// decides.
pub(in crate::judge) fn observed_ms(case: Case<'_>) -> Option<f64> {
    let (_, timing, scope) = OBSERVED.iter().find(|(kpi, ..)| *kpi == case.kpi)?;
    if *timing == Timing::EventDelivery && decisive_bounds(case, Source::SseWrite).is_ok() {
        return None;
    }
    let histogram = case.history.totals.histogram(*timing, *scope);
    let max_us = case.history.totals.worst(*timing, *scope).map(|worst| worst.max_us).max().unwrap_or(0);
    (!histogram.is_empty()).then(|| ms(value_us(&histogram, case.quantile(), max_us)))
}

/// Whether only the lateness of our own reading keeps arrivals from proving that a KPI is missed.
pub(in crate::judge) fn is_read_late(case: Case<'_>) -> bool {
    let is_met = |bounds: Result<Bounds, Option<Bounds>>| bounds.is_ok_and(|bounds| bounds.upper <= case.limit());
    let is_of_writes = case.kpi == Kpi::SseWriteP99 && is_met(decisive_bounds(case, Source::SseWrite));
    is_of_writes && (arrivals::excuse(case).is_some() || held_back::excuse(case).is_some())
}

/// A latency that may have missed its target because this process was late proves nothing.
fn unless_late(found: &mut Assessment, case: Case<'_>) {
    let lateness = Lateness::of(case.history, case.targets, observed_scope(case.kpi));
    let observed = observed_ms(case).filter(|_| found.value.is_some() && found.fault.is_none());
    let explained = observed.and_then(|ms| lateness::explanation(&lateness, case.quantile(), ms, found.target));
    if let Some(explained) = explained {
        (found.value, found.lack) = (None, vec![explained.into()]);
    }
}

/// Where the gateway's histogram puts a quantile, if that is on one side of the target and enough samples say so. Otherwise
/// where it puts the quantile all the same, if it has enough samples.
fn decisive_bounds(case: Case<'_>, source: Source) -> Result<Bounds, Option<Bounds>> {
    let cells = case.history.totals.cells(source, Scope::All);
    let promised = case.plan.expected_samples(case.kpi, &case.history.timeline.windows_ms);
    let bounds = cells.quantile(case.quantile()).map(in_ms).filter(|_| !is_too_few(cells.total(), promised));
    match bounds {
        Some(Bounds { lower, upper }) if upper <= case.limit() || lower >= case.limit() => Ok(Bounds { lower, upper }),
        between => Err(between),
    }
}

/// `judge_p95`, `shield_p95`, `sse_write_p99`: by the gateway's own histogram where it has nine tenths of the samples
/// promised, else by what events say.
///
/// A Prometheus histogram bounds a quantile and does not tell it. A bucket under the target passes and one over it
/// fails; where the target divides the bucket, events decide, and nothing is interpolated: that would be a guess.
pub(in crate::judge) fn by_histogram(case: Case<'_>, source: Source, timing: Timing) -> Assessment {
    let quantile = case.quantile();
    let events = if timing == Timing::EventDelivery { "events" } else { "guard events" };
    let mut found = case.open(events);
    let cells = case.history.totals.cells(source, Scope::All);
    let total = cells.total();
    let limit_ms = case.limit();
    let bounds = decisive_bounds(case, source);

    if let Ok(Bounds { lower, upper }) = bounds {
        found.evidence.sample_name = "samples of the gateway's histogram".to_owned();
        found.samples = total;
        found.evidence.over = cells.certainly_above(limit_ms / 1_000.0);
        found.evidence.by_phase = upper_bounds_by_phase(case, quantile, source);
        found.evidence.notes.push(Note::ByHistogram { source, lower_ms: lower, upper_ms: finite(upper) });
        found.value = Some(if upper.is_finite() { upper } else { lower });
        if let Some(ranks) = confidence::ranks(quantile, total) {
            // The truth may lie anywhere within the buckets of the two ranks.
            let low = cells.at_rank(ranks.low).map_or(0.0, |bounds| in_ms(bounds).lower);
            let high = cells.at_rank(ranks.high).map(|bounds| in_ms(bounds).upper);
            found.range = high.zip(found.value).map(|(high, value)| Range { low, high }.holding(value));
            found.range_is_open = ranks.is_open;
        }
        let is_of_writes = timing == Timing::EventDelivery;
        if is_of_writes {
            arrivals::note(&mut found, case);
        }
        match (upper <= limit_ms, is_of_writes) {
            (true, true) => {
                arrivals::contradicted(&mut found, case, quantile, source);
                if found.fault.is_none() && found.value.is_some() {
                    held_back::from_browsers(&mut found, case, quantile);
                }
            }
            (true, false) => contradicted(&mut found, case, quantile, source, timing),
            (false, _) => {}
        }
        if lower >= limit_ms {
            // A histogram names nobody; events that say how long they took do.
            let limit_us = limit_us(limit_ms);
            let firsts = [
                first_over(case.history, timing, Scope::All, limit_us),
                case.history.totals.source_over(source).cloned(),
            ];
            found.evidence.first = firsts.into_iter().flatten().min_by_key(|first| first.at_ms);
            found.evidence.worst = worst_over(case.history, timing, Scope::All, limit_us);
            found.fault =
                (!upper.is_finite()).then(|| format!("{source} has no bound above {lower} ms, and it is over").into());
        }
        return found;
    }

    by_timing(&mut found, case, quantile, timing, Scope::All);
    let gap = match bounds.err().flatten() {
        Some(Bounds { lower, upper }) => HistogramGap::Between { lower_ms: lower, upper_ms: finite(upper) },
        None if total > 0 => HistogramGap::Few { samples: total, promised: found.promised },
        None => HistogramGap::Empty,
    };
    if is_too_few(found.samples, found.promised) {
        let scrapes = missing_samples::of_scrapes(&[source.name()], case.history);
        found.lack.push(Note::NeitherDecides { source, gap, scrapes, events: found.samples }.into());
    } else {
        found.evidence.notes.push(Note::ByEvents { source, gap });
    }
    if timing == Timing::EventDelivery {
        arrivals::note(&mut found, case);
        held_back::from_browsers(&mut found, case, quantile);
        unless_late(&mut found, case);
    }
    if cells.malformed > 0 {
        found.evidence.notes.push(Note::HistogramMalformed { source, intervals: cells.malformed });
    }
    found
}

/// Compares a gateway's histogram with the gateway's events on the same work: where the events miss the target, and are
/// as many as expected, the target is missed. (The delay of an event is not reported by the gateway, and includes the
/// network and the harness: [`arrivals`] decides when lateness is certain all the same.)
fn contradicted(found: &mut Assessment, case: Case<'_>, quantile: f64, source: Source, timing: Timing) {
    let reported = case.history.totals.histogram(timing, Scope::All);
    let max_us = case.history.totals.worst(timing, Scope::All).map(|worst| worst.max_us).max().unwrap_or(0);
    if is_too_few(reported.len(), found.promised) {
        return;
    }
    let reported_ms = ms(value_us(&reported, quantile, max_us));
    if reported_ms > case.limit() {
        let limit_us = limit_us(case.limit());
        let at_most_ms = found.value.unwrap_or(0.0);
        let fault = format!("{source} puts it at {at_most_ms} ms at most, and events say {reported_ms:.0} ms");
        found.fault = Some(fault.into());
        found.value = Some(reported_ms);
        found.evidence.over = reported.count_above(limit_us);
        found.evidence.first = first_over(case.history, timing, Scope::All, limit_us);
        found.evidence.worst = worst_over(case.history, timing, Scope::All, limit_us);
        bound(found, &reported, quantile, max_us);
    }
}

/// An upper bound, unless the bucket has none.
fn finite(bound: f64) -> Option<f64> {
    Some(bound).filter(|bound| bound.is_finite())
}

fn upper_bounds_by_phase(case: Case<'_>, quantile: f64, source: Source) -> Vec<PhaseValue> {
    let of_phase = |phase: &Phase| {
        let cells = case.history.totals.cells_of(source, *phase)?;
        let value = cells.quantile(quantile).map(in_ms)?.upper;
        value.is_finite().then_some(PhaseValue { phase: *phase, value, samples: cells.total() })
    };
    Phase::ALL.iter().filter_map(of_phase).collect()
}

/// Bounds in milliseconds, to the microsecond: 0.3 s is not to become 299.99999999999994 ms.
fn in_ms(seconds: Bounds) -> Bounds {
    let ms = |seconds: f64| (seconds * 1_000_000.0).round() / 1_000.0;
    Bounds { lower: ms(seconds.lower), upper: ms(seconds.upper) }
}
