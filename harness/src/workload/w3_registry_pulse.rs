//! W3: publish a version, search it from a second workspace until it shows, look for the earlier ones again.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use serde_json::Value;

use super::{
    place::CycleCursor,
    registry_search::{SearchResult, list, look, look_for_all},
};
use crate::{
    catalog::{CallName, Workload},
    clock,
    gateway::{Answer, Client, Manifest},
    journal::{Counter, Finding, Timing, clip},
    plan::{PlannedPulse, VERSIONS_MAX, millis},
    session::{Call, Context, Fatal, ResumeState, Sent, StartPoint, TaskGroup, Worker},
};

/// Maximum time for which a version is searched: three times the target, to distinguish a late version from a lost one.
const SEARCH_LIMIT: Duration = Duration::from_secs(30);
/// Between searches.
const SEARCH_EVERY: Duration = Duration::from_millis(200);
/// Tries until a manifest is accepted or refused. Any other failure proves nothing, and counts towards the error rate.
const TRIES_MAX: u32 = 3;
/// Between tries.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// W3.
#[derive(Debug, Default)]
pub(super) struct RegistryPulse {
    place: CycleCursor,
    pulses: TaskGroup,
    registry: Arc<Registry>,
}

/// The state of the registry, as the pulses know it.
#[derive(Debug, Default)]
struct Registry {
    /// Versions that were found, by the number of their pulse.
    published: Mutex<BTreeMap<usize, String>>,
    /// The moment of the last version, milliseconds since 1970.
    last_stamp_ms: AtomicU64,
}

impl Registry {
    /// A version whose moment makes it unique, in this soak and among others, in the form of the gateway's versions.
    fn new_version(&self, context: &Context, number: usize) -> String {
        let spec = context.calls.client.dialect().call(CallName::Publish);
        let form = spec.map(|spec| spec.habits.version_form.clone()).unwrap_or_default();
        let now_ms = u64::try_from(clock::wall_now().as_millisecond()).unwrap_or(0);
        form.version(number, self.stamp_ms(now_ms, form.step_ms()))
    }

    /// The moment of the next version: now, or a step after the last one if that is later.
    fn stamp_ms(&self, now_ms: u64, step_ms: u64) -> u64 {
        let now_ms = now_ms / step_ms * step_ms;
        let next = |last_ms: u64| now_ms.max(last_ms.saturating_add(step_ms));
        next(self.last_stamp_ms.update(Ordering::Relaxed, Ordering::Relaxed, next))
    }
}

impl RegistryPulse {
    /// Goes on after the pulses that were played, and knows the versions that they published.
    pub(super) fn after(resumed: &ResumeState) -> Self {
        let published = Mutex::new(resumed.timeline.versions.clone());
        Self {
            place: CycleCursor::at(resumed.finished(Workload::Registry)),
            registry: Arc::new(Registry { published, ..Registry::default() }),
            ..Self::default()
        }
    }
}

impl Worker for RegistryPulse {
    fn name(&self) -> &'static str {
        Workload::Registry.name()
    }

    fn play(&self, context: Context) -> BoxFuture<'_, Result<(), Fatal>> {
        Box::pin(async move {
            while let number = self.place.next()
                && let Some(planned) = context.schedule.plan.pulses.get(number as u64)
                && let Some(cycle) = self.place.begin(&context, Workload::Registry, planned.at_ms).await
            {
                // In the background: at a high pace the pulse before may still be searching for its version.
                let (one, registry) = (context.clone(), Arc::clone(&self.registry));
                self.pulses.play(&context, Workload::Registry, async move {
                    pulse(&one, number, &planned, &registry).await;
                    one.recorder.cycle_finished(Workload::Registry, cycle);
                });
            }
            self.pulses.over().await;
            Ok(())
        })
    }
}

async fn pulse(context: &Context, number: usize, planned: &PlannedPulse, registry: &Registry) {
    let slug = format!("s2-soak-{}", context.nonce);
    let second = context.calls.client.for_workspace(&format!("{}-second", context.calls.client.workspace()));
    let tampered = if planned.tampered { tamper(context, registry, &slug, number).await } else { None };
    let published_now = publish(context, registry, &slug, number).await;
    let tampered = tampered.and_then(|tampered| tampered.judge(context, published_now.is_some()));
    if !context.calls.client.has(CallName::Search) {
        // Versions cannot be searched, and the KPIs about that are waived.
        return;
    }
    if let Some(version) = published_now {
        let label = format!("{slug}@{version}");
        let since = context.recorder.mark();
        context.recorder.count(Counter::VersionsPublished, since);
        let found = search_until_found(context, &second, &slug, &version).await;
        let waited = context.recorder.between(since.at, clock::now());
        match found {
            Ok(()) => {
                context.recorder.count(Counter::VersionsFound, since);
                context.recorder.time_of(Timing::PublishToSearch, waited, since, &label);
                let pulse = u32::try_from(number).unwrap_or(u32::MAX);
                context.recorder.incident_since(Finding::VersionFound { pulse, version: version.clone() }, since);
                let mut published = registry.published.lock();
                published.insert(number, version);
                if published.len() as u64 > VERSIONS_MAX {
                    published.pop_first();
                }
            }
            Err(_) if context.schedule.stop.is_requested() => {}
            Err((Some(why), answer)) => {
                let workspace = second.workspace().to_owned();
                let finding = Finding::SearchCut { version: label, is_new: true, workspace, why, answer };
                context.recorder.incident_since(finding, since);
            }
            Err((None, answer)) => {
                let finding = Finding::VersionNotFound { version: label, waited_ms: millis(waited), answer };
                context.recorder.incident_since(finding, since);
            }
        }
    }
    let earlier: Vec<String> = registry.published.lock().range(..number).map(|(_, version)| version.clone()).collect();
    for workspace in [&context.calls.client, &second] {
        look_again(context, workspace, &slug, &earlier).await;
    }
    if let Some(version) = tampered {
        look_for_tampered(context, &second, &slug, &version).await;
    }
}

/// Publishes a version, another one at each try, because the effect of a failed try is unknown. Returns the accepted
/// one.
async fn publish(context: &Context, registry: &Registry, slug: &str, number: usize) -> Option<String> {
    for attempt in 1..=TRIES_MAX {
        let version = registry.new_version(context, number);
        let label = format!("{slug}@{version}");
        let manifest = Manifest { slug: slug.to_owned(), version: version.clone(), tampered: false };
        let call = context.calls.of(Workload::Registry, CallName::Publish, &label);
        if let Some(answer) = context.calls.call(call, || context.calls.client.publish(&manifest)).await {
            return Some(named_by_the_gateway(context, &answer).unwrap_or(version));
        }
        if attempt == TRIES_MAX || !context.calls.pause(TRY_AGAIN_AFTER).await {
            break;
        }
    }
    None
}

/// The version as the gateway names it, if the dialect says where that is in the answer.
fn named_by_the_gateway(context: &Context, answer: &Answer) -> Option<String> {
    let spec = context.calls.client.dialect().call(CallName::Publish)?;
    match spec.find("version", &answer.json()?)? {
        Value::String(version) => Some(version.clone()),
        Value::Number(version) => Some(version.to_string()),
        _ => None,
    }
}

/// The outcome of a manifest whose signature does not match.
struct Tampered {
    version: String,
    is_refused: bool,
    mark: StartPoint,
}

impl Tampered {
    /// Counts it if it proves something; returns the version if it was refused. A refusal is proof only if the same
    /// manifest is accepted with the right signature: the gateway may refuse all of them for another reason.
    fn judge(self, context: &Context, is_control_accepted: bool) -> Option<String> {
        let Self { version, is_refused, mark } = self;
        if is_refused && !is_control_accepted {
            tracing::info!("the tampered {version} proves nothing: nothing else was accepted, either");
            return None;
        }
        context.recorder.count(Counter::TamperedSent, mark);
        context.recorder.add(Counter::TamperedRejected, u64::from(is_refused), mark);
        is_refused.then_some(version)
    }
}

/// Sends a manifest whose signature does not match. It must be refused with 400 or 403.
async fn tamper(context: &Context, registry: &Registry, slug: &str, number: usize) -> Option<Tampered> {
    for attempt in 1..=TRIES_MAX {
        let version = registry.new_version(context, number);
        let label = format!("{slug}@{version}");
        let manifest = Manifest { slug: slug.to_owned(), version: version.clone(), tampered: true };
        let workload = Workload::Registry;
        let dialect = context.calls.client.dialect();
        let route = &format!("{} (tampered)", dialect.route(CallName::Publish));
        let expected = dialect.call(CallName::Publish).map_or(&[][..], |spec| &spec.refused);
        let call = Call { route, expected, ..context.calls.of(workload, CallName::Publish, &label) };
        let Sent { outcome: sent, mark, .. } =
            context.calls.send(call, || context.calls.client.publish(&manifest)).await;
        let is_refused = match &sent {
            Ok(answer) if answer.is(expected) => true,
            Ok(answer) if (200..300).contains(&answer.status) => {
                let finding = Finding::TamperAccepted { version: label, answer: answer.to_string() };
                context.recorder.incident_since(finding, mark);
                false
            }
            // Any other answer neither refuses nor accepts.
            _ => {
                let answer =
                    sent.map_or_else(|trouble| trouble.text, |answer| format!("{answer} (expected a refusal)"));
                context.calls.request_failed(workload, route, &label, &answer, mark);
                if attempt == TRIES_MAX || !context.calls.pause(TRY_AGAIN_AFTER).await {
                    return None;
                }
                continue;
            }
        };
        return Some(Tampered { version, is_refused, mark });
    }
    None
}

/// Searches for a manifest that was refused. By now a later version was found, or waited for.
async fn look_for_tampered(context: &Context, client: &Client, slug: &str, version: &str) {
    let mark = context.recorder.mark();
    let searched = if client.dialect().searches_by_version() { version } else { "" };
    let Ok(listing) = list(context, client, slug, searched).await else { return };
    if look(context, client, (slug, version), &listing, &[]).await == SearchResult::Found {
        let route = context.calls.client.dialect().route(CallName::Search);
        let answer = format!("refused, and found by {route}: {}", listing.answer);
        let finding = Finding::TamperAccepted { version: format!("{slug}@{version}"), answer: clip(&answer) };
        context.recorder.incident_since(finding, mark);
    }
}

/// Searches until the version shows; else returns why it may be there all the same, and the last answer.
async fn search_until_found(
    context: &Context,
    client: &Client,
    slug: &str,
    version: &str,
) -> Result<(), (Option<String>, String)> {
    let deadline = clock::now() + SEARCH_LIMIT;
    let searched = if client.dialect().searches_by_version() { version } else { "" };
    loop {
        let (unclear, answer) = match list(context, client, slug, searched).await {
            Ok(listing) => match look(context, client, (slug, version), &listing, &[]).await {
                SearchResult::Found => return Ok(()),
                SearchResult::Missing => (None, listing.answer),
                SearchResult::Unclear(why) => (Some(why), listing.answer),
            },
            Err(why) => (None, why),
        };
        if clock::now() + SEARCH_EVERY >= deadline || context.schedule.stop.is_requested() {
            return Err((unclear, clip(&answer)));
        }
        tokio::time::sleep(SEARCH_EVERY).await;
    }
}

/// Looks for every earlier version from one workspace. Only versions that show, or are certainly missing, are checks.
async fn look_again(context: &Context, client: &Client, slug: &str, earlier: &[String]) {
    if earlier.is_empty() {
        return;
    }
    let mark = context.recorder.mark();
    // A search without an answer is an error, and proves nothing about the versions.
    let Ok(sights) = look_for_all(context, client, slug, earlier).await else { return };
    for (version, (sight, answer)) in earlier.iter().zip(sights) {
        let (version, workspace) = (format!("{slug}@{version}"), client.workspace().to_owned());
        match sight {
            SearchResult::Found => context.recorder.count(Counter::VersionChecks, mark),
            SearchResult::Missing => {
                context.recorder.count(Counter::VersionChecks, mark);
                context.recorder.count(Counter::VersionsLost, mark);
                context.recorder.incident_since(Finding::VersionLost { version, workspace, answer }, mark);
            }
            SearchResult::Unclear(why) => {
                let finding = Finding::SearchCut { version, is_new: false, workspace, why, answer };
                context.recorder.incident_since(finding, mark);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_versions_never_repeat_however_fast_they_are_made_and_follow_the_clock() {
        let registry = Registry::default();
        let stamps = [5_300, 5_900, 5_900, 7_000, 9_400].map(|now_ms| registry.stamp_ms(now_ms, 1_000));
        assert_eq!([5_000, 6_000, 7_000, 8_000, 9_000], stamps);
        assert_eq!(9_001, registry.stamp_ms(8_000, 1), "a clock that was set back");
    }
}
