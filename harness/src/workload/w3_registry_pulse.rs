//! W3: publish a version, search it from a second workspace until it shows, look for the earlier ones again.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::BoxFuture;

use super::place::Place;
use crate::{
    clock,
    gateway::{Answer, CallName, Client, Manifest},
    journal::{Counter, Finding, Timing, clip},
    plan::{PlannedPulse, Workload},
    session::{Call, Context, Fatal, Past, Sent, Side, Worker},
};

/// How long a version is searched. Three times the target, so that a late one is told from a lost one.
const SEARCH_LIMIT: Duration = Duration::from_secs(30);
/// Between searches.
const SEARCH_EVERY: Duration = Duration::from_millis(200);
/// How often a manifest is sent until it was accepted or refused: one that failed for another reason says nothing, and is
/// the error rate's business.
const TRIES_MAX: u32 = 3;
/// Between tries.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(500);
/// Versions that are looked for again. Beyond it the oldest are let go.
const VERSIONS_MAX: usize = 256;

/// W3.
#[derive(Debug, Default)]
pub(super) struct RegistryPulse {
    place: Place,
    pulses: Side,
    /// Versions that were found, by the number of their pulse.
    published: Arc<Mutex<BTreeMap<usize, String>>>,
}

impl RegistryPulse {
    /// Goes on after those that were played, and knows the versions that they published.
    pub(super) fn after(past: &Past) -> Self {
        Self {
            place: Place::at(past.finished(Workload::Registry)),
            published: Arc::new(Mutex::new(past.versions().clone())),
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
            while let Some(planned) = context.plan.pulses.get(self.place.next()) {
                if !context.until(planned.at_ms).await {
                    break;
                }
                let number = self.place.next();
                self.place.advance();
                let cycle = context.recorder.cycle_started(Workload::Registry, context.due(planned.at_ms));
                // Beside: at a high pace the one before may still be searching for its version.
                let (one, planned, published) = (context.clone(), planned.clone(), Arc::clone(&self.published));
                self.pulses.play(&context, Workload::Registry, async move {
                    pulse(&one, number, &planned, &published).await;
                    one.recorder.cycle_finished(Workload::Registry, cycle);
                });
            }
            self.pulses.over().await;
            Ok(())
        })
    }
}

async fn pulse(context: &Context, number: usize, planned: &PlannedPulse, published: &Mutex<BTreeMap<usize, String>>) {
    let slug = format!("s2-soak-{}", context.nonce);
    let second = context.client.for_workspace(&format!("{}-second", context.client.workspace()));
    let tampered = if planned.tampered { tamper(context, &slug, number).await } else { None };
    let published_now = publish(context, &slug, number).await;
    if !context.client.has(CallName::Search) {
        // What is published cannot be looked for, and the KPIs that are about that are waived.
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
                let mut published = published.lock().unwrap_or_else(PoisonError::into_inner);
                published.insert(number, version);
                if published.len() > VERSIONS_MAX {
                    published.pop_first();
                }
            }
            Err(answer) if !context.stop.is_requested() => {
                let waited_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
                context.recorder.incident_since(Finding::VersionNotFound { version: label, waited_ms, answer }, since);
            }
            Err(_) => {}
        }
    }
    let earlier: Vec<String> = {
        let published = published.lock().unwrap_or_else(PoisonError::into_inner);
        published.range(..number).map(|(_, version)| version.clone()).collect()
    };
    for workspace in [&context.client, &second] {
        look_again(context, workspace, &slug, &earlier).await;
    }
    if let Some(version) = tampered {
        look_for_tampered(context, &second, &slug, &version).await;
    }
}

/// A version is published once: the timestamp keeps it from colliding with any other, of this soak or another's.
fn new_version(number: usize) -> String {
    format!("1.0.{number}-{}", clock::wall_now().as_millisecond())
}

/// Publishes a version, each try a new one: what a failed try left behind at the gateway, nobody knows. The version that
/// was accepted.
async fn publish(context: &Context, slug: &str, number: usize) -> Option<String> {
    for attempt in 1.. {
        let version = new_version(number);
        let label = format!("{slug}@{version}");
        let manifest = Manifest { slug: slug.to_owned(), version: version.clone(), tampered: false };
        let call = context.of(Workload::Registry, CallName::Publish, &label);
        if context.call(call, || context.client.publish(&manifest)).await.is_some() {
            return Some(version);
        }
        if !may_try_again(context, attempt).await {
            break;
        }
    }
    None
}

/// Sends a manifest whose signature does not match. It must be refused with 400 or 403. The version that was.
async fn tamper(context: &Context, slug: &str, number: usize) -> Option<String> {
    for attempt in 1.. {
        let version = format!("{}-tampered", new_version(number));
        let label = format!("{slug}@{version}");
        let manifest = Manifest { slug: slug.to_owned(), version: version.clone(), tampered: true };
        let workload = Workload::Registry;
        let dialect = context.client.dialect();
        let route = &format!("{} (tampered)", dialect.route(CallName::Publish));
        let expected = dialect.call(CallName::Publish).map_or(&[][..], |spec| &spec.refused);
        let call = Call { route, expected, ..context.of(workload, CallName::Publish, &label) };
        let Sent { outcome: sent, mark, .. } = context.send(call, || context.client.publish(&manifest)).await;
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
                context.request_failed(workload, route, &label, &answer, mark);
                if may_try_again(context, attempt).await {
                    continue;
                }
                return None;
            }
        };
        context.recorder.count(Counter::TamperedSent, mark);
        context.recorder.add(Counter::TamperedRejected, u64::from(is_refused), mark);
        return is_refused.then_some(version);
    }
    None
}

/// Looks whether a manifest that was refused is found all the same. By now a later version was, or was waited for.
async fn look_for_tampered(context: &Context, client: &Client, slug: &str, version: &str) {
    let mark = context.recorder.mark();
    let Ok(answer) = search(context, client, slug).await else { return };
    if finds(context, &answer, slug, version) {
        let answer = format!("refused, and found by {}: {answer}", context.client.dialect().route(CallName::Search));
        let finding = Finding::TamperAccepted { version: format!("{slug}@{version}"), answer: clip(&answer) };
        context.recorder.incident_since(finding, mark);
    }
}

/// Waits for the next try, if there may be one.
async fn may_try_again(context: &Context, attempt: u32) -> bool {
    if attempt >= TRIES_MAX {
        return false;
    }
    tokio::select! {
        () = context.stop.requested() => false,
        () = tokio::time::sleep(TRY_AGAIN_AFTER) => true,
    }
}

/// Searches until the version shows; what the last search answered, if it does not.
async fn search_until_found(context: &Context, client: &Client, slug: &str, version: &str) -> Result<(), String> {
    let deadline = clock::now() + SEARCH_LIMIT;
    loop {
        let answer = search(context, client, slug).await;
        let last = match &answer {
            Ok(answer) if finds(context, answer, slug, version) => return Ok(()),
            Ok(answer) => answer.to_string(),
            Err(why) => why.clone(),
        };
        if clock::now() + SEARCH_EVERY >= deadline || context.stop.is_requested() {
            return Err(clip(&last));
        }
        tokio::time::sleep(SEARCH_EVERY).await;
    }
}

/// Looks for every earlier version from one workspace.
async fn look_again(context: &Context, client: &Client, slug: &str, earlier: &[String]) {
    if earlier.is_empty() {
        return;
    }
    let mark = context.recorder.mark();
    // A search that is not answered is an error, not a loss: it says nothing about the versions.
    let Ok(answer) = search(context, client, slug).await else { return };
    context.recorder.add(Counter::VersionChecks, earlier.len() as u64, mark);
    for version in earlier.iter().filter(|version| !finds(context, &answer, slug, version)) {
        context.recorder.count(Counter::VersionsLost, mark);
        let finding = Finding::VersionLost {
            version: format!("{slug}@{version}"),
            workspace: client.workspace().to_owned(),
            answer: answer.to_string(),
        };
        context.recorder.incident_since(finding, mark);
    }
}

async fn search(context: &Context, client: &Client, slug: &str) -> Result<Answer, String> {
    let call = context.of(Workload::Registry, CallName::Search, client.workspace());
    context.outcome(call, || client.search(slug)).await
}

fn finds(context: &Context, answer: &Answer, slug: &str, version: &str) -> bool {
    let dialect = context.client.dialect();
    let hits = answer.json().and_then(|json| dialect.search_hits(&json)).unwrap_or_default();
    hits.iter().any(|hit| hit.slug == slug && hit.version == version)
}
