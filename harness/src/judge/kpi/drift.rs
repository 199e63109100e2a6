//! Growth of a gauge over hours: floors by scenario minute, steady, apart for each life of the process.

use crate::{
    catalog::{HarnessCheck, Kpi, Unit},
    history::History,
    journal::Gauge,
    judge::{
        Judged, Judgement, Note, Targets,
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

const MINUTE_MS: u64 = 60_000;
/// Segments that evidence tells of; of more, their number.
const SEGMENTS_TOLD_MAX: usize = 8;
/// With more segments than this, a failure does not show all that evidence tells.
const SEGMENTS_READ: usize = 4;
/// The drift of a gauge of the gateway's process.
pub(in crate::judge) fn of_gateway(case: Case<'_>, gauge: Gauge) -> Assessment {
    let mut found = case.open("steady minutes");
    let lives = measure(&mut found, gauge, case.plan, case.targets, case.history);
    let mut why = missing_samples::of_scrapes(metrics(gauge), case.history);
    if why.is_empty() {
        why.extend(missing_samples::of_process(case.history).map(Note::SourceFailed));
    }
    if !why.is_empty() && !lives.iter().any(|lived| lived.is_undecided) {
        found.lack = why.into_iter().map(Into::into).collect();
    }
    if found.value.is_some_and(|rise| found.target.is_met_by(rise)) {
        let mut own = lives.iter().filter(|lived| !lived.is_over_all);
        if let Some(too_few) = own.find_map(|lived| undercounted(gauge, &lived.segment, case.limit())) {
            (found.value, found.lack) = (None, vec![too_few.into()]);
        }
    }
    let is_met = found.value.is_some_and(|rise| found.target.is_met_by(rise));
    let warm_up_ms = warm_up_minutes(case.plan) * MINUTE_MS;
    if found.value.is_some()
        && let Some(doubt) = processes::doubt(gauge, is_met, warm_up_ms, case.history)
    {
        (found.value, found.lack) = (None, vec![doubt.into()]);
    }
    found
}

/// `self_drift`: the harness's own memory. It is promised the minutes that the clock's drift is.
pub(in crate::judge) fn of_harness(plan: &Plan, targets: &Targets, history: &History) -> Judgement {
    let name = HarnessCheck::SelfDrift.name();
    let target = targets.self_drift();
    let mut found = Assessment::new(Judged::Harness, name, Unit::Percent, target, "steady minutes");
    found.promised = plan.expected_samples(Kpi::ClockDrift, &history.timeline.windows_ms);
    measure(&mut found, Gauge::HarnessRss, plan, targets, history);
    missing_samples::into_judgement(found, plan, history)
}

/// Judges each segment, and takes the worst.
///
/// A process that has just begun fills its caches, so warm-up is left out at the start of each segment, not only of the
/// first. The minutes left out so of a segment that is judged were seen, and count as samples; those of a segment that
/// is too short to judge do not.
fn measure(found: &mut Assessment, gauge: Gauge, plan: &Plan, targets: &Targets, history: &History) -> Vec<Lived> {
    let warm_up = warm_up_minutes(plan);
    let limit = found.target.limit();
    let segments = lives(gauge, plan, targets, limit, history);
    let (mut told, mut undecided) = (0, None);
    for lived in &segments {
        let Lived { is_over_all, segment, life, teeth, scale, .. } = lived;
        let grown = lived.grown;
        let rise = grown.and_then(|grown| scale.rise(grown));
        let is_worse = rise.is_some_and(|rise| found.value.is_none_or(|worst| rise > worst));
        if *is_over_all {
            // All that it has was told life by life, but where only all of them together show it.
            if !is_worse || found.value.is_none() {
                continue;
            }
            found.evidence.notes.push(lived.note(limit));
        } else {
            told += 1;
            if told <= SEGMENTS_TOLD_MAX {
                found.evidence.notes.push(lived.note(limit));
            }
        }
        let (Some(grown), Some(rise), Some(teeth)) = (grown, rise, teeth) else { continue };
        if !is_over_all {
            found.samples += segment.iter().filter(|(minute, _)| *minute >= warm_up).count() as u64;
        }
        if lived.is_undecided {
            undecided.get_or_insert(rise);
            continue;
        }
        if is_worse {
            found.value = Some(rise);
            found.range = scale.range(&life.warm, grown);
        }
        if !found.target.is_met_by(rise) {
            let (first, worst) = scale.offenders(teeth, grown, rise, limit);
            let is_first = found.evidence.first.as_ref().is_none_or(|known| first.at_ms < known.at_ms);
            found.evidence.first = if is_first { Some(first) } else { found.evidence.first.take() };
            found.evidence.worst.push(worst);
        }
    }
    // Of counts that each has a part of, the sum is judged.
    let is_apart = gauge == Gauge::GatewayRss || !history.timeline.processes.are_several();
    let are_several = history.timeline.lives.are_several() && gauge != Gauge::HarnessRss && is_apart;
    // Before they are told one by one: whoever reads the first few should know that there are more.
    if are_several {
        found.evidence.notes.insert(0, Note::LivesInTurn { lives: told });
    } else if told > SEGMENTS_READ {
        found.evidence.notes.insert(0, Note::LivesInSequence { changes: told - 1 });
    }
    found.evidence.worst.sort_by(|a, b| b.value.unwrap_or(0.0).total_cmp(&a.value.unwrap_or(0.0)));
    found.evidence.worst.truncate(crate::history::WORST_MAX);
    if let Some(rise) = undecided
        && found.value.is_none_or(|rise| found.target.is_met_by(rise))
    {
        // Whether that is garbage nobody can tell, so it is neither good nor bad.
        found.value = None;
        found.lack = vec![Note::GarbageUnknown { rise_percent: rise }.into()];
    } else if found.value.is_none() && !segments.is_empty() {
        let lives = if told == 1 { "the process".to_owned() } else { format!("none of the process's {told} lives") };
        let has = if told == 1 { "has not" } else { "has" };
        found.lack = vec![format!("{lives} {has} {SEGMENT_FLOORS_MIN} steady minutes after its warm-up").into()];
    } else if segments.is_empty() {
        found.lack = vec![format!("{gauge} was never measured out of chaos windows").into()];
    }
    segments
}

/// The data that the growth of one life of a process is judged by.
#[derive(Debug, Clone, PartialEq)]
pub struct DriftTrace {
    /// The floors that were judged: scenario minutes, rising, and the least value in each, in the gauge's unit.
    pub floors: Vec<(u64, f64)>,
    /// The line through them: its first and last scenario minute, each with its value; none where there are too few.
    pub line: Option<[(u64, f64); 2]>,
}

/// The data that the drift of a gauge was judged by, life by life; empty for a gauge that is not judged so. `limit` is
/// that of its target.
#[must_use]
pub fn drift_traces(gauge: Gauge, plan: &Plan, targets: &Targets, limit: f64, history: &History) -> Vec<DriftTrace> {
    let traced =
        lives(gauge, plan, targets, limit, history).into_iter().filter(|lived| !lived.is_over_all).map(|lived| {
            let line = lived.grown.filter(|grown| grown.by != By::Ends).map(|grown| {
                let line = grown.line;
                [(line.from_minute, line.start), (line.to_minute, line.end)]
            });
            DriftTrace { floors: lived.life.warm, line }
        });
    traced.collect()
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
