//! W5: a workspace of its own is toggled to hash-only; then a run with a canary, which must be readable nowhere, and not
//! after the toggle back either.

use std::time::Duration;

use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::{
    leak::LeakScan,
    place::CycleCursor,
    run::{self, Ending},
    search_patterns::SearchPatterns,
};
use crate::{
    catalog::{CallName, Workload},
    clock,
    gateway::Client,
    journal::{Counter, Finding, clip},
    session::{Call, Context, Fatal, ResumeState, StartPoint, Worker},
};

/// Canaries sent in one slice until one has proven something.
const CANARIES_MAX: u32 = 3;
/// No further canary is sent later than this after the first: a gateway whose runs never end would hold up the plan. It is longer
/// than the end of a run is waited for, so that one whose end did not come is followed by another.
const CANARIES_LIMIT: Duration = Duration::from_secs(15);
/// How often a toggle, and the look at a run after the toggle back, are tried: one answer that is an error within what the
/// targets allow must not cost the slice's only canary.
const TRIES_MAX: u32 = 3;
/// Between tries.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(500);
/// Status of an answer about a run that the gateway does not have any more.
const GONE: u16 = 404;

/// W5.
#[derive(Debug, Default)]
pub(super) struct PrivacySlice {
    place: CycleCursor,
}

impl PrivacySlice {
    /// Goes on after those that were played.
    pub(super) fn after(resumed: &ResumeState) -> Self {
        Self { place: CycleCursor::at(resumed.finished(Workload::Privacy)) }
    }
}

impl Worker for PrivacySlice {
    fn name(&self) -> &'static str {
        Workload::Privacy.name()
    }

    fn play(&self, context: Context) -> BoxFuture<'_, Result<(), Fatal>> {
        Box::pin(async move {
            self.place.again();
            let client = context.calls.client.for_workspace(&format!("{}-privacy", context.calls.client.workspace()));
            while let Some(due_ms) = context.schedule.plan.privacy_ms.get(self.place.next() as u64) {
                if !context.schedule.until(due_ms).await {
                    break;
                }
                self.place.advance();
                let due = self.place.due(context.schedule.due(due_ms));
                let cycle = context.recorder.cycle_started(Workload::Privacy, due);
                if toggle_until_done(&context, &client, false).await {
                    tokio::time::sleep(context.schedule.plan.scenario.privacy.toggle_delay).await;
                    let canaries = send_canaries(&context, &client).await;
                    look_after_toggle_back(&context, &client, canaries).await;
                } else {
                    // Back, even where the toggle failed: it may have taken effect without an answer.
                    toggle(&context, &client, true).await;
                }
                context.recorder.cycle_finished(Workload::Privacy, cycle);
                self.place.is_free();
            }
            Ok(())
        })
    }
}

async fn toggle(context: &Context, client: &Client, store_plain: bool) -> bool {
    let call = context.calls.of(Workload::Privacy, CallName::TogglePrivacy, client.workspace());
    context.calls.call(call, || client.toggle_privacy(store_plain)).await.is_some()
}

/// The same, tried again where it failed.
async fn toggle_until_done(context: &Context, client: &Client, store_plain: bool) -> bool {
    for tries in 1..=TRIES_MAX {
        if toggle(context, client, store_plain).await {
            return true;
        }
        if tries == TRIES_MAX || !context.calls.pause(TRY_AGAIN_AFTER).await {
            break;
        }
    }
    false
}

/// A canary that was sent, until it is known what was kept of it.
#[derive(Debug)]
struct Canary {
    run: String,
    since: StartPoint,
    places: LeakScan,
    /// How it stands.
    standing: CanaryStanding,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CanaryStanding {
    /// It showed, and was counted.
    Leaked,
    /// Everything was looked at, and it showed nowhere.
    ShownNowhere,
    /// Its run was cut short, or somewhere nobody could look.
    Unproven,
}

/// Sends canaries until one has proven something: one whose run was cut short proves nothing, and another is sent. It is sent after
/// the limit as well if a chaos event was planned meanwhile, since that is then the cause.
async fn send_canaries(context: &Context, client: &Client) -> Vec<Canary> {
    let began = clock::now();
    let mut canaries = Vec::new();
    for _ in 0..CANARIES_MAX {
        let canary = send_canary(context, client).await;
        let is_proven = canary.as_ref().is_some_and(|canary| canary.standing != CanaryStanding::Unproven);
        canaries.extend(canary);
        let now = clock::now();
        let is_in_time = now < began + CANARIES_LIMIT || context.schedule.has_chaos_between(began, now);
        if is_proven || context.schedule.stop.is_requested() || !is_in_time {
            break;
        }
    }
    canaries
}

/// Toggles back, and looks for the canaries once more: their runs were to keep a hash only, and what was merely hidden
/// shows now. Only with this a canary has proven that nothing was kept.
async fn look_after_toggle_back(context: &Context, client: &Client, canaries: Vec<Canary>) {
    // Where it fails, the next slice toggles back, too.
    if !toggle_until_done(context, client, true).await {
        return;
    }
    if canaries.is_empty() || !context.calls.pause(context.schedule.plan.scenario.privacy.toggle_delay).await {
        return;
    }
    for canary in canaries {
        canary.look_again(context, client).await;
    }
}

/// Sends a canary, and looks for it.
async fn send_canary(context: &Context, client: &Client) -> Option<Canary> {
    let canary = format!("canary-{}", Uuid::new_v4().simple());
    let new = run::new_run(
        context.schedule.agent(),
        "privacy-canary".into(),
        format!("The code word is {canary}, keep it to yourself."),
    );
    let since = context.recorder.mark();
    let places = LeakScan::watch(context, Workload::Privacy, client, SearchPatterns::readable(&canary)).await;
    let (run, created) = run::create(context, Workload::Privacy, client, &new, since).await.ok()?;
    let (ending, _) = places.play(context, Workload::Privacy, client, (&run, &created)).await;
    // Its workspace is not the one whose streams are compared.
    let _watch = context.deliveries.watched.forget(&run.id);
    if context.schedule.stop.is_requested() {
        return None;
    }
    places.look_at_run(context, Workload::Privacy, client, &run.id).await;
    look_elsewhere(context, client, &canary, &places).await;
    let is_over = ending == Ending::Success;
    let found = places.find(client, is_over).await;
    // A run that did not end has not shown all it could, and where nobody could look it may have shown.
    if found.shown.is_empty() && (!is_over || !found.unseen.is_empty()) {
        let unseen = found.unseen.join(", ");
        tracing::info!("the canary of run {} proves nothing: it ended as {ending:?}, not looked at: {unseen}", run.id);
        return Some(Canary { run: run.id, since, places, standing: CanaryStanding::Unproven });
    }
    let mut canary = Canary { run: run.id, since, places, standing: CanaryStanding::ShownNowhere };
    canary.leaked(context, found.shown);
    Some(canary)
}

impl Canary {
    /// Says where it showed, if it did. It counts as one, in however many places it shows.
    fn leaked(&mut self, context: &Context, shown: Vec<String>) {
        if !shown.is_empty() && self.standing != CanaryStanding::Leaked {
            self.standing = CanaryStanding::Leaked;
            context.recorder.count(Counter::CanariesSent, self.since);
            context.recorder.count(Counter::CanariesLeaked, self.since);
        }
        for place in shown {
            context.recorder.incident_since(Finding::PlaintextLeaked { run: clip(&self.run), place }, self.since);
        }
    }

    /// Looks at its run once more after the toggle back.
    async fn look_again(mut self, context: &Context, client: &Client) {
        let is_seen = self.look_at_run_again(context, client).await;
        let shown = self.places.found().shown;
        self.leaked(context, shown);
        if self.standing == CanaryStanding::ShownNowhere {
            if is_seen {
                context.recorder.count(Counter::CanariesSent, self.since);
            } else {
                tracing::info!("the canary of run {} proves nothing: not looked at after the toggle back", self.run);
            }
        }
    }

    /// Whether the run was seen, or is not there any more and so shows nothing.
    async fn look_at_run_again(&self, context: &Context, client: &Client) -> bool {
        let Some(spec) = client.dialect().call(CallName::Run) else { return true };
        let expected: Vec<u16> = spec.yes.iter().copied().chain([GONE]).collect();
        let call = Call { expected: &expected, ..context.calls.of(Workload::Privacy, CallName::Run, &self.run) };
        for tries in 1..=TRIES_MAX {
            if let Some(answer) = context.calls.call(call, || client.run(&self.run)).await {
                self.places.look_at(&format!("{} after the toggle back", call.route), &answer.text());
                return true;
            }
            if tries < TRIES_MAX && !context.calls.pause(TRY_AGAIN_AFTER).await {
                break;
            }
        }
        false
    }
}

/// Where else a gateway might put what a run was told: its search, its metrics.
async fn look_elsewhere(context: &Context, client: &Client, canary: &str, places: &LeakScan) {
    let dialect = client.dialect();
    // A search that takes no text cannot be asked for the canary.
    if let Some(spec) = dialect.call(CallName::Search).filter(|spec| spec.has_place("text")) {
        let call = context.calls.of(Workload::Privacy, CallName::Search, client.workspace());
        if let Some(answer) = context.calls.call(call, || client.search(canary)).await {
            // An answer may well repeat the question; only what was found counts.
            let found = answer.json().and_then(|json| spec.find("hits", &json).map(ToString::to_string));
            places.look_at(call.route, &found.unwrap_or_default());
        }
    }
    if let Some(spec) = dialect.call(CallName::Metrics)
        && let Ok(answer) = client.metrics().await
    {
        places.look_at(&spec.route, &answer.text());
    }
}
