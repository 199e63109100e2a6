//! Shares: of probes, of runs, of reconnects, of requests.

use std::{cmp::Reverse, collections::BTreeMap};

use crate::{
    catalog::Phase,
    history::{History, Scope, ViolationKind},
    journal::{Counter, Timing},
    judge::{
        Note, PhaseValue,
        kpi::{backdate::backdate_to_window, case::Case},
        stats::confidence,
        verdict::assessment::{Assessment, percent},
    },
};

/// Of the runs that never ended so many are named.
const UNENDED_NAMED_MAX: usize = 3;

/// A share of what was counted, by what went well or by what went wrong.
struct Share {
    /// The counter of the whole.
    of: Counter,
    /// The counter of the part: the good ones where the target is a minimum, the bad ones where it is a maximum.
    part: Counter,
    /// Whether the part counts the good ones.
    part_is_good: bool,
    /// The phases that are judged.
    scope: Scope,
    /// The kind of violation of a bad sample.
    offence: ViolationKind,
    sample_name: &'static str,
}

/// `availability`: readiness probes answered 200, of all, steady.
pub(in crate::judge) fn availability(case: Case<'_>) -> Assessment {
    let mut found = Share {
        of: Counter::ReadyProbes,
        part: Counter::ReadyOk,
        part_is_good: true,
        scope: Scope::Steady,
        offence: ViolationKind::NotReady,
        sample_name: "probes",
    }
    .found_with_repetitions(case, Counter::ProbesRepeated);
    let unheard = case.history.totals.counter(Counter::ReadyUnheard, Scope::Steady);
    if unheard > 0 {
        found.evidence.notes.push(Note::ProbesUnheard { probes: unheard });
        // Too few samples prove nothing, unless it is missed although all of these were answered.
        let counted = |counter| case.history.totals.counter(counter, Scope::Steady);
        let with_unheard = |counter| counted(counter).saturating_add(unheard);
        let at_best = percent(with_unheard(Counter::ReadyOk), with_unheard(Counter::ReadyProbes));
        found.one_is_proof |= at_best.is_some_and(|at_best| !found.target.is_met_by(at_best));
    }
    found
}

/// `run_success`: runs that ended in success, of all that ended, in every phase.
pub(in crate::judge) fn run_success(case: Case<'_>) -> Assessment {
    let counted = |counter| case.history.totals.counter(counter, Scope::All);
    let mut found = Share {
        of: Counter::RunsEnded,
        part: Counter::RunsSucceeded,
        part_is_good: true,
        scope: Scope::All,
        offence: ViolationKind::RunFailed,
        sample_name: "runs",
    }
    .found(case);
    // Proof of bad is proof, whatever else is not known.
    let is_missed = found.value.is_some_and(|value| !found.target.is_met_by(value));
    let (unread, ended) = (counted(Counter::RunsUnread), counted(Counter::RunsEnded));
    if unread > 0 {
        // Each of them may have failed. Where those that were read have missed the target, the others do not matter.
        let worst = percent(counted(Counter::RunsSucceeded), ended.saturating_add(unread));
        let may_miss = worst.is_none_or(|worst| !found.target.is_met_by(worst));
        found.unproven_where(may_miss && !is_missed, Note::RunsUnread { runs: unread });
    }
    if let Some(note) = unended(case.history) {
        found.unproven_where(!is_missed, note);
    }
    found
}

/// Runs that never ended. Each is one failed run of those that the target allows; but a gateway keeps what it has of a run
/// until the run ends, so that these add up until nothing is left.
fn unended(history: &History) -> Option<Note> {
    let runs = history.totals.counter(Counter::RunsUnended, Scope::All);
    let mut first = history.violations.first(ViolationKind::RunUnended, Scope::All);
    first.truncate(UNENDED_NAMED_MAX);
    (runs > 0).then_some(Note::RunsUnended { runs, first })
}

/// `sse_reconnect_success`: attempts to come back that opened a stream, of all, steady.
pub(in crate::judge) fn reconnect_success(case: Case<'_>) -> Assessment {
    Share {
        of: Counter::ReconnectAttempts,
        part: Counter::ReconnectsOk,
        part_is_good: true,
        scope: Scope::Steady,
        offence: ViolationKind::ReconnectFailed,
        sample_name: "reconnect attempts",
    }
    .found(case)
}

/// `sse_reconnect_rate`: streams that dropped unasked, of all that were opened, steady. A stream that is closed in good
/// order once in a while did not drop.
pub(in crate::judge) fn reconnect_rate(case: Case<'_>) -> Assessment {
    let mut found = Share {
        of: Counter::StreamsOpened,
        part: Counter::StreamsDropped,
        part_is_good: false,
        scope: Scope::Steady,
        offence: ViolationKind::StreamDropped,
        sample_name: "streams opened",
    }
    .found(case);
    let counted = |counter| case.history.totals.counter(counter, Scope::Steady);
    let closed = counted(Counter::StreamsClosed);
    if closed > 0 {
        found.evidence.notes.push(Note::StreamsClosed { streams: closed });
    }
    let silent = counted(Counter::StreamsSilent);
    if silent > 0 {
        found.evidence.notes.push(Note::StreamsSilent { streams: silent });
    }
    // It is what a reader needs first.
    found.evidence.notes.splice(0..0, connection_age(case.history));
    found
}

/// Ages that are this near to one another, as a share of the median, are those of a rule.
const AGES_WITHIN: f64 = 0.2;
/// Fewer closings show no rule.
const AGES_MIN: u64 = 4;

/// The age at which the gateway closes streams in good order, if it is one.
fn connection_age(history: &History) -> Option<Note> {
    let dropped = history.totals.counter(Counter::StreamsDropped, Scope::Steady);
    let ages = history.totals.histogram(Timing::StreamAge, Scope::Steady);
    let [low_us, median_us, high_us] = [0.1, 0.5, 0.9].map(|quantile| ages.quantile_us(quantile));
    let is_one_age = (high_us - low_us) as f64 <= AGES_WITHIN * median_us as f64;
    let is_known = dropped > 0 && ages.len() >= AGES_MIN && is_one_age;
    is_known.then_some(Note::ClosedAtOneAge { streams: ages.len(), low_us, median_us, high_us })
}

/// Fewer errors in a window say nothing of it alone: what was under way when the gateway went down may well fail.
const WINDOW_ERRORS_MIN: u64 = 3;

/// `error_rate_steady` and `error_rate_chaos`: requests of W1 to W5 that went wrong, of all.
///
/// Each event of chaos asks another question, so a good window does not make up for a bad one: where the lower end of one
/// window's range is over the target, the KPI is missed, whatever the share of all is.
pub(in crate::judge) fn errors(case: Case<'_>, scope: Scope) -> Assessment {
    let share = Share {
        of: Counter::Requests,
        part: Counter::RequestErrors,
        part_is_good: false,
        scope,
        offence: ViolationKind::RequestFailed,
        sample_name: "requests",
    };
    let mut found = share.found_with_repetitions(case, Counter::RequestsRepeated);
    let unread = case.history.totals.counter(Counter::AnswersUnread, scope);
    if unread > 0 {
        found.evidence.notes.push(Note::AnswersUnread { answers: unread });
    }
    let foreign = case.history.totals.counter(Counter::EventsForeign, scope);
    if foreign > 0 {
        // What a tenant sees of another is no share of anything: S2 created these runs, and knows whose they are.
        let fault = format!("{foreign} events of runs of another workspace were shown, and no share of them is fine");
        found.fault = Some(fault.into());
    }
    if matches!(scope, Scope::Chaos) && found.value.is_some_and(|value| found.target.is_met_by(value)) {
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
        found.evidence.notes.push(Note::ErrorsByRoute { routes });
    }
    found
}

/// Fails where more went wrong in one window than the target allows, beyond doubt.
fn one_bad_window(found: &mut Assessment, case: Case<'_>) {
    let bad = Scope::Chaos.phases().filter_map(|phase| {
        let counted = |counter| case.history.totals.counter_of(counter, phase);
        let (errors, requests) = (counted(Counter::RequestErrors), counted(Counter::Requests));
        let low = confidence::of_share(errors, requests)?.low;
        let is_bad = errors >= WINDOW_ERRORS_MIN && !found.target.is_met_by(low);
        is_bad.then(|| {
            (phase, format!("in the {phase} window {errors} of {requests} went wrong, {low:.1} % at the least"))
        })
    });
    let bad: Vec<(Phase, String)> = bad.collect();
    let Some((phase, _)) = bad.first() else { return };
    let first = case.history.violations.first_in(ViolationKind::RequestFailed, *phase).cloned();
    found.evidence.first = first.or(found.evidence.first.take());
    let told: Vec<String> = bad.into_iter().map(|(_, told)| told).collect();
    found.fault = Some(format!("{}; the other windows do not make up for that", told.join("; ")).into());
}

impl Share {
    /// The same, with how many requests were sent once more.
    fn found_with_repetitions(&self, case: Case<'_>, repetitions: Counter) -> Assessment {
        let mut found = self.found(case);
        let repeated = case.history.totals.counter(repetitions, self.scope);
        if repeated > 0 {
            found.evidence.notes.push(Note::RequestsRepeated { requests: repeated });
        }
        found
    }

    fn found(&self, case: Case<'_>) -> Assessment {
        let mut found = case.open(self.sample_name);
        let counted = |counter, scope| case.history.totals.counter(counter, scope);
        let (whole, part) = (counted(self.of, self.scope), counted(self.part, self.scope));
        found.samples = whole;
        found.value = percent(part, whole);
        found.range = confidence::of_share(part, whole);
        found.evidence.over = if self.part_is_good { whole.saturating_sub(part) } else { part };
        found.evidence.by_phase = Phase::ALL
            .iter()
            .filter_map(|phase| {
                let samples = case.history.totals.counter_of(self.of, *phase);
                let value = percent(case.history.totals.counter_of(self.part, *phase), samples)?;
                Some(PhaseValue { phase: *phase, value, samples })
            })
            .collect();
        found.offenders(case.history.violations.first(self.offence, self.scope));
        if self.scope == Scope::Steady {
            backdate_to_window(&mut found, case.history, |phase| {
                case.history.violations.first_in(self.offence, phase).cloned()
            });
        }
        found
    }
}
