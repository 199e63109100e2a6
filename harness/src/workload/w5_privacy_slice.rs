//! W5: a workspace of its own is toggled to hash-only. Then a run with a canary, which must not be readable anywhere,
//! not even after the toggle back.

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
/// Maximum time from the first canary to the last: a gateway whose runs never end would hold up the plan. It is longer
/// than the wait for the end of a run, so that a canary without an end is followed by another.
const CANARIES_LIMIT: Duration = Duration::from_secs(15);
/// Tries of a toggle, and of the look at a run after the toggle back: one error must not cost the slice's only canary.
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
            while let Some(due_ms) = context.schedule.plan.privacy_ms.get(self.place.next() as u64)
                && let Some(cycle) = self.place.begin(&context, Workload::Privacy, due_ms).await
            {
                if toggle_until_done(&context, &client, false).await {
                    tokio::time::sleep(context.schedule.plan.scenario.privacy.toggle_delay).await;
                    let canaries = send_canaries(&context, &client).await;
                    look_after_toggle_back(&context, &client, canaries).await;
                } else {
                    // Back, even where the toggle failed: it may have taken effect without an answer.
                    toggle(&context, &client, true).await;
                }
                self.place.finish(&context, Workload::Privacy, cycle);
            }
            Ok(())
        })
    }
}

async fn toggle(context: &Context, client: &Client, store_plain: bool) -> bool {
    let call = context.calls.of(Workload::Privacy, CallName::TogglePrivacy, client.workspace());
    context.calls.call(call, || client.toggle_privacy(store_plain)).await.is_some()
}

/// The same, tried again if it failed.
async fn toggle_until_done(context: &Context, client: &Client, store_plain: bool) -> bool {
    for _ in 1..TRIES_MAX {
        if toggle(context, client, store_plain).await {
            return true;
        }
        if !context.calls.pause(TRY_AGAIN_AFTER).await {
            return false;
        }
    }
    toggle(context, client, store_plain).await
}

/// A canary that was sent, until it is known whether it was stored.
#[derive(Debug)]
struct Canary {
    run: String,
    since: StartPoint,
    places: LeakScan,
    standing: CanaryStanding,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CanaryStanding {
    /// It showed, and was counted.
    Leaked,
    /// Everything was searched, and it showed nowhere.
    ShownNowhere,
    /// Its run was cut short, or a place could not be searched.
    Unproven,
}

/// Sends canaries until one has proven something: one whose run was cut short proves nothing, and another is sent, also
/// after the limit if a chaos window may be the cause.
async fn send_canaries(context: &Context, client: &Client) -> Vec<Canary> {
    let began = clock::now();
    let mut canaries = Vec::new();
    for _ in 0..CANARIES_MAX {
        let sent = clock::now();
        let canary = send_canary(context, client).await;
        let is_proven = canary.as_ref().is_some_and(|canary| canary.standing != CanaryStanding::Unproven);
        canaries.extend(canary);
        let is_in_time = clock::now() < began + CANARIES_LIMIT || !context.recorder.is_calm_since(sent);
        if is_proven || context.schedule.stop.is_requested() || !is_in_time {
            break;
        }
    }
    canaries
}

/// Toggles back, and searches for the canaries once more: their runs should have kept a hash only, and hidden text
/// shows now. Only this proves that nothing was stored.
async fn look_after_toggle_back(context: &Context, client: &Client, canaries: Vec<Canary>) {
    // If it fails, the next slice toggles back, too.
    let is_back = toggle_until_done(context, client, true).await && !canaries.is_empty();
    if is_back && context.calls.pause(context.schedule.plan.scenario.privacy.toggle_delay).await {
        for canary in canaries {
            canary.look_again(context, client).await;
        }
    }
}

/// Sends a canary, and looks for it.
async fn send_canary(context: &Context, client: &Client) -> Option<Canary> {
    let canary = format!("canary-{}", Uuid::new_v4().simple());
    let message = format!("The code word is {canary}, keep it to yourself.");
    let new = run::new_run(context.schedule.agent(), "privacy-canary".into(), message);
    let since = context.recorder.mark();
    let places = LeakScan::watch(context, Workload::Privacy, client, SearchPatterns::readable(&canary)).await;
    let (run, created) = run::create(context, Workload::Privacy, client, &new, since).await.ok()?;
    let (ending, _) = places.play(&run, &created).await;
    // The streams of its workspace are not compared.
    let _watch = context.deliveries.watched.forget(&run.id);
    if context.schedule.stop.is_requested() {
        return None;
    }
    places.look_at_run(&run.id).await;
    look_elsewhere(context, client, &canary, &places).await;
    let shown = places.prove("the canary", &run.id, &ending, ending == Ending::Success).await;
    let standing = if shown.is_some() { CanaryStanding::ShownNowhere } else { CanaryStanding::Unproven };
    let mut canary = Canary { run: run.id, since, places, standing };
    canary.leaked(context, shown.unwrap_or_default());
    Some(canary)
}

impl Canary {
    /// Records where it showed, if it did. It counts once, for any number of places.
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
        match self.standing {
            CanaryStanding::ShownNowhere if is_seen => context.recorder.count(Counter::CanariesSent, self.since),
            CanaryStanding::ShownNowhere => {
                tracing::info!("the canary of run {} proves nothing: not looked at after the toggle back", self.run);
            }
            CanaryStanding::Leaked | CanaryStanding::Unproven => {}
        }
    }

    /// Whether the run was seen, or does not exist any more and so shows nothing.
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

/// Searches other places where a gateway might show the text of a run: its search, its metrics.
async fn look_elsewhere(context: &Context, client: &Client, canary: &str, places: &LeakScan) {
    let dialect = client.dialect();
    // A search that takes no text cannot be asked for the canary.
    if let Some(spec) = dialect.call(CallName::Search).filter(|spec| spec.has_place("text")) {
        let call = context.calls.of(Workload::Privacy, CallName::Search, client.workspace());
        if let Some(answer) = context.calls.call(call, || client.search(canary)).await {
            // An answer may repeat the question; only its hits count.
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
