//! Memory in use, apart from garbage.
//!
//! A garbage collector frees what it must, when it must: resident memory of a healthy gateway grows for hours. Two sources
//! tell what is in use. The metrics of the runtime's heap: what a full collection left of it, and resident memory beyond
//! the heap. And resident memory right after a collection that was asked for.

use crate::{history::History, journal::Gauge, judge::stats::Segment};

/// Fewer moments tell nothing of a life.
const MOMENTS_MIN: usize = 4;
/// Nor do moments that lie closer together than this share of the life.
const SPAN_SHARE_MIN: f64 = 0.5;

/// The memory in use during one life of the process, as far as it is known.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::judge) enum InUse {
    /// After each full collection: the heap alone, and with resident memory beyond the heap.
    Heap(Segment, Segment),
    /// Resident memory after each collection that was asked for.
    Requested(Segment),
    /// Its runtime has a heap, of which no more is known than that so much is in use at most.
    AtMost(Segment),
    /// Nothing.
    Unknown,
}

/// Memory in use of a life, by the minutes that are judged.
pub(in crate::judge) fn in_use(history: &History, life: Option<u64>, warm: &Segment) -> InUse {
    let of = |gauge| history.series.floors(gauge).and_then(|floors| floors.of_life(life)).unwrap_or_default();
    let (Some(first), Some(last)) = (warm.first(), warm.last()) else { return InUse::Unknown };
    let is_enough = |moments: &Segment| match (moments.first(), moments.last()) {
        (Some(from), Some(to)) => {
            let share = (to.0 - from.0) as f64 / (last.0 - first.0).max(1) as f64;
            moments.len() >= MOMENTS_MIN && share >= SPAN_SHARE_MIN
        }
        _ => false,
    };
    // The metrics are those of one process: of several, memory is that of all.
    let used = if are_several_processes(history) { Segment::new() } else { of(Gauge::GatewayHeapUsed) };
    if !used.is_empty() {
        let outside = outside(warm, &of(Gauge::GatewayHeapCommitted), &heap_peaks(history, life));
        let live: Segment =
            of(Gauge::GatewayHeapLive).into_iter().filter(|moment| at(warm, moment.0).is_some()).collect();
        if is_enough(&live) {
            let all = sum(&outside, &live);
            return InUse::Heap(live, all);
        }
    }
    let requested: Segment = of(Gauge::GatewayRssCollected).into_iter().filter(|at| at.0 >= first.0).collect();
    if is_enough(&requested) {
        return InUse::Requested(requested);
    }
    if used.is_empty() {
        return InUse::Unknown;
    }
    InUse::AtMost(sum(&outside(warm, &of(Gauge::GatewayHeapCommitted), &heap_peaks(history, life)), &used))
}

/// Whether memory is that of several processes.
fn are_several_processes(history: &History) -> bool {
    history.totals.gauge(Gauge::GatewayProcesses).is_some_and(|processes| processes.max > 1.0)
        || history.timeline.lives.are_several()
}

/// The most of the heap that was in use in each minute of a life, out of chaos windows and in them.
fn heap_peaks(history: &History, life: Option<u64>) -> Segment {
    let negated = history.series.heap_peaks.of_life(life).unwrap_or_default();
    negated.into_iter().map(|(minute, negated)| (minute, -negated)).collect()
}

/// Resident memory beyond the heap.
///
/// A runtime may have taken more for its heap than it has ever used, as a JVM does: that is not resident. What was used once
/// is, until it is given back.
fn outside(resident: &Segment, committed: &Segment, peaks: &Segment) -> Segment {
    let peak = |minute: u64| {
        let until = peaks.iter().take_while(|peak| peak.0 <= minute).map(|peak| peak.1);
        until.fold(0.0, f64::max)
    };
    let outside = resident.iter().map(|(minute, resident)| {
        let taken = at(committed, *minute).unwrap_or(f64::INFINITY);
        (*minute, resident - taken.min(peak(*minute)))
    });
    outside.collect()
}

/// Minute by minute, where both are known.
fn sum(a: &Segment, b: &Segment) -> Segment {
    a.iter().filter_map(|(minute, value)| Some((*minute, value + at(b, *minute)?))).collect()
}

fn at(segment: &Segment, minute: u64) -> Option<f64> {
    let found = segment.binary_search_by_key(&minute, |at| at.0).ok()?;
    Some(segment[found].1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heap_that_was_never_used_is_not_resident_and_heap_that_was_given_back_is_not_either() {
        let minutes = |values: [f64; 4]| -> Segment { (10..14).zip(values).collect() };
        // A JVM has taken 400 MB, and touches it little by little.
        let jvm =
            outside(&minutes([80.0, 150.0, 300.0, 300.0]), &minutes([400.0; 4]), &minutes([15.0, 85.0, 235.0, 20.0]));
        assert_eq!(minutes([65.0; 4]), jvm);
        // V8 gives back what it does not need.
        let v8 = outside(&minutes([60.0, 100.0, 60.0, 60.0]), &minutes([10.0, 50.0, 10.0, 10.0]), &minutes([60.0; 4]));
        assert_eq!(minutes([50.0; 4]), v8);
        assert_eq!(vec![(11, 3.0)], sum(&vec![(10, 1.0), (11, 1.0)], &vec![(11, 2.0), (12, 2.0)]));
    }
}
