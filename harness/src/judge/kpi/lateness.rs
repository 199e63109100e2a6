//! The lateness of the harness, and whether it could have changed a verdict.
//!
//! The limit is `start_lateness_p99_ms_max`. A start later than that is *late*. With fewer than a hundred starts the
//! 99th percentile by nearest rank is the latest start, and on a busy machine one start of fifty is late now and then.
//! That alone is a note. The harness is to blame where one of these holds:
//!
//! - **The load was another.** More than [`LATE_PERCENT_MAX`] of the starts were late, by the lower end of the 95 %
//!   range of their share: 6 of 52, 27 of 360. Starts that are late come in bunches.
//! - **The harness stood still** for more than 1 % of the plan, and for more than 5 s of real time, the limit of holes.
//! - **A latency missed its target by less than starts were late.** Starts are late while this process waits for a
//!   processor, and each latency that it measures holds such waits, also `start_to_log`, which counts from the actual
//!   start. If the latency without the lateness at the same quantile meets the target, and this lateness is over the
//!   limit, the KPI is unproven and `load_delivered` fails. A larger miss is the gateway's. The same holds for
//!   `sse_write_p99` where arrivals decide it.
//! - **A latency missed its target by less than events were read late.** A task beside the threads that read workspace
//!   streams measures its lateness ten times a second, and each sample counts once for each event that was delivered
//!   since the sample before. The rule is the same, and the two are not added up. This lateness may also excuse
//!   arrivals that contradict the gateway's histogram ([`super::arrivals`], [`super::held_back`]).
//!
//! Lateness only makes latencies longer. It cannot make a slow gateway pass.
//!
//! Twenty healthy smoke tests at a pace of 30, two at a time on two processors that seven other builds and tests kept
//! busy (load average 20 to 3), were all green: up to 3 of 52 starts were late, by up to 863 ms. A limit on the 99th
//! percentile of 52 starts alone would have failed ten of them. On the same machine, starved (load average 18 to 30, at
//! a pace of 120), 92 % of starts were late, by seconds, and all three soaks failed `load_delivered`.
//!
//! `tests/verdicts/busy.rs` measures it again, beside four threads of its own that keep two processors busy (load
//! average 4.0 to 6.7): twenty of twenty were green, and the 99th percentile of lateness was 12.5 to 51.3 ms.

use crate::{
    catalog::Target,
    history::{History, Scope, limit_us, ms},
    journal::LatencyHistogram,
    judge::{LatePart, LateStarts, Note, Targets, UnprovenReason, stats::confidence, verdict::assessment::percent},
};

/// If more starts than this are late, percent of all, the load was not the load of the plan.
const LATE_PERCENT_MAX: f64 = 5.0;

/// The lateness of this process over a soak.
#[derive(Debug, Clone)]
pub(crate) struct Lateness {
    pub(crate) starts: LatencyHistogram,
    /// One sample for each event of the workspace streams; none in a journal without this timing.
    pub(crate) reading: LatencyHistogram,
    limit: Target,
}

impl Lateness {
    /// The lateness of all starts, and of reading in a scope: that of the latency that it may explain.
    pub(crate) fn of(history: &History, targets: &Targets, scope: Scope) -> Self {
        let of = |part: LatePart, scope| history.totals.histogram(part.timing(), scope);
        let (starts, reading) = (of(LatePart::Starts, Scope::All), of(LatePart::Reading, scope));
        Self { starts, reading, limit: targets.start_lateness() }
    }

    /// The lateness of a part at a quantile, by nearest rank; milliseconds.
    pub(crate) fn at_ms(&self, part: LatePart, quantile: f64) -> f64 {
        let histogram = match part {
            LatePart::Starts => &self.starts,
            LatePart::Reading => &self.reading,
        };
        ms(histogram.quantile_us(quantile))
    }

    /// The 99th percentile of the lateness of reading, milliseconds; 0 within the limit.
    pub(crate) fn reading_ms(&self) -> f64 {
        let p99_ms = self.at_ms(LatePart::Reading, 0.99);
        if self.limit.is_met_by(p99_ms) { 0.0 } else { p99_ms }
    }

    fn late_starts(&self) -> u64 {
        self.starts.count_above(limit_us(self.limit.limit()))
    }

    /// The starts that were late, and the lateness of reading where it was over the limit.
    pub(crate) fn notes(&self) -> impl Iterator<Item = Note> {
        let (late, starts, limit_ms) = (self.late_starts(), self.starts.len(), self.limit.limit());
        let latest_ms = ms(self.starts.max_us());
        let of_starts = (late > 0).then_some(Note::StartsLate { late, starts, limit_ms, latest_ms });
        let (p99_ms, events) = (self.reading_ms(), self.reading.len());
        of_starts.into_iter().chain((p99_ms > 0.0).then_some(Note::ReadLateness { p99_ms, events }))
    }

    /// Why the load was not the load of the plan; none where it was.
    pub(crate) fn starved(&self) -> Option<LateStarts> {
        let (late, starts, limit_ms) = (self.late_starts(), self.starts.len(), self.limit.limit());
        let low = confidence::of_share(late, starts)?.low;
        let percent = percent(late, starts)?;
        (low > LATE_PERCENT_MAX).then_some(LateStarts::TooMany { late, starts, percent, limit_ms })
    }

    /// The part whose lateness explains that a latency misses its target, and that lateness, milliseconds: the latency
    /// misses it by no more, and the part was later than it may be.
    pub(crate) fn explains(&self, quantile: f64, value_ms: f64, target: Target) -> Option<(LatePart, f64)> {
        let parts = [LatePart::Starts, LatePart::Reading].map(|part| (part, self.at_ms(part, quantile)));
        let (part, late_ms) = parts.into_iter().max_by(|(_, a), (_, b)| a.total_cmp(b))?;
        let is_missed = !target.is_met_by(value_ms);
        let is_explained = !self.limit.is_met_by(late_ms) && target.is_met_by((value_ms - late_ms).max(0.0));
        (is_missed && is_explained).then_some((part, late_ms))
    }

    /// Why a latency that misses its target may be the harness's own; none where it is not.
    pub(crate) fn explanation(&self, quantile: f64, value_ms: f64, target: Target) -> Option<UnprovenReason> {
        let (part, late_ms) = self.explains(quantile, value_ms, target)?;
        Some(UnprovenReason::HarnessLate { part, quantile, value_ms, late_ms })
    }
}

/// The session itself stood still until a moment. Starts that were due during that time were late.
pub(crate) fn stood_still((at_ms, stalled_ms): &(u64, u64)) -> Note {
    Note::SessionStoodStill { until_ms: *at_ms, stalled_ms: *stalled_ms }
}
