//! Growth of a gauge over hours: floors by scenario minute, steady, apart for each life of the process.

use crate::{
    catalog::{HarnessCheck, Kpi, Unit},
    history::{History, MINUTE_MS, Violation, WORST_MAX},
    journal::Gauge,
    judge::{
        Judged, Note, Targets, UnprovenReason,
        kpi::{
            case::Case,
            missing_samples,
            process_segment::{Lived, SEGMENT_FLOORS_MIN, lives, warm_up_minutes},
            processes,
            undercount::undercounted,
        },
        stats::growth::By,
        verdict::assessment::Assessment,
    },
    plan::Plan,
};

/// Maximum number of lives that evidence shows.
const LIVES_NOTED_MAX: usize = 8;
/// With more lives than this, a failure does not show all notes, so their number comes first.
const LIVES_READ: usize = 4;

/// The drift of a gauge of the gateway's process.
pub(crate) fn of_gateway(case: Case<'_>, gauge: Gauge) -> Assessment {
    let mut found = case.open("steady minutes");
    let lives = measure(&mut found, gauge, case.plan, case.targets, case.history);
    let mut why = missing_samples::of_scrapes(metrics(gauge), case.history);
    if why.is_empty() {
        why.extend(missing_samples::of_process(case.history).map(Note::SourceFailed));
    }
    if !why.is_empty() && !lives.iter().any(|lived| lived.is_undecided) {
        found.lack = why;
    }
    if found.is_met() {
        let mut own = lives.iter().filter(|lived| !lived.is_over_all);
        if let Some(too_few) = own.find_map(|lived| undercounted(gauge, &lived.segment, case.limit())) {
            found.withdraw(too_few);
        }
    }
    let warm_up_ms = warm_up_minutes(case.plan) * MINUTE_MS;
    if found.value.is_some()
        && let Some(doubt) = processes::doubt(gauge, found.is_met(), warm_up_ms, case.history)
    {
        found.withdraw(doubt);
    }
    found
}

/// `self_drift`: the harness's own memory. The plan promises it the minutes of the clock's drift.
pub(crate) fn of_harness(plan: &Plan, targets: &Targets, history: &History) -> Assessment {
    let name = HarnessCheck::SelfDrift.name();
    let mut found = Assessment::new(Judged::Harness, name, Unit::Percent, targets.self_drift(), "steady minutes");
    found.promised = plan.expected_samples(Kpi::ClockDrift, &history.timeline.windows_ms);
    measure(&mut found, Gauge::HarnessRss, plan, targets, history);
    found
}

/// Judges each life, and takes the worst.
///
/// A process that has just begun fills its caches, so warm-up is left out at the start of each life, not only of the
/// first. The warm-up of a later life counts as samples where that life is judged; a life that is too short has none.
fn measure(found: &mut Assessment, gauge: Gauge, plan: &Plan, targets: &Targets, history: &History) -> Vec<Lived> {
    let warm_up = warm_up_minutes(plan);
    let limit = found.target.limit();
    let lives = lives(gauge, plan, targets, limit, history);
    let (mut noted, mut undecided) = (0, None);
    for lived in &lives {
        let rise = lived.rise();
        let is_worse = rise.is_some_and(|rise| found.value.is_none_or(|worst| rise > worst));
        if lived.is_over_all {
            // Noted only where it shows more than each life does.
            if !is_worse || found.value.is_none() {
                continue;
            }
            found.note(lived.note(limit));
        } else {
            noted += 1;
            if noted <= LIVES_NOTED_MAX {
                found.note(lived.note(limit));
            }
        }
        let (Some(grown), Some(rise), Some(teeth)) = (lived.grown, rise, &lived.teeth) else { continue };
        if !lived.is_over_all {
            found.samples += lived.segment.iter().filter(|(minute, _)| *minute >= warm_up).count() as u64;
        }
        if lived.is_undecided {
            undecided.get_or_insert(rise);
            continue;
        }
        if is_worse {
            found.value = Some(rise);
            found.range = lived.scale.range(&lived.warm, grown);
        }
        if !found.target.is_met_by(rise) {
            let (first, worst) = lived.scale.offenders(teeth, grown, rise, limit);
            if found.evidence.first.as_ref().is_none_or(|known| first.at_ms < known.at_ms) {
                found.evidence.first = Some(first);
            }
            found.evidence.worst.push(worst);
        }
    }
    // Of counts that each process has a part of, the sum is judged.
    let is_apart = gauge == Gauge::GatewayRss || history.timeline.lives.answering.is_none();
    let are_several = history.timeline.lives.are_several() && gauge != Gauge::HarnessRss && is_apart;
    // Before the notes on single lives: a reader of the first few should know that there are more.
    if are_several {
        found.evidence.notes.insert(0, Note::LivesInTurn { lives: noted });
    } else if noted > LIVES_READ {
        found.evidence.notes.insert(0, Note::LivesInSequence { changes: noted - 1 });
    }
    found.evidence.worst.sort_by(|a, b| Violation::by_value(b, a));
    found.evidence.worst.truncate(WORST_MAX);
    if let Some(rise_percent) = undecided.filter(|_| !found.is_missed()) {
        // It may all be garbage, so it is neither good nor bad.
        found.withdraw(Note::GarbageUnknown { rise_percent });
    } else if lives.is_empty() {
        found.lack = vec![UnprovenReason::GaugeUnmeasured { gauge }.into()];
    } else if found.value.is_none() {
        found.lack = vec![UnprovenReason::LivesTooShort { lives: noted, minutes_min: SEGMENT_FLOORS_MIN }.into()];
    }
    lives
}

/// The data that the growth of one life of a process is judged by.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DriftTrace {
    /// The floors that were judged: scenario minutes, rising, and the least value in each, in the gauge's unit.
    pub(crate) floors: Vec<(u64, f64)>,
    /// The line through them: its first and last scenario minute, each with its value; none where there are too few.
    pub(crate) line: Option<[(u64, f64); 2]>,
}

/// The data that the drift of a gauge with floors was judged by, life by life. `limit` is that of its target.
pub(crate) fn drift_traces(
    gauge: Gauge,
    plan: &Plan,
    targets: &Targets,
    limit: f64,
    history: &History,
) -> Vec<DriftTrace> {
    let own = lives(gauge, plan, targets, limit, history).into_iter().filter(|lived| !lived.is_over_all);
    let trace = |lived: Lived| {
        let line = lived.grown.filter(|grown| grown.by != By::Ends).map(|grown| grown.line);
        let line = line.map(|line| [(line.from_minute, line.start), (line.to_minute, line.end)]);
        DriftTrace { floors: lived.warm, line }
    };
    own.map(trace).collect()
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
