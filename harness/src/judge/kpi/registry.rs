//! W3: how soon a version is found, whether it stays found, and whether a tampered one is rejected.

use crate::{
    catalog::Phase,
    history::{Scope, ViolationKind, limit_us},
    journal::{Counter, Timing},
    judge::{
        Note, PhaseValue, Reason,
        kpi::{
            case::Case,
            quantiles::{first_over, worst_over},
        },
        stats::confidence,
        verdict::assessment::{Assessment, percent},
    },
};

/// `publish_search_delay`: the slowest publish to appear in search, seconds, in every phase. A version that never
/// appeared fails, with the time we looked for as the least that it can be.
pub(in crate::judge) fn publish_search_delay(case: Case<'_>) -> Assessment {
    let mut found = case.open("versions published");
    let lost = case.history.violations.first(ViolationKind::VersionNotFound, Scope::All);
    let not_found = case.history.violations.count(ViolationKind::VersionNotFound, Scope::All);
    let appeared = case.history.totals.histogram(Timing::PublishToSearch, Scope::All);
    let slowest_us = case.history.totals.worst(Timing::PublishToSearch, Scope::All).map(|worst| worst.max_us).max();
    let slowest = slowest_us.map(|us| us as f64 / 1_000_000.0);
    let waited = lost.iter().filter_map(|offender| offender.value);

    found.samples = appeared.len().saturating_add(not_found);
    found.value = slowest.into_iter().chain(waited).reduce(f64::max);
    let limit_us = limit_us(case.limit() * 1_000.0);
    found.evidence.over = appeared.count_above(limit_us).saturating_add(not_found);
    found.evidence.by_phase = Phase::ALL
        .iter()
        .map(|phase| (*phase, case.history.totals.histogram_of(Timing::PublishToSearch, *phase)))
        .filter(|(_, histogram)| !histogram.is_empty())
        .map(|(phase, histogram)| {
            let value = histogram.max_us() as f64 / 1_000_000.0;
            PhaseValue { phase, value, samples: histogram.len() }
        })
        .collect();
    found.undecided.extend(cut(case, ViolationKind::NewVersionCut).map(Reason::Text));
    if let Some(first) = lost.first() {
        let fault = format!("{not_found} of {} did not appear in search while we looked", found.samples);
        found.fault = Some(fault.into());
        found.evidence.first = Some(first.clone());
        found.evidence.worst = lost;
    } else {
        found.one_is_proof = true;
        found.evidence.first = first_over(case.history, Timing::PublishToSearch, Scope::All, limit_us);
        found.evidence.worst = worst_over(case.history, Timing::PublishToSearch, Scope::All, limit_us);
        for offender in &mut found.evidence.worst {
            offender.value = offender.value.map(|ms| ms / 1_000.0);
        }
    }
    found
}

/// `registry_consistency`: looks for earlier versions that found them, of all. Each pulse looks for each earlier
/// version from both workspaces. One that is lost is proof.
pub(in crate::judge) fn consistency(case: Case<'_>) -> Assessment {
    let mut found = case.open("looks for earlier versions");
    let checks = case.history.totals.counter(Counter::VersionChecks, Scope::All);
    let lost = case.history.totals.counter(Counter::VersionsLost, Scope::All);
    found.one_is_proof = true;
    found.samples = checks;
    found.value = percent(checks.saturating_sub(lost), checks);
    found.range = confidence::of_share(checks.saturating_sub(lost), checks);
    found.evidence.over = lost;
    found.offenders(case.history.violations.first(ViolationKind::VersionLost, Scope::All));
    let cut = cut(case, ViolationKind::VersionCut).or_else(|| cut(case, ViolationKind::NewVersionCut));
    found.undecided.extend(cut.map(Reason::Text));
    found
}

/// Why versions that a search did not show may be there all the same.
fn cut(case: Case<'_>, offence: ViolationKind) -> Option<String> {
    let count = case.history.violations.count(offence, Scope::All);
    let first = case.history.violations.first(offence, Scope::All).into_iter().next()?;
    let times = if count == 1 { "a search".to_owned() } else { format!("{count} searches") };
    let why = first.answer.unwrap_or_default();
    Some(format!("{times} did not show all that they found, first that for {}: {why}", first.subject))
}

/// `tampered_manifests`: rejected, of those tried. One that was not is proof.
pub(in crate::judge) fn tampered_manifests(case: Case<'_>) -> Assessment {
    refused(case, Counter::TamperedSent, Counter::TamperedRejected, ViolationKind::TamperAccepted, "tampered manifests")
}

/// The share of attempts that the gateway refused or hid, as it should. One that it did not is proof.
pub(in crate::judge) fn refused(
    case: Case<'_>,
    tried: Counter,
    refused: Counter,
    offence: ViolationKind,
    sample_name: &str,
) -> Assessment {
    let mut found = case.open(sample_name);
    let (tried, refused) =
        (case.history.totals.counter(tried, Scope::All), case.history.totals.counter(refused, Scope::All));
    let seen = case.history.violations.count(offence, Scope::All);
    found.one_is_proof = true;
    // An incident may be on record before the interval that counts it; one sample that shows in three places is three
    // incidents.
    found.evidence.over = tried.saturating_sub(refused).max(u64::from(seen > 0));
    found.samples = tried.max(found.evidence.over);
    let good = found.samples.saturating_sub(found.evidence.over);
    found.value = percent(good, found.samples);
    found.range = confidence::of_share(good, found.samples);
    found.offenders(case.history.violations.first(offence, Scope::All));
    if found.evidence.over > seen {
        let unclear = found.evidence.over - seen;
        found.evidence.notes.push(Note::IncidentsMissing { samples: unclear });
    }
    found
}
