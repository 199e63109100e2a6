//! W3: how soon a version is found, whether it stays found, and whether a tampered one is rejected.

use crate::{
    history::{Scope, ViolationKind, limit_us},
    journal::{Counter, Timing},
    judge::{
        Fault, Note, PhaseValue, UnprovenReason,
        kpi::{case::Case, quantiles::over_limit},
        stats::{as_value, confidence},
        verdict::assessment::{Assessment, percent},
    },
};

/// `publish_search_delay`: the slowest publish to appear in search, seconds, in every phase. A version that never
/// appeared fails, with the time that S2 searched as the least that it can be.
pub(crate) fn publish_search_delay(case: Case<'_>) -> Assessment {
    let mut found = case.open("versions published");
    let lost = case.history.violations.first(ViolationKind::VersionNotFound, Scope::All);
    let not_found = case.history.violations.count(ViolationKind::VersionNotFound, Scope::All);
    let slowest = case.history.totals.max_us(Timing::PublishToSearch, Scope::All).map(seconds);
    let waited = lost.iter().filter_map(|offender| offender.value);

    found.samples = case.histogram(Timing::PublishToSearch, Scope::All).len().saturating_add(not_found);
    found.value = slowest.into_iter().chain(waited).reduce(f64::max);
    let limit_us = limit_us(case.limit() * 1_000.0);
    over_limit(&mut found, case.history, Timing::PublishToSearch, Scope::All, limit_us);
    found.evidence.over = found.evidence.over.saturating_add(not_found);
    found.evidence.by_phase = PhaseValue::of_each(|phase| {
        let histogram = case.histogram(Timing::PublishToSearch, phase);
        (!histogram.is_empty()).then(|| (seconds(histogram.max_us()), histogram.len()))
    });
    found.undecided.extend(cut(case, ViolationKind::NewVersionCut));
    if let Some(first) = lost.first() {
        found.fail(Fault::VersionsNotFound { not_found, published: found.samples });
        found.evidence.first = Some(first.clone());
        found.evidence.worst = lost;
    } else {
        found.one_is_proof = true;
        for offender in &mut found.evidence.worst {
            offender.value = offender.value.map(|ms| ms / 1_000.0);
        }
    }
    found
}

fn seconds(us: u64) -> f64 {
    as_value(us) / 1_000_000.0
}

/// `registry_consistency`: searches for earlier versions that found them, of all. Each pulse searches for each earlier
/// version from both workspaces. One that is lost is proof.
pub(crate) fn consistency(case: Case<'_>) -> Assessment {
    let mut found = case.open("looks for earlier versions");
    let checks = case.count(Counter::VersionChecks, Scope::All);
    let lost = case.count(Counter::VersionsLost, Scope::All);
    found.one_is_proof = true;
    found.samples = checks;
    found.value = percent(checks.saturating_sub(lost), checks);
    found.range = confidence::of_share(checks.saturating_sub(lost), checks);
    found.evidence.over = lost;
    found.offenders(case.history.violations.first(ViolationKind::VersionLost, Scope::All));
    let cut = cut(case, ViolationKind::VersionCut).or_else(|| cut(case, ViolationKind::NewVersionCut));
    found.undecided.extend(cut);
    found
}

/// Why versions that a search did not show may be there all the same.
fn cut(case: Case<'_>, kind: ViolationKind) -> Option<Note> {
    case.violations(kind).map(|(searches, first)| UnprovenReason::SearchesCut { searches, first }.into())
}

/// `tampered_manifests`: rejected, of those tried. One that was not is proof.
pub(crate) fn tampered_manifests(case: Case<'_>) -> Assessment {
    let counters = [Counter::TamperedSent, Counter::TamperedRejected];
    refused(case, counters, ViolationKind::TamperAccepted, "tampered manifests")
}

/// The share of attempts that the gateway refused or hid, as it should, by both counters. One other is proof.
pub(crate) fn refused(case: Case<'_>, counters: [Counter; 2], offence: ViolationKind, sample_name: &str) -> Assessment {
    let mut found = case.open(sample_name);
    let [tried, refused] = counters.map(|counter| case.count(counter, Scope::All));
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
    found.note_count(found.evidence.over.saturating_sub(seen), |samples| Note::IncidentsMissing { samples });
    found
}
