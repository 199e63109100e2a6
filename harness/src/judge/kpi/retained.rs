//! Memory in use, apart from garbage.
//!
//! A garbage collector frees memory only when it must: resident memory of a healthy gateway grows for hours. Two
//! sources show the memory in use: the metrics of the runtime's heap after full collections, with resident memory
//! beyond the heap; and resident memory right after a requested collection.

use crate::{
    history::History,
    journal::Gauge,
    judge::stats::{Segment, as_value},
};

/// The least number of moments that represent a life.
const MOMENTS_MIN: usize = 4;
/// The least share of the life between the first and the last of them.
const SPAN_SHARE_MIN: f64 = 0.5;

/// The memory in use during one life of the process, as far as it is known.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum InUse {
    /// After each full collection: the heap alone, and with resident memory beyond the heap.
    Heap(Segment, Segment),
    /// Resident memory after each requested collection.
    Requested(Segment),
    /// An upper bound of the memory in use: its runtime has a heap, of which no more is known.
    AtMost(Segment),
    Unknown,
}

pub(crate) fn in_use(history: &History, life: Option<u64>, warm: &Segment) -> InUse {
    let of = |gauge| history.series.floors(gauge).and_then(|floors| floors.of_life(life)).unwrap_or_default();
    let (Some(first), Some(last)) = (warm.first(), warm.last()) else { return InUse::Unknown };
    let is_enough = |moments: &Segment| {
        let span = moments.first().zip(moments.last()).map_or(0, |(from, to)| to.0 - from.0);
        let share = as_value(span) / as_value((last.0 - first.0).max(1));
        moments.len() >= MOMENTS_MIN && share >= SPAN_SHARE_MIN
    };
    // The metrics are of one process, resident memory is that of all.
    let are_several = history.totals.gauge(Gauge::GatewayProcesses).is_some_and(|processes| processes.max > 1.0)
        || history.timeline.lives.are_several();
    let used = if are_several { Segment::new() } else { of(Gauge::GatewayHeapUsed) };
    let negated_peaks = history.series.heap_peaks.of_life(life).unwrap_or_default();
    let peaks = negated_peaks.into_iter().map(|(minute, negated)| (minute, -negated)).collect();
    let outside = outside(warm, &of(Gauge::GatewayHeapCommitted), &peaks);
    let live = of(Gauge::GatewayHeapLive).into_iter().filter(|moment| at(warm, moment.0).is_some()).collect();
    if !used.is_empty() && is_enough(&live) {
        let all = sum(&outside, &live);
        return InUse::Heap(live, all);
    }
    let requested: Segment = of(Gauge::GatewayRssCollected).into_iter().filter(|at| at.0 >= first.0).collect();
    if is_enough(&requested) {
        return InUse::Requested(requested);
    }
    if used.is_empty() { InUse::Unknown } else { InUse::AtMost(sum(&outside, &used)) }
}

/// Resident memory beyond the heap.
///
/// A runtime may have reserved more for its heap than it has ever used, as a JVM does: that is not resident. Memory
/// that was used once is, until it is given back.
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
