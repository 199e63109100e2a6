//! Growth of a gauge over hours: floors by scenario minute, steady, apart for each life of the process.

use std::collections::BTreeMap;

use super::{
    Digest, Judged, Judgement, Offender, Targets, Unit, cause,
    conclude::Findings,
    floors::{Floors, Segment},
    growth::{By, Growth, Healthy, growth},
    kpi::Case,
    onset, processes,
    range::{self, Range},
    teeth::Teeth,
    undercount::undercounted,
};
use crate::{
    journal::Gauge,
    plan::{HarnessCheck, Kpi, Phase, Plan, millis, moment},
};

/// A segment with fewer floors after its warm-up is left out: a line through less says nothing.
const SEGMENT_FLOORS_MIN: usize = 10;
/// Segments that evidence tells of; of more, their number.
const SEGMENTS_TOLD_MAX: usize = 8;
/// With more segments than this, a failure does not show all that evidence tells.
const SEGMENTS_READ: usize = 4;
const MINUTE_MS: u64 = 60_000;
/// The tallest tooth that a healthy garbage collector makes in two hours, percent of the memory at its floor. A rise of
/// so much, that was not seen to fall back, may be the first half of one.
const TOOTH_PERCENT: f64 = 16.0;
/// What falls by less than this share of the limit is a wobble; by more, a tooth.
const SWING_SHARE: f64 = 0.5;
/// The least swing, for targets near nothing: percent, or a count.
const SWING_MIN: f64 = 1.0;
/// The least that a memory's growth is held against when the scenario is compressed, bytes. Then the warm-up is a few
/// real seconds, and a process of ten megabytes is still taking in code pages and allocator arenas: a megabyte more is
/// no leak. In real time a memory is held against itself, however small.
const COMPRESSED_BASE_BYTES_MIN: f64 = 32_000_000.0;
/// The same for our own memory. Compressed a hundredfold, the harness has a hundred times as much under way as it was
/// made for, the more the busier its machine is, and its heap takes the shape of the busiest moment.
const COMPRESSED_BASE_OF_OURS_BYTES_MIN: f64 = 64_000_000.0;

/// The drift of a gauge of the gateway's process.
pub(super) fn of_gateway(case: Case<'_>, gauge: Gauge) -> Findings {
    let mut found = case.open("steady minutes");
    let lives = measure(&mut found, gauge, case.plan, case.digest);
    let why = cause::of_scrapes(metrics(gauge), case.digest).or_else(|| cause::of_process(case.digest));
    found.lack = why.or(found.lack);
    if found.value.is_some_and(|rise| found.target.is_met_by(rise)) {
        let mut own = lives.iter().filter(|lived| !lived.is_over_all);
        if let Some(too_few) = own.find_map(|lived| undercounted(gauge, &lived.segment, case.limit())) {
            (found.value, found.lack) = (None, Some(too_few));
        }
    }
    let is_met = found.value.is_some_and(|rise| found.target.is_met_by(rise));
    let warm_up_ms = warm_up_minutes(case.plan) * MINUTE_MS;
    if found.value.is_some()
        && let Some(doubt) = processes::doubt(gauge, is_met, warm_up_ms, case.digest)
    {
        (found.value, found.lack) = (None, Some(doubt));
    }
    found
}

/// `self_drift`: the harness's own memory. It is promised the minutes that the clock's drift is.
pub(super) fn of_harness(plan: &Plan, targets: &Targets, digest: &Digest) -> Judgement {
    let name = HarnessCheck::SelfDrift.name();
    let target = targets.self_drift();
    let mut found = Findings::new(Judged::Harness, name, Unit::Percent, target, "steady minutes");
    found.promised = plan.promises.get(Kpi::ClockDrift);
    measure(&mut found, Gauge::HarnessRss, plan, digest);
    found.conclude(plan, digest)
}

/// Judges each segment, and takes the worst.
///
/// A process that has just begun fills its caches, so warm-up is left out at the start of each segment, not only of the
/// first. The minutes left out so of a segment that is judged were seen, and count as samples; those of a segment that
/// is too short to judge do not.
fn measure(found: &mut Findings, gauge: Gauge, plan: &Plan, digest: &Digest) -> Vec<Lived> {
    let warm_up = warm_up_minutes(plan);
    let scale = Scale::of(gauge, plan.pace);
    let segments = lives(gauge, plan, found.target.limit(), digest);
    let mut told = 0;
    for Lived { is_over_all, segment, life, teeth, grown } in &segments {
        let grown = *grown;
        let rise = grown.and_then(|grown| scale.rise(grown));
        let is_worse = rise.is_some_and(|rise| found.value.is_none_or(|worst| rise > worst));
        if *is_over_all {
            // All that it has was told life by life, but where only all of them together show it.
            if !is_worse || found.value.is_none() {
                continue;
            }
            found.evidence.notes.push(format!("over all lives: {}", scale.told(segment, &life.warm, grown)));
        } else {
            told += 1;
            if told <= SEGMENTS_TOLD_MAX {
                found.evidence.notes.push(scale.told(segment, &life.warm, grown));
            }
        }
        let (Some(grown), Some(rise), Some(teeth)) = (grown, rise, teeth) else { continue };
        if !is_over_all {
            found.samples += segment.iter().filter(|(minute, _)| *minute >= warm_up).count() as u64;
        }
        if is_worse {
            found.value = Some(rise);
            found.range = scale.range(&life.warm, grown);
        }
        if !found.target.is_met_by(rise) {
            let (first, worst) = scale.offenders(teeth, grown, rise, found.target.limit());
            let is_first = found.evidence.first.as_ref().is_none_or(|known| first.at_ms < known.at_ms);
            found.evidence.first = if is_first { Some(first) } else { found.evidence.first.take() };
            found.evidence.worst.push(worst);
        }
    }
    // Of counts that each has a part of, the sum is judged.
    let is_apart = gauge == Gauge::GatewayRss || !digest.story.processes.are_several();
    let are_several = digest.story.lives.are_several() && gauge != Gauge::HarnessRss && is_apart;
    // Before they are told one by one: whoever reads the first few should know that there are more.
    if are_several {
        found
            .evidence
            .notes
            .insert(0, format!("several processes answer in turn, and each is judged apart; {told} were seen"));
    } else if told > SEGMENTS_READ {
        found.evidence.notes.insert(0, format!("the process was another {} times", told - 1));
    }
    found.evidence.worst.sort_by(|a, b| b.value.unwrap_or(0.0).total_cmp(&a.value.unwrap_or(0.0)));
    found.evidence.worst.truncate(super::tally::WORST_MAX);
    if found.value.is_none() && !segments.is_empty() {
        let lives = if told == 1 { "the process".to_owned() } else { format!("none of the process's {told} lives") };
        let has = if told == 1 { "has not" } else { "has" };
        found.lack = Some(format!("{lives} {has} {SEGMENT_FLOORS_MIN} steady minutes after its warm-up"));
    } else if segments.is_empty() {
        found.lack = Some(format!("{gauge} was never measured out of chaos windows"));
    }
    segments
}

/// What the growth of one life of a process is told by.
#[derive(Debug, Clone, PartialEq)]
pub struct DriftTrace {
    /// The floors that were judged: scenario minutes, rising, and the least value in each, in the gauge's unit.
    pub floors: Vec<(u64, f64)>,
    /// The line through them: its first and last scenario minute, each with its value; none where there are too few.
    pub line: Option<[(u64, f64); 2]>,
}

/// What the drift of a gauge was judged by, life by life; nothing for one that is not judged so. `limit` is that of its
/// target.
#[must_use]
pub fn drift_traces(gauge: Gauge, plan: &Plan, limit: f64, digest: &Digest) -> Vec<DriftTrace> {
    let traced = lives(gauge, plan, limit, digest).into_iter().filter(|lived| !lived.is_over_all).map(|lived| {
        let line = lived.grown.filter(|grown| grown.by != By::Ends).map(|grown| {
            let line = grown.line;
            [(line.from_minute, line.start), (line.to_minute, line.end)]
        });
        DriftTrace { floors: lived.life.warm, line }
    });
    traced.collect()
}

/// One life of the process, and how far it grew; none where that cannot be said.
struct Lived {
    /// It is all lives, as if they were one.
    is_over_all: bool,
    segment: Segment,
    life: Life,
    /// None where there are too few floors to judge.
    teeth: Option<Teeth>,
    grown: Option<Growth>,
}

fn warm_up_minutes(plan: &Plan) -> u64 {
    millis(plan.scenario.warm_up).div_ceil(MINUTE_MS)
}

fn lives(gauge: Gauge, plan: &Plan, limit: f64, digest: &Digest) -> Vec<Lived> {
    let mut segments = digest.floors(gauge).map(Floors::segments).unwrap_or_default();
    let own = segments.len();
    if own > 1 && matches!(gauge, Gauge::GatewaySseSurplus | Gauge::GatewayQueueDepth) {
        segments.push(over_all(&segments));
    }
    let warm_up = warm_up_minutes(plan);
    let scale = Scale::of(gauge, plan.pace);
    let begins_the_soak = |n: usize| n == 0 || n == own;
    let lives: Vec<Life> =
        segments.iter().enumerate().map(|(n, segment)| Life::of(segment, begins_the_soak(n), warm_up)).collect();
    let teeth: Vec<Option<Teeth>> = lives.iter().map(|life| life.teeth(scale, limit)).collect();
    let fall_seen = teeth.iter().flatten().map(Teeth::deepest_fall).fold(0.0, f64::max);
    let grown = |life: &Life, teeth: &Option<Teeth>| {
        let teeth = teeth.as_ref()?;
        growth(&life.warm, teeth, life.began, scale.healthy(gauge, limit, teeth.least(), fall_seen))
    };
    let all = segments.into_iter().zip(lives).zip(teeth).enumerate();
    let lived = all.map(|(n, ((segment, life), teeth))| {
        let grown = grown(&life, &teeth);
        Lived { is_over_all: n >= own, segment, life, teeth, grown }
    });
    lived.collect()
}

/// The floors of all lives as if they were one. Waiting runs may stand in a store, and streams be counted there: what a
/// process that is gone has left, the next one has too.
fn over_all(segments: &[Segment]) -> Segment {
    let mut floors = BTreeMap::new();
    for (minute, floor) in segments.iter().flatten() {
        floors.entry(*minute).and_modify(|least: &mut f64| *least = least.min(*floor)).or_insert(*floor);
    }
    floors.into_iter().collect()
}

/// A segment to be judged: one life of the process, without its warm-up.
#[derive(Debug)]
struct Life {
    /// Minute in which it began.
    began: u64,
    warm: Segment,
}

impl Life {
    fn of(segment: &Segment, is_first: bool, warm_up: u64) -> Self {
        let began = if is_first { 0 } else { segment.first().map_or(0, |(minute, _)| *minute) };
        let is_warm = |(minute, _): &(u64, f64)| *minute >= began + warm_up;
        Self { began, warm: segment.iter().copied().filter(is_warm).collect() }
    }

    /// None where there are too few floors to judge.
    fn teeth(&self, scale: Scale, limit: f64) -> Option<Teeth> {
        if self.warm.len() < SEGMENT_FLOORS_MIN {
            return None;
        }
        let least = self.warm.iter().map(|floor| floor.1).fold(f64::INFINITY, f64::min);
        Teeth::of(&self.warm, (limit * SWING_SHARE).max(SWING_MIN) * scale.one(least))
    }
}

/// How a gauge's growth is put into a number, and that into words.
#[derive(Debug, Clone, Copy)]
enum Scale {
    /// Bytes; growth in percent of where the line starts, or of this where it starts lower.
    Memory {
        /// The least that growth is held against, bytes.
        base_min: f64,
    },
    /// A count; growth by so many.
    Count,
}

impl Scale {
    fn of(gauge: Gauge, pace: f64) -> Self {
        match gauge {
            Gauge::GatewayRss | Gauge::HarnessRss if pace <= 1.0 => Self::Memory { base_min: 0.0 },
            Gauge::GatewayRss => Self::Memory { base_min: COMPRESSED_BASE_BYTES_MIN },
            Gauge::HarnessRss => Self::Memory { base_min: COMPRESSED_BASE_OF_OURS_BYTES_MIN },
            _ => Self::Count,
        }
    }

    /// One percent, or one.
    fn one(self, least: f64) -> f64 {
        match self {
            Self::Memory { base_min } => least.max(base_min) / 100.0,
            Self::Count => 1.0,
        }
    }

    /// Slow teeth are the collector's in the gateway. Nothing collects our own memory, nor descriptors.
    fn healthy(self, gauge: Gauge, limit: f64, least: f64, fall_seen: f64) -> Healthy {
        let tooth = if gauge == Gauge::GatewayRss { TOOTH_PERCENT } else { 0.0 };
        let one = self.one(least);
        Healthy { growth: limit * one, tooth: tooth * one, fall_seen }
    }

    fn rise(self, grown: Growth) -> Option<f64> {
        let start = grown.line.start;
        match self {
            Self::Memory { base_min } => (start > 0.0).then(|| grown.rise() / start.max(base_min) * 100.0),
            Self::Count => Some(grown.rise()),
        }
    }

    /// The range of a rise that a line through all floors tells. Where teeth tell it, or what must have grown at the least,
    /// nobody knows how far that is off.
    fn range(self, floors: &Segment, grown: Growth) -> Option<Range> {
        let rise = self.rise(grown).filter(|_| grown.by == By::Floors)?;
        let line = grown.line;
        let reach = range::of_rise(floors.iter().map(|(minute, floor)| floor - line.at(*minute)));
        let reach = match self {
            Self::Memory { base_min } => reach / line.start.max(base_min) * 100.0,
            // A count is never known better than to one.
            Self::Count => reach.max(1.0),
        };
        Some(Range { low: (rise - reach).max(0.0), high: rise + reach })
    }

    fn shown(self, value: f64) -> String {
        match self {
            Self::Memory { .. } => format!("{:.1} MB", value / 1_000_000.0),
            Self::Count => format!("{value:.1}"),
        }
    }

    /// A segment in words: what was judged of it, or that nothing was.
    fn told(self, segment: &Segment, warm: &Segment, grown: Option<Growth>) -> String {
        let at = |minute: u64| moment(minute * MINUTE_MS);
        let minutes = warm.len();
        match (grown, segment.first(), segment.last()) {
            (Some(Growth { line, by }), ..) => {
                let (from, to) = (at(line.from_minute), at(line.to_minute));
                let (start, end) = (self.shown(line.start), self.shown(line.end));
                let held = match self {
                    Self::Memory { base_min } if line.start < base_min => {
                        format!("; compressed, so held against {}", self.shown(base_min))
                    }
                    _ => String::new(),
                };
                let rise = match by {
                    By::Floors => format!("{start} to {end}"),
                    By::Ends => format!("{start} at first, never under {end} at last"),
                    By::Teeth(count) => format!("{count} teeth, floors {start} to {end}"),
                    By::Least(1) => format!("1 tooth, {start} to {end} at the least"),
                    By::Least(count) => format!("{count} teeth, {start} to {end} at the least"),
                    By::OneTooth => {
                        format!("{start} to {end}, no more than a tooth of {TOOTH_PERCENT} % in two hours")
                    }
                };
                format!("{from} to {to}: {rise}, {minutes} minutes{held}")
            }
            (None, Some((from, _)), Some((to, _))) => {
                let (from, to) = (at(*from), at(*to));
                format!("{from} to {to}: left out, since {minutes} minutes after warm-up are too few")
            }
            (None, ..) => "a segment without floors".to_owned(),
        }
    }

    /// When it was over the limit, and how long it was level before it rose; and where it ended.
    ///
    /// Where it was level first, or is told by its ends, the floors say when; else the line does, which no noise delays, and
    /// which is over no sooner than any floor.
    fn offenders(self, teeth: &Teeth, grown: Growth, rise: f64, limit: f64) -> (Offender, Offender) {
        let line = grown.line;
        let limit = match self {
            Self::Memory { base_min } => line.start.max(base_min) * limit / 100.0,
            Self::Count => limit,
        };
        let is_of_floors = matches!(grown.by, By::Floors | By::Ends);
        let level_until = if is_of_floors { onset::level_until(teeth.smooth()) } else { None };
        let over = teeth.least().max(line.start) + limit;
        let by_floors = || onset::over_for_good(teeth.smooth(), over);
        let seen = if level_until.is_some() || grown.by == By::Ends { by_floors() } else { None };
        let first_over = teeth.smooth().iter().find(|floor| floor.1 > over).map_or(0, |floor| floor.0);
        let by_line = || Some(line.minute_of_rise(limit)?.max(first_over));
        let over_at = seen.or_else(by_line).unwrap_or(line.to_minute);
        let since = level_until.filter(|minute| *minute < over_at);
        let since = since.map_or_else(String::new, |minute| format!("level until {}", moment(minute * MINUTE_MS)));
        let offender = |minute: u64, subject: String, value: Option<f64>| Offender {
            at_ms: minute * MINUTE_MS,
            phase: Phase::Steady,
            subject,
            value,
            answer: None,
        };
        let from = format!("from {} at {}", self.shown(line.start), moment(line.from_minute * MINUTE_MS));
        let worst = offender(line.to_minute, format!("{from} to {}", self.shown(line.end)), Some(rise));
        (offender(over_at, since, None), worst)
    }
}

/// The metrics that a gauge can be read from.
const fn metrics(gauge: Gauge) -> &'static [&'static str] {
    match gauge {
        Gauge::GatewayRss => &["process_resident_memory_bytes"],
        Gauge::GatewayFdSurplus => &["process_open_fds"],
        Gauge::GatewaySseSurplus => &["sse_active_connections"],
        Gauge::GatewayQueueDepth => &["run_queue_depth"],
        _ => &[],
    }
}
