//! One life of the gateway's process: its floors, without warm-up and, where that can be told, without garbage.

use std::collections::BTreeMap;

use crate::{
    history::{History, MinuteMinima},
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
            sawtooth::Sawtooth,
        },
    },
    plan::{Plan, millis},
};

/// A segment with fewer floors after its warm-up is left out: a line through less says nothing.
pub(in crate::judge) const SEGMENT_FLOORS_MIN: usize = 10;
/// A fall by less than this share of the limit is noise; a greater fall is a tooth.
const SWING_SHARE: f64 = 0.5;
/// The least swing, for targets near nothing: percent, or a count.
const SWING_MIN: f64 = 1.0;
/// Memory right after a collection that was asked for is held against this at the least, bytes.
const REQUESTED_BASE_BYTES_MIN: f64 = 64_000_000.0;
const MINUTE_MS: u64 = 60_000;

/// One life of the process, and how far it grew; none where that cannot be said.
pub(in crate::judge) struct Lived {
    /// It is all lives, as if they were one.
    pub(in crate::judge) is_over_all: bool,
    pub(in crate::judge) segment: Segment,
    pub(in crate::judge) life: ProcessSegment,
    /// None where there are too few floors to judge.
    pub(in crate::judge) teeth: Option<Sawtooth>,
    pub(in crate::judge) grown: Option<Growth>,
    pub(in crate::judge) scale: Scale,
    pub(in crate::judge) way: RetainedBy,
    /// Whether its runtime has a heap whose garbage may be all of its growth, and nothing tells.
    pub(in crate::judge) is_undecided: bool,
}

impl Lived {
    /// The same by memory in use, as far as that is known.
    fn without_garbage(mut self, limit: f64, in_use: InUse) -> Self {
        let is_met = |rise: Option<f64>| rise.is_some_and(|rise| rise <= limit);
        match in_use {
            InUse::Heap(live, all) => {
                // The heap is known well, so little of it counts; what is beyond it has steps of its own.
                let size = all.iter().map(|moment| moment.1).fold(f64::INFINITY, f64::min);
                let heap = self.by(RetainedBy::Heap, live, limit, size.max(BASE_BYTES_MIN));
                let all = self.by(RetainedBy::HeapAndRest, all, limit, self.scale.base_min());
                match (heap, all) {
                    (Some(heap), Some(all)) => {
                        if heap.rise() > all.rise() {
                            heap
                        } else {
                            all
                        }
                    }
                    (heap, all) => heap.or(all).unwrap_or(self),
                }
            }
            InUse::Requested(resident) => {
                let base_min = self.scale.base_min().min(REQUESTED_BASE_BYTES_MIN);
                self.by(RetainedBy::Requested, resident, limit, base_min).unwrap_or(self)
            }
            InUse::AtMost(floors) if !is_met(self.rise()) => {
                match self.by(RetainedBy::HeapFloors, floors, limit, self.scale.base_min()) {
                    Some(at_most) if is_met(at_most.rise()) && at_most.falls_back() => at_most,
                    _ => {
                        self.is_undecided = true;
                        self
                    }
                }
            }
            InUse::AtMost(_) | InUse::Unknown => self,
        }
    }

    /// The same by other floors, which have no garbage among them. Growth is a share of `base_min` at the least.
    fn by(&self, way: RetainedBy, floors: Segment, limit: f64, base_min: f64) -> Option<Self> {
        let scale = Scale::Memory { base_min };
        let least = floors.iter().map(|floor| floor.1).fold(f64::INFINITY, f64::min);
        let teeth = Sawtooth::of(&floors, (limit * SWING_SHARE).max(SWING_MIN) * scale.one(least))?;
        let healthy = Healthy { growth: limit * scale.one(least), tooth: 0.0, fall_seen: 0.0 };
        let grown = growth(&floors, &teeth, self.life.began, healthy)?;
        Some(Self {
            is_over_all: self.is_over_all,
            segment: self.segment.clone(),
            life: ProcessSegment { began: self.life.began, warm: floors },
            teeth: Some(teeth),
            grown: Some(grown),
            scale,
            way,
            is_undecided: false,
        })
    }

    fn rise(&self) -> Option<f64> {
        self.scale.rise(self.grown?)
    }

    /// Whether it was seen to fall often enough to be told by the floors that it fell to, or has never fallen at all.
    fn falls_back(&self) -> bool {
        self.grown.is_some_and(|grown| matches!(grown.by, By::Teeth(3..) | By::Floors | By::Ends))
    }

    pub(in crate::judge) fn note(&self, limit: f64) -> Note {
        let (first, last) = (self.segment.first(), self.segment.last());
        let began = self.life.began.max(self.life.warm.first().map_or(0, |first| first.0));
        let warm = self.segment.iter().find(|floor| floor.0 >= began);
        let base_min_bytes = match self.scale {
            Scale::Memory { base_min } => Some(base_min),
            Scale::Count => None,
        };
        Note::Life(LifeGrowth {
            is_over_all: self.is_over_all,
            base_min_bytes,
            minutes: first.zip(last).map(|(first, last)| (first.0, last.0)),
            floors: self.life.warm.len(),
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

pub(in crate::judge) fn lives(
    gauge: Gauge,
    plan: &Plan,
    targets: &Targets,
    limit: f64,
    history: &History,
) -> Vec<Lived> {
    let mut by_life = history.series.floors(gauge).map(MinuteMinima::by_life).unwrap_or_default();
    if is_sum(gauge) && history.timeline.processes.are_several() {
        by_life = join_overlapping(by_life);
    }
    let own = by_life.len();
    let (names, mut segments): (Vec<Option<u64>>, Vec<Segment>) = by_life.into_iter().unzip();
    if own > 1 && matches!(gauge, Gauge::GatewaySseSurplus | Gauge::GatewayQueueDepth) {
        segments.push(over_all(&segments));
    }
    let warm_up = warm_up_minutes(plan);
    let scale = Scale::of(gauge, plan, targets, history);
    let begins_the_soak = |n: usize| n == 0 || n == own;
    let lives: Vec<ProcessSegment> = segments
        .iter()
        .enumerate()
        .map(|(n, segment)| ProcessSegment::of(segment, begins_the_soak(n), warm_up))
        .collect();
    let teeth: Vec<Option<Sawtooth>> = lives.iter().map(|life| life.teeth(scale, limit)).collect();
    let fall_seen = teeth.iter().flatten().map(Sawtooth::deepest_fall).fold(0.0, f64::max);
    let grown = |life: &ProcessSegment, teeth: &Option<Sawtooth>| {
        let teeth = teeth.as_ref()?;
        growth(&life.warm, teeth, life.began, scale.healthy(gauge, limit, teeth.least(), fall_seen))
    };
    let all = segments.into_iter().zip(lives).zip(teeth).enumerate();
    let lived = all.map(|(n, ((segment, life), teeth))| {
        let grown = grown(&life, &teeth);
        let (way, is_undecided) = (RetainedBy::Resident, false);
        let lived = Lived { is_over_all: n >= own, segment, life, teeth, grown, scale, way, is_undecided };
        match names.get(n) {
            Some(name) if gauge == Gauge::GatewayRss && lived.grown.is_some() => {
                let in_use = in_use(history, *name, &lived.life.warm);
                lived.without_garbage(limit, in_use)
            }
            _ => lived,
        }
    });
    lived.collect()
}

/// Whether each of several processes has a part of a gauge, so that a sample is the sum over them.
const fn is_sum(gauge: Gauge) -> bool {
    matches!(gauge, Gauge::GatewayFdSurplus | Gauge::GatewaySseSurplus | Gauge::GatewayQueueDepth)
}

/// Joins the lives of processes that answer in turn. Each of their samples is the sum over all of them, so the least value of
/// a minute is known best by all samples of that minute, whichever process answered. Lives that share few minutes are in
/// sequence: the process was replaced, and a leak of the first one has to be seen in that one.
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

/// Whether two lives, the first of which began first, share most minutes of the shorter one, and enough to be judged by.
fn share_most(before: &Segment, after: &Segment) -> bool {
    let Some((last, _)) = before.last() else { return false };
    let shared = after.iter().filter(|(minute, _)| minute <= last).count();
    shared >= SEGMENT_FLOORS_MIN && 2 * shared >= before.len().min(after.len())
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

pub(in crate::judge) fn warm_up_minutes(plan: &Plan) -> u64 {
    millis(plan.scenario.warm_up).div_ceil(MINUTE_MS)
}

/// A segment to be judged: one life of the process, without its warm-up.
#[derive(Debug)]
pub(in crate::judge) struct ProcessSegment {
    /// Minute in which it began.
    pub(in crate::judge) began: u64,
    pub(in crate::judge) warm: Segment,
}

impl ProcessSegment {
    fn of(segment: &Segment, is_first: bool, warm_up: u64) -> Self {
        let began = if is_first { 0 } else { segment.first().map_or(0, |(minute, _)| *minute) };
        let is_warm = |(minute, _): &(u64, f64)| *minute >= began + warm_up;
        Self { began, warm: segment.iter().copied().filter(is_warm).collect() }
    }

    /// None where there are too few floors to judge.
    fn teeth(&self, scale: Scale, limit: f64) -> Option<Sawtooth> {
        if self.warm.len() < SEGMENT_FLOORS_MIN {
            return None;
        }
        let least = self.warm.iter().map(|floor| floor.1).fold(f64::INFINITY, f64::min);
        Sawtooth::of(&self.warm, (limit * SWING_SHARE).max(SWING_MIN) * scale.one(least))
    }
}
