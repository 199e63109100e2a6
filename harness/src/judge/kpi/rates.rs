//! Shares: of probes, of runs, of reconnects, of requests.

use std::{cmp::Reverse, collections::BTreeMap};

use crate::{
    history::{Scope, ViolationKind},
    journal::{
        Counter::{
            self, AnswersUnread, EventsForeign, ProbesRepeated, ReadyOk, ReadyProbes, ReadyUnheard, RequestErrors,
            Requests, RequestsRepeated, RunsEnded, RunsSucceeded, RunsUnended, RunsUnread, StreamsClosed,
            StreamsDropped, StreamsOpened, StreamsSilent,
        },
        Timing,
    },
    judge::{
        Fault, Note, PhaseValue,
        kpi::{backdate::backdate_to_window, case::Case},
        stats::{as_value, confidence},
        verdict::assessment::{Assessment, percent},
    },
};

/// Maximum number of runs without an end that a note names.
const UNENDED_NAMED_MAX: usize = 3;

/// The counter of a part: good samples where the target is a minimum, bad ones where it is a maximum.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    Good(Counter),
    Bad(Counter),
}

/// Judges a share of the samples that `of` counts. `kind` is the violation of a bad sample.
pub(crate) fn share(
    case: Case<'_>,
    part: Part,
    of: Counter,
    scope: Scope,
    kind: ViolationKind,
    sample_name: &str,
) -> Assessment {
    let (Part::Good(counter) | Part::Bad(counter)) = part;
    let mut found = case.open(sample_name);
    let (whole, counted) = (case.count(of, scope), case.count(counter, scope));
    found.samples = whole;
    found.value = percent(counted, whole);
    found.range = confidence::of_share(counted, whole);
    found.evidence.over = if matches!(part, Part::Good(_)) { whole.saturating_sub(counted) } else { counted };
    found.evidence.by_phase = PhaseValue::of_each(|phase| {
        let samples = case.count(of, phase);
        Some((percent(case.count(counter, phase), samples)?, samples))
    });
    let first = |scope| case.history.violations.first(kind, scope);
    found.offenders(first(scope));
    if scope == Scope::Steady {
        backdate_to_window(&mut found, case.history, |phase| first(Scope::In(phase)).into_iter().next());
    }
    found
}

/// `availability`: readiness probes answered 200, of all, steady.
pub(crate) fn availability(case: Case<'_>) -> Assessment {
    let mut found = share(case, Part::Good(ReadyOk), ReadyProbes, Scope::Steady, ViolationKind::NotReady, "probes");
    found.note_count(case.count(ProbesRepeated, Scope::Steady), |requests| Note::RequestsRepeated { requests });
    let unheard = case.count(ReadyUnheard, Scope::Steady);
    if unheard > 0 {
        found.note(Note::ProbesUnheard { probes: unheard });
        // Too few samples prove nothing, unless the target is missed although all of these were answered.
        let with_unheard = |counter| case.count(counter, Scope::Steady).saturating_add(unheard);
        let at_best = percent(with_unheard(ReadyOk), with_unheard(ReadyProbes));
        found.one_is_proof |= at_best.is_some_and(|at_best| !found.target.is_met_by(at_best));
    }
    found
}

/// `run_success`: runs that ended in success, of all that ended, in every phase.
pub(crate) fn run_success(case: Case<'_>) -> Assessment {
    let mut found = share(case, Part::Good(RunsSucceeded), RunsEnded, Scope::All, ViolationKind::RunFailed, "runs");
    let counted = |counter| case.count(counter, Scope::All);
    // Proof of bad is proof, whatever else is not known.
    let is_missed = found.is_missed();
    let (unread, ended) = (counted(RunsUnread), counted(RunsEnded));
    if unread > 0 {
        // Each of them may have failed. Where those that were read have missed the target, the others do not matter.
        let worst = percent(counted(RunsSucceeded), ended.saturating_add(unread));
        let may_miss = worst.is_none_or(|worst| !found.target.is_met_by(worst));
        found.unproven_where(may_miss && !is_missed, Note::RunsUnread { runs: unread });
    }
    // Each run without an end is one failed run of those that the target allows; but a gateway keeps the data of a run
    // until the run ends, so that these add up until nothing is left.
    let unended = counted(RunsUnended);
    if unended > 0 {
        let mut first = case.history.violations.first(ViolationKind::RunUnended, Scope::All);
        first.truncate(UNENDED_NAMED_MAX);
        found.unproven_where(!is_missed, Note::RunsUnended { runs: unended, first });
    }
    found
}

/// `sse_reconnect_rate`: streams that dropped unasked, of all that were opened, steady. A stream that is closed in good
/// order once in a while did not drop.
pub(crate) fn reconnect_rate(case: Case<'_>) -> Assessment {
    let (part, kind) = (Part::Bad(StreamsDropped), ViolationKind::StreamDropped);
    let mut found = share(case, part, StreamsOpened, Scope::Steady, kind, "streams opened");
    found.note_count(case.count(StreamsClosed, Scope::Steady), |streams| Note::StreamsClosed { streams });
    found.note_count(case.count(StreamsSilent, Scope::Steady), |streams| Note::StreamsSilent { streams });
    // A reader needs it first.
    found.evidence.notes.splice(0..0, connection_age(case));
    found
}

/// Maximum distance of the ages at which a rule closes streams, as a share of the median.
const AGES_WITHIN: f64 = 0.2;
/// Fewer closings show no rule.
const AGES_MIN: u64 = 4;

/// The age at which the gateway closes streams in good order, if it is one.
fn connection_age(case: Case<'_>) -> Option<Note> {
    let dropped = case.count(StreamsDropped, Scope::Steady);
    let ages = case.histogram(Timing::StreamAge, Scope::Steady);
    let [low_us, median_us, high_us] = [0.1, 0.5, 0.9].map(|quantile| ages.quantile_us(quantile));
    let is_one_age = as_value(high_us - low_us) <= AGES_WITHIN * as_value(median_us);
    let is_known = dropped > 0 && ages.len() >= AGES_MIN && is_one_age;
    is_known.then_some(Note::ClosedAtOneAge { streams: ages.len(), low_us, median_us, high_us })
}

/// Fewer errors in a window prove nothing: requests that were under way when the gateway went down may well fail.
const WINDOW_ERRORS_MIN: u64 = 3;

/// `error_rate_steady` and `error_rate_chaos`: requests of W1 to W5 that went wrong, of all.
///
/// Each chaos event is another test, so a good window does not make up for a bad one: where the lower end of one
/// window's range is over the target, the KPI is missed, whatever the share of all is.
pub(crate) fn errors(case: Case<'_>, scope: Scope) -> Assessment {
    let mut found = share(case, Part::Bad(RequestErrors), Requests, scope, ViolationKind::RequestFailed, "requests");
    found.note_count(case.count(RequestsRepeated, scope), |requests| Note::RequestsRepeated { requests });
    found.note_count(case.count(AnswersUnread, scope), |answers| Note::AnswersUnread { answers });
    let foreign = case.count(EventsForeign, scope);
    if foreign > 0 {
        // S2 created these runs, and knows their workspaces.
        found.fail(Fault::EventsForeign { events: foreign });
    }
    if scope == Scope::Chaos && found.is_met() {
        one_bad_window(&mut found, case);
    }
    let mut routes: BTreeMap<String, u64> = BTreeMap::new();
    for (route, count) in case.history.violations.routes(scope) {
        *routes.entry(route.to_owned()).or_default() += count;
    }
    if routes.len() > 1 {
        let mut routes: Vec<(String, u64)> = routes.into_iter().collect();
        // Stable: routes of equal counts stay in the order of their names.
        routes.sort_by_key(|(_, count)| Reverse(*count));
        found.note(Note::ErrorsByRoute { routes });
    }
    found
}

/// Fails where more went wrong in one window than the target allows, beyond doubt.
fn one_bad_window(found: &mut Assessment, case: Case<'_>) {
    let (mut first_bad, mut faults) = (None, Vec::new());
    for phase in Scope::Chaos.phases() {
        let [errors, requests] = [RequestErrors, Requests].map(|counter| case.count(counter, Scope::In(phase)));
        let Some(least_percent) = confidence::of_share(errors, requests).map(|range| range.low) else { continue };
        if errors >= WINDOW_ERRORS_MIN && !found.target.is_met_by(least_percent) {
            first_bad.get_or_insert(phase);
            faults.push(Fault::WindowMissed { phase, errors, requests, least_percent }.into());
        }
    }
    let Some(phase) = first_bad else { return };
    let first = case.history.violations.first(ViolationKind::RequestFailed, Scope::In(phase)).into_iter().next();
    found.evidence.first = first.or(found.evidence.first.take());
    faults.push(Fault::WindowsJudgedApart.into());
    found.fault.extend(faults);
}
