//! Growth over a life of a process, in words.

use crate::{
    judge::{By, Growth, LifeGrowth, RetainedBy, TOOTH_PERCENT},
    plan::moment,
};

/// The sources that would distinguish garbage from memory in use.
const SETTLES: &str = "[calls.collect_garbage] in the dialect, or metrics of the runtime's heap, would tell";

pub(super) fn life(life: &LifeGrowth) -> String {
    let whose = if life.is_over_all { "over all lives: " } else { "" };
    let (growth, resident, floors) = (growth(life), resident(life), life.floors);
    let how = match life.retained_by {
        RetainedBy::Heap => format!(": in use on the heap after full collections, by its metrics; {resident}"),
        RetainedBy::HeapAndRest => format!(": in use after full collections, by the metrics of the heap; {resident}"),
        RetainedBy::HeapFloors => format!(": in use at most, by the metrics of the heap; {resident}"),
        RetainedBy::Requested => format!(": right after {floors} collections that were asked for; {resident}"),
        RetainedBy::Resident if life.may_be_garbage => format!("; whether that is garbage is not known: {SETTLES}"),
        RetainedBy::Resident => String::new(),
    };
    format!("{whose}{growth}{how}")
}

pub(super) fn garbage_unknown(rise_percent: f64) -> String {
    format!("memory grew by {rise_percent:.1} %, and no collection tells whether that is garbage: {SETTLES}")
}

fn resident(life: &LifeGrowth) -> String {
    let [began, ended] = life.resident_bytes.map(|bytes| bytes.map_or_else(String::new, |bytes| size(life, bytes)));
    format!("resident memory {began} to {ended}")
}

fn growth(life: &LifeGrowth) -> String {
    let at = |minute: u64| moment(minute * 60_000);
    let floors = life.floors;
    let Some(Growth { line, by }) = life.growth else {
        return life.minutes.map_or_else(
            || "a segment without floors".to_owned(),
            |(from, to)| {
                format!("{} to {}: left out, since {floors} minutes after warm-up are too few", at(from), at(to))
            },
        );
    };
    let (from, to) = (at(line.from_minute), at(line.to_minute));
    let (start, end) = (size(life, line.start), size(life, line.end));
    let base_min = life.base_min_bytes.filter(|base_min| line.start < *base_min);
    let share = base_min
        .map_or_else(String::new, |base_min| format!("; a share of {}, since it is smaller", size(life, base_min)));
    let rise = match by {
        By::Floors => format!("{start} to {end}"),
        By::Ends => format!("{start} at first, never under {end} at last"),
        By::Teeth(count) => format!("{count} teeth, floors {start} to {end}"),
        By::Least(1) => format!("1 tooth, {start} to {end} at the least"),
        By::Least(count) => format!("{count} teeth, {start} to {end} at the least"),
        By::OneTooth => format!("{start} to {end}, no more than a tooth of {TOOTH_PERCENT} % in two hours"),
    };
    format!("{from} to {to}: {rise}, {floors} minutes{share}")
}

/// Memory, or a count.
fn size(life: &LifeGrowth, value: f64) -> String {
    if life.base_min_bytes.is_some() { format!("{:.1} MB", value / 1_000_000.0) } else { format!("{value:.1}") }
}
