//! How late the harness started what was due, and whether that could have changed a verdict.
//!
//! The limit is `start_lateness_p99_ms_max`. A start later than that is *late*. With fewer than a hundred starts the 99th
//! percentile by nearest rank is the latest start, and on a busy machine one start of fifty is late now and then. That alone is
//! a note. The harness is to blame where one of these holds:
//!
//! - **The load was another.** More than [`LATE_PERCENT_MAX`] of the starts were late, by the lower end of the 95 % range of
//!   their share: 6 of 52, 27 of 360. Starts that are late come in bunches.
//! - **The harness stood still** for more than 1 % of the plan, and for more than 5 s of real time. This is the limit
//!   that holes have.
//! - **A latency missed its target by less than starts were late.** How late starts are is how long this process waits for a
//!   processor, and each latency that it measures holds such waits. `start_to_log` counts from the moment of the actual start, so the lateness
//!   of the start itself is not in it; but a machine on which starts are late shows events late as well. If the latency without
//!   the lateness at the same quantile meets the target, and this lateness is over the limit, the KPI is unproven and
//!   `load_delivered` fails. A larger miss is the gateway's, however late the starts were. The same holds for `sse_write_p99`
//!   where arrivals decide it: they hold the same waits.
//! - **A latency missed its target by less than events were read late.** Workspace streams are read by threads of their own. A task
//!   beside them measures how late it runs, ten times a second, and each sample counts once for each event that was delivered
//!   since the sample before. The rule is the same as for starts. The two are not added up. The same lateness may excuse
//!   arrivals that contradict the gateway's histogram ([`super::arrivals`], [`super::held_back`]).
//!
//! Lateness only makes latencies longer. It cannot make a slow gateway pass.
//!
//! Twenty healthy smoke tests at a pace of 30, two at a time on two processors that seven other builds and tests kept busy (load
//! average 20 to 3), were all green: up to 3 of 52 starts were late, by up to 863 ms. The rule before, which took the 99th percentile
//! of 52 starts at its word, would have failed ten of them. On the same machine, starved (load average 18 to 30, at a pace of 120),
//! 92 % of starts were late, by seconds, and all three soaks failed `load_delivered`.
//!
//! `tests/verdicts/busy.rs` measures it again, with a load that it starts itself: beside four threads that do nothing but work on
//! two processors (load average 4.0 to 6.7), twenty of twenty were green, and the 99th percentile of lateness was 12.5 to 51.3 ms.

use crate::{
    catalog::Target,
    history::{History, Scope},
    journal::{LatencyHistogram, Timing},
    judge::{Note, Targets, kpi::quantiles, stats::confidence, verdict::assessment::percent},
};

/// If more starts than this are late, percent of all, the load was not the load of the plan.
const LATE_PERCENT_MAX: f64 = 5.0;
/// The parts of this process that may be late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::judge) enum LatePart {
    /// The planned starts.
    Starts,
    /// The threads that read the workspace streams.
    Reading,
}

impl LatePart {
    /// The timing that says how late it was.
    pub(in crate::judge) const fn timing(self) -> Timing {
        match self {
            Self::Starts => Timing::StartLateness,
            Self::Reading => Timing::ReadLateness,
        }
    }
}

/// The lateness of this process over a soak.
#[derive(Debug, Clone)]
pub(in crate::judge) struct Lateness {
    starts: LatencyHistogram,
    /// One sample for each event of the workspace streams; none in a journal without this timing.
    reading: LatencyHistogram,
    limit: Target,
}

impl Lateness {
    /// The lateness of all starts, and of reading in a scope: that of the latency that it may explain.
    pub(in crate::judge) fn of(history: &History, targets: &Targets, scope: Scope) -> Self {
        let of = |part: LatePart, scope| history.totals.histogram(part.timing(), scope);
        let (starts, reading) = (of(LatePart::Starts, Scope::All), of(LatePart::Reading, scope));
        Self { starts, reading, limit: targets.start_lateness() }
    }

    /// The number of events of which it is known how late they were read.
    pub(in crate::judge) fn events(&self) -> u64 {
        self.reading.len()
    }

    /// The 99th percentile of how late events were read, milliseconds; 0 within the limit.
    pub(in crate::judge) fn reading_ms(&self) -> f64 {
        let p99_ms = self.at_ms(LatePart::Reading, 0.99);
        if self.limit.is_met_by(p99_ms) { 0.0 } else { p99_ms }
    }

    /// For how many starts the lateness is known.
    pub(in crate::judge) fn starts(&self) -> u64 {
        self.starts.len()
    }

    /// How many samples of a part were late.
    pub(in crate::judge) fn late(&self, part: LatePart) -> u64 {
        self.histogram(part).count_above(crate::history::limit_us(self.limit.limit()))
    }

    const fn histogram(&self, part: LatePart) -> &LatencyHistogram {
        match part {
            LatePart::Starts => &self.starts,
            LatePart::Reading => &self.reading,
        }
    }

    /// The lateness of a part at a quantile, by nearest rank; milliseconds.
    pub(in crate::judge) fn at_ms(&self, part: LatePart, quantile: f64) -> f64 {
        quantiles::ms(self.histogram(part).quantile_us(quantile))
    }

    /// How late events were read, where that was later than the limit.
    pub(in crate::judge) fn note_of_reading(&self) -> Option<Note> {
        let p99_ms = self.reading_ms();
        (p99_ms > 0.0).then(|| Note::ReadLateness { p99_ms, events: self.events() })
    }

    /// The starts that were late; none where none was.
    pub(in crate::judge) fn note(&self) -> Option<Note> {
        let (late, starts, limit_ms) = (self.late(LatePart::Starts), self.starts(), self.limit.limit());
        let latest_ms = quantiles::ms(self.starts.max_us());
        (late > 0).then_some(Note::StartsLate { late, starts, limit_ms, latest_ms })
    }

    /// Why the load was not the load of the plan; none where it was.
    pub(in crate::judge) fn starved(&self) -> Option<String> {
        let (late, starts) = (self.late(LatePart::Starts), self.starts());
        let low = confidence::of_share(late, starts)?.low;
        let share = percent(late, starts)?;
        let limit_ms = self.limit.limit();
        (low > LATE_PERCENT_MAX)
            .then(|| format!("{late} of {starts} planned starts, {share:.0} %, were more than {limit_ms} ms late"))
    }

    /// The part whose lateness explains that a latency misses its target, and that lateness, milliseconds: the latency misses it
    /// by no more, and the part was later than it may be.
    pub(in crate::judge) fn explains(&self, quantile: f64, value_ms: f64, target: Target) -> Option<(LatePart, f64)> {
        let parts = [LatePart::Starts, LatePart::Reading].map(|part| (part, self.at_ms(part, quantile)));
        let (part, late_ms) = parts.into_iter().max_by(|(_, a), (_, b)| a.total_cmp(b))?;
        let is_missed = !target.is_met_by(value_ms);
        let is_explained = !self.limit.is_met_by(late_ms) && target.is_met_by((value_ms - late_ms).max(0.0));
        (is_missed && is_explained).then_some((part, late_ms))
    }
}

/// Why a latency that misses its target may be the harness's own; none where it is not.
pub(in crate::judge) fn explanation(
    lateness: &Lateness,
    quantile: f64,
    value_ms: f64,
    target: Target,
) -> Option<String> {
    lateness.explains(quantile, value_ms, target).map(|(part, late_ms)| {
        let name = quantile * 100.0;
        let late = match part {
            LatePart::Starts => format!("was {late_ms:.0} ms late at the p{name:.0} of its starts"),
            LatePart::Reading => format!("read events {late_ms:.0} ms late at the p{name:.0}"),
        };
        format!(
            "the p{name:.0} is {value_ms:.0} ms, and the harness itself {late}: that may be the machine that plays the load, \
             not the gateway"
        )
    })
}

/// The session itself stood still until a moment. What came due during that time came late.
pub(in crate::judge) fn stood_still((at_ms, stalled_ms): &(u64, u64)) -> Note {
    Note::SessionStoodStill { until_ms: *at_ms, stalled_ms: *stalled_ms }
}

pub(in crate::judge) const fn as_ms(ms: u64) -> f64 {
    ms as f64
}
