//! One life of the gateway's process: its floors, without warm-up and, where that is known, without garbage.

use std::{cmp::Ordering, collections::BTreeMap};

use crate::{
    history::{History, MINUTE_MS, MinuteMinima},
    journal::Gauge,
    judge::{
        LifeGrowth, Note, RetainedBy, Targets,
        kpi::{
            retained::{InUse, in_use},
            scale::{BASE_BYTES_MIN, Scale},
        },
        stats::{
            Segment,
            growth::{By, Growth, Healthy, growth},
            least_of,
            sawtooth::Sawtooth,
        },
    },
    plan::{Plan, millis},
};

/// A segment with fewer floors after its warm-up is left out: a line through less proves nothing.
pub(crate) const SEGMENT_FLOORS_MIN: usize = 10;
/// A fall by less than this share of the limit is noise; a greater fall is a tooth.
const SWING_SHARE: f64 = 0.5;
/// The least swing, for targets near nothing: percent, or a count.
const SWING_MIN: f64 = 1.0;
/// The least base of growth of memory right after a requested collection, bytes.
const REQUESTED_BASE_BYTES_MIN: f64 = 64_000_000.0;

/// One life of the process, and its growth.
#[derive(Clone)]
pub(crate) struct Lived {
    /// Whether these are all lives as if they were one.
    pub(crate) is_over_all: bool,
    pub(crate) segment: Segment,
    /// The minute in which it began.
    began: u64,
    pub(crate) warm: Segment,
    /// None where there are too few floors to judge.
    pub(crate) teeth: Option<Sawtooth>,
    pub(crate) grown: Option<Growth>,
    pub(crate) scale: Scale,
    way: RetainedBy,
    /// Whether its runtime has a heap whose garbage may be all of its growth, and no source can tell.
    pub(crate) is_undecided: bool,
}

impl Lived {
    /// The same by memory in use, as far as that is known.
    fn without_garbage(mut self, limit: f64, in_use: InUse) -> Self {
        let is_met = |rise: Option<f64>| rise.is_some_and(|rise| rise <= limit);
        match in_use {
            InUse::Heap(live, all) => {
                // The heap is known well, so little of it counts; memory beyond it has steps of its own.
                let heap = self.by(RetainedBy::Heap, live, limit, least_of(&all).max(BASE_BYTES_MIN));
                let all = self.by(RetainedBy::HeapAndRest, all, limit, self.scale.base_min());
                let by_rise = |a: &Self, b: &Self| a.rise().partial_cmp(&b.rise()).unwrap_or(Ordering::Equal);
                heap.into_iter().chain(all).max_by(by_rise).unwrap_or(self)
            }
            InUse::Requested(resident) => {
                let base_min = self.scale.base_min().min(REQUESTED_BASE_BYTES_MIN);
                self.by(RetainedBy::Requested, resident, limit, base_min).unwrap_or(self)
            }
            InUse::AtMost(floors) if !is_met(self.rise()) => {
                let at_most = self.by(RetainedBy::HeapFloors, floors, limit, self.scale.base_min());
                at_most.filter(|at_most| is_met(at_most.rise()) && at_most.falls_back()).unwrap_or_else(|| {
                    self.is_undecided = true;
                    self
                })
            }
            InUse::AtMost(_) | InUse::Unknown => self,
        }
    }

    /// The same by other floors, which hold no garbage. Growth is a share of `base_min` at the least.
    fn by(&self, way: RetainedBy, warm: Segment, limit: f64, base_min: f64) -> Option<Self> {
        let scale = Scale::Memory { base_min };
        let teeth = sawtooth(&warm, scale, limit)?;
        let healthy = Healthy { growth: limit * scale.one(least_of(&warm)), tooth: 0.0, fall_seen: 0.0 };
        let grown = Some(growth(&warm, &teeth, self.began, healthy)?);
        Some(Self { warm, teeth: Some(teeth), grown, scale, way, is_undecided: false, ..self.clone() })
    }

    pub(crate) fn rise(&self) -> Option<f64> {
        self.scale.rise(self.grown?)
    }

    /// Whether it fell often enough to be measured by the floors of its falls, or has never fallen at all.
    fn falls_back(&self) -> bool {
        self.grown.is_some_and(|grown| matches!(grown.by, By::Teeth(3..) | By::Floors | By::Ends))
    }

    pub(crate) fn note(&self, limit: f64) -> Note {
        let (first, last) = (self.segment.first(), self.segment.last());
        let began = self.began.max(self.warm.first().map_or(0, |first| first.0));
        let warm = self.segment.iter().find(|floor| floor.0 >= began);
        let base_min_bytes = match self.scale {
            Scale::Memory { base_min } => Some(base_min),
            Scale::Count => None,
        };
        Note::Life(LifeGrowth {
            is_over_all: self.is_over_all,
            base_min_bytes,
            minutes: first.zip(last).map(|(first, last)| (first.0, last.0)),
            floors: self.warm.len(),
            growth: self.grown,
            retained_by: self.way,
            resident_bytes: [warm, last].map(|floor| floor.map(|floor| floor.1)),
            may_be_garbage: self.way == RetainedBy::Resident && self.needed_allowance(limit),
        })
    }

    /// Whether it grew by more of its own size than the target allows.
    fn needed_allowance(&self, limit: f64) -> bool {
        let is_memory = matches!(self.scale, Scale::Memory { base_min } if base_min > BASE_BYTES_MIN);
        is_memory && self.grown.is_some_and(|grown| grown.rise() > grown.line.start * limit / 100.0)
    }
}

pub(crate) fn lives(gauge: Gauge, plan: &Plan, targets: &Targets, limit: f64, history: &History) -> Vec<Lived> {
    let mut by_life = history.series.floors(gauge).map(MinuteMinima::by_life).unwrap_or_default();
    // A sample of these gauges is the sum over all processes.
    let is_sum = matches!(gauge, Gauge::GatewayFdSurplus | Gauge::GatewaySseSurplus | Gauge::GatewayQueueDepth);
    if is_sum && history.timeline.lives.answering.is_some() {
        by_life = join_overlapping(by_life);
    }
    let own = by_life.len();
    let (names, mut segments): (Vec<Option<u64>>, Vec<Segment>) = by_life.into_iter().unzip();
    if own > 1 && matches!(gauge, Gauge::GatewaySseSurplus | Gauge::GatewayQueueDepth) {
        segments.push(over_all(&segments));
    }
    let warm_up = warm_up_minutes(plan);
    let scale = Scale::of(gauge, plan, targets, history);
    let lived = |(n, segment): (usize, Segment)| {
        let begins_the_soak = n == 0 || n == own;
        let began = if begins_the_soak { 0 } else { segment.first().map_or(0, |(minute, _)| *minute) };
        let warm: Segment = segment.iter().copied().filter(|(minute, _)| *minute >= began + warm_up).collect();
        let teeth = if warm.len() < SEGMENT_FLOORS_MIN { None } else { sawtooth(&warm, scale, limit) };
        let (is_over_all, way, is_undecided) = (n >= own, RetainedBy::Resident, false);
        Lived { is_over_all, segment, began, warm, teeth, grown: None, scale, way, is_undecided }
    };
    let mut lives: Vec<Lived> = segments.into_iter().enumerate().map(lived).collect();
    let falls = lives.iter().filter_map(|lived| lived.teeth.as_ref()).map(Sawtooth::deepest_fall);
    let fall_seen = falls.fold(0.0, f64::max);
    for lived in &mut lives {
        lived.grown = lived.teeth.as_ref().and_then(|teeth| {
            growth(&lived.warm, teeth, lived.began, scale.healthy(gauge, limit, teeth.least(), fall_seen))
        });
    }
    if gauge != Gauge::GatewayRss {
        return lives;
    }
    let without_garbage = |(lived, name): (Lived, Option<u64>)| match lived.grown {
        Some(_) => {
            let in_use = in_use(history, name, &lived.warm);
            lived.without_garbage(limit, in_use)
        }
        None => lived,
    };
    lives.into_iter().zip(names).map(without_garbage).collect()
}

fn sawtooth(warm: &Segment, scale: Scale, limit: f64) -> Option<Sawtooth> {
    Sawtooth::of(warm, (limit * SWING_SHARE).max(SWING_MIN) * scale.one(least_of(warm)))
}

/// Joins the lives of processes that answer in turn. Each of their samples is the sum over all of them, so the least
/// value of a minute is the least of all its samples, whichever process answered. Lives that share few minutes are in
/// sequence: the process was replaced, and a leak of the first one shows in that one.
fn join_overlapping(by_life: Vec<(Option<u64>, Segment)>) -> Vec<(Option<u64>, Segment)> {
    let mut joined: Vec<(Option<u64>, Segment)> = Vec::new();
    for (life, segment) in by_life {
        match joined.last_mut() {
            Some((_, before)) if share_most(before, &segment) => {
                *before = over_all(&[std::mem::take(before), segment]);
            }
            _ => joined.push((life, segment)),
        }
    }
    joined
}

/// Whether two lives, in order of their begin, share most minutes of the shorter one, and enough to be judged.
fn share_most(before: &Segment, after: &Segment) -> bool {
    let Some((last, _)) = before.last() else { return false };
    let shared = after.iter().filter(|(minute, _)| minute <= last).count();
    shared >= SEGMENT_FLOORS_MIN && 2 * shared >= before.len().min(after.len())
}

/// The floors of all lives as if they were one. Waiting runs may be in a store, and streams be counted there: the leak
/// of one process stays for the next.
fn over_all(segments: &[Segment]) -> Segment {
    let mut floors = BTreeMap::new();
    for (minute, floor) in segments.iter().flatten() {
        floors.entry(*minute).and_modify(|least: &mut f64| *least = least.min(*floor)).or_insert(*floor);
    }
    floors.into_iter().collect()
}

pub(crate) fn warm_up_minutes(plan: &Plan) -> u64 {
    millis(plan.scenario.warm_up).div_ceil(MINUTE_MS)
}
