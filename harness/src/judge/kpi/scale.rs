//! The measure of a gauge's growth.

use crate::{
    catalog::Phase,
    history::{History, MINUTE_MS, Violation},
    journal::Gauge,
    judge::{
        Targets,
        stats::{
            Segment, change_point,
            confidence::{self, Range},
            growth::{By, Growth, Healthy},
            sawtooth::Sawtooth,
        },
    },
    plan::{Plan, moment},
};

/// The tallest tooth that a healthy garbage collector makes in two hours, percent of the memory at its floor. A rise by
/// that, without a fall, may be the first half of one.
pub(crate) const TOOTH_PERCENT: f64 = 16.0;
/// The least base of growth of memory without garbage, bytes. A process of ten megabytes still takes in code pages and
/// allocator arenas: a megabyte more is no leak.
pub(crate) const BASE_BYTES_MIN: f64 = 32_000_000.0;
/// The same for our own memory when the scenario is compressed; in real time its base is its own size. Compressed a
/// hundredfold, the harness has a hundred times as much under way as it was made for, more on a busy machine, and its
/// heap keeps the size of the busiest moment: up to 8 MB more were seen where each run has a stream of its own.
const COMPRESSED_BASE_OF_OURS_BYTES_MIN: f64 = 100_000_000.0;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Scale {
    /// Bytes; growth in percent of the start of the line, or of `base_min` where it starts lower.
    Memory { base_min: f64 },
    /// A count; growth as a difference.
    Count,
}

impl Scale {
    pub(crate) fn of(gauge: Gauge, plan: &Plan, targets: &Targets, history: &History) -> Self {
        let of_targets = targets.rss_base_min_bytes as f64;
        match gauge {
            Gauge::GatewayRss if history.is_embedded => Self::Memory { base_min: BASE_BYTES_MIN },
            Gauge::GatewayRss => Self::Memory { base_min: of_targets },
            Gauge::HarnessRss if plan.pace <= 1.0 => Self::Memory { base_min: 0.0 },
            Gauge::HarnessRss => Self::Memory { base_min: COMPRESSED_BASE_OF_OURS_BYTES_MIN },
            _ => Self::Count,
        }
    }

    /// The least base of growth, bytes; 0 for a count.
    pub(crate) const fn base_min(self) -> f64 {
        match self {
            Self::Memory { base_min } => base_min,
            Self::Count => 0.0,
        }
    }

    /// One percent, or one.
    pub(crate) fn one(self, least: f64) -> f64 {
        match self {
            Self::Memory { base_min } => least.max(base_min) / 100.0,
            Self::Count => 1.0,
        }
    }

    /// Only the gateway's memory has slow teeth, those of a collector: our own memory has none, nor have descriptors.
    pub(crate) fn healthy(self, gauge: Gauge, limit: f64, least: f64, fall_seen: f64) -> Healthy {
        // Of its own size: the allowance of a small process for its garbage does not come on top of a tooth.
        let tooth = match self {
            Self::Memory { base_min } if gauge == Gauge::GatewayRss => {
                TOOTH_PERCENT / 100.0 * least.max(base_min.min(BASE_BYTES_MIN))
            }
            _ => 0.0,
        };
        Healthy { growth: limit * self.one(least), tooth, fall_seen }
    }

    pub(crate) fn rise(self, grown: Growth) -> Option<f64> {
        let start = grown.line.start;
        match self {
            Self::Memory { base_min } => (start > 0.0).then(|| grown.rise() / start.max(base_min) * 100.0),
            Self::Count => Some(grown.rise()),
        }
    }

    /// The range of a rise by a line through all floors. The error of the other methods is not known.
    pub(crate) fn range(self, floors: &Segment, grown: Growth) -> Option<Range> {
        let rise = self.rise(grown).filter(|_| grown.by == By::Floors)?;
        let line = grown.line;
        let reach = confidence::of_rise(floors.iter().map(|(minute, floor)| floor - line.at(*minute)));
        let reach = match self {
            Self::Memory { base_min } => reach / line.start.max(base_min) * 100.0,
            // A count is exact to one at best.
            Self::Count => reach.max(1.0),
        };
        Some(Range { low: (rise - reach).max(0.0), high: rise + reach })
    }

    fn format(self, value: f64) -> String {
        match self {
            Self::Memory { .. } => format!("{:.1} MB", value / 1_000_000.0),
            Self::Count => format!("{value:.1}"),
        }
    }

    /// When the gauge was over the limit, and how long it was level before; and its end.
    ///
    /// Where it was level first, or is measured by its ends, floors give the time; else the line does, which no noise
    /// delays, but not before the first floor over the limit.
    pub(crate) fn offenders(self, teeth: &Sawtooth, grown: Growth, rise: f64, limit: f64) -> (Violation, Violation) {
        let line = grown.line;
        let limit = match self {
            Self::Memory { base_min } => line.start.max(base_min) * limit / 100.0,
            Self::Count => limit,
        };
        let is_of_floors = matches!(grown.by, By::Floors | By::Ends);
        let change_point_of = if is_of_floors { change_point::change_point_of(teeth.smooth()) } else { None };
        let over = teeth.least().max(line.start) + limit;
        let by_floors = || change_point::first_permanent_excess(teeth.smooth(), over);
        let seen = if change_point_of.is_some() || grown.by == By::Ends { by_floors() } else { None };
        let first_over = teeth.smooth().iter().find(|floor| floor.1 > over).map_or(0, |floor| floor.0);
        let by_line = || Some(line.minute_of_rise(limit)?.max(first_over));
        let over_at = seen.or_else(by_line).unwrap_or(line.to_minute);
        let since = change_point_of.filter(|minute| *minute < over_at);
        let since = since.map_or_else(String::new, |minute| format!("level until {}", moment(minute * MINUTE_MS)));
        let at = |minute: u64, subject: String| Violation::at(minute * MINUTE_MS, Phase::Steady, subject);
        let from = format!("from {} at {}", self.format(line.start), moment(line.from_minute * MINUTE_MS));
        let worst = at(line.to_minute, format!("{from} to {}", self.format(line.end)));
        (at(over_at, since), Violation { value: Some(rise), ..worst })
    }
}
