//! W5: a workspace of its own is toggled to hash-only; then a run with a canary, which must be readable nowhere.

use std::time::Duration;

use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::{
    leak::{Needles, Places},
    place::Place,
    run::{self, Ending},
};
use crate::{
    clock,
    gateway::{CallName, Client},
    journal::{Counter, Finding, clip},
    plan::Workload,
    session::{Context, Fatal, Past, Worker},
};

/// Canaries sent in one slice until one has proven something.
const CANARIES_MAX: u32 = 3;
/// No further canary is sent later than this after the first: a gateway whose runs never end would hold up the plan.
const CANARIES_LIMIT: Duration = Duration::from_secs(10);

/// W5.
#[derive(Debug, Default)]
pub(super) struct PrivacySlice {
    place: Place,
}

impl PrivacySlice {
    /// Goes on after those that were played.
    pub(super) fn after(past: &Past) -> Self {
        Self { place: Place::at(past.finished(Workload::Privacy)) }
    }
}

impl Worker for PrivacySlice {
    fn name(&self) -> &'static str {
        Workload::Privacy.name()
    }

    fn play(&self, context: Context) -> BoxFuture<'_, Result<(), Fatal>> {
        Box::pin(async move {
            self.place.again();
            let client = context.client.for_workspace(&format!("{}-privacy", context.client.workspace()));
            while let Some(due_ms) = context.plan.privacy_ms.get(self.place.next()).copied() {
                if !context.until(due_ms).await {
                    break;
                }
                self.place.advance();
                let due = self.place.due(context.due(due_ms));
                let cycle = context.recorder.cycle_started(Workload::Privacy, due);
                if toggle(&context, &client, false).await {
                    tokio::time::sleep(context.plan.scenario.privacy.toggle_delay).await;
                    // A canary whose run was cut short proves nothing, and another is sent.
                    let until = clock::now() + CANARIES_LIMIT;
                    for _ in 0..CANARIES_MAX {
                        let proven = send_canary(&context, &client).await;
                        if proven || context.stop.is_requested() || clock::now() >= until {
                            break;
                        }
                    }
                }
                // Back, even where the toggle failed: it may have taken effect without an answer.
                toggle(&context, &client, true).await;
                context.recorder.cycle_finished(Workload::Privacy, cycle);
                self.place.is_free();
            }
            Ok(())
        })
    }
}

async fn toggle(context: &Context, client: &Client, store_plain: bool) -> bool {
    let call = context.of(Workload::Privacy, CallName::TogglePrivacy, client.workspace());
    context.call(call, || client.toggle_privacy(store_plain)).await.is_some()
}

/// Sends a canary; whether it proved anything.
async fn send_canary(context: &Context, client: &Client) -> bool {
    let canary = format!("canary-{}", Uuid::new_v4().simple());
    let new = run::new_run(
        context.agent(),
        "privacy-canary".into(),
        format!("The code word is {canary}, keep it to yourself."),
    );
    let since = context.recorder.mark();
    let places = Places::watch(context, Workload::Privacy, client, Needles::readable(&canary)).await;
    let Ok((run, created)) = run::create(context, Workload::Privacy, client, &new, since).await else { return false };
    places.look_at(client.dialect().route(CallName::CreateRun), &created.text());
    places.watch_run(context, Workload::Privacy, client, &run.id).await;
    let deadline = clock::now() + context.plan.scenario.runs.timeout;
    let mut ending = Ending::Left;
    if run::start(context, Workload::Privacy, client, &run).await.is_ok() {
        // Not only when it is over: what is gone then may have stood there before.
        places.look_at_run(context, Workload::Privacy, client, &run.id).await;
        ending = run::wait_for_end(context, Workload::Privacy, client, &run, deadline).await.0;
    }
    context.board.forget(&run.id);
    if context.stop.is_requested() {
        return false;
    }
    places.look_at_run(context, Workload::Privacy, client, &run.id).await;
    look_elsewhere(context, client, &canary, &places).await;
    let found = places.find(client).await;
    // A run that did not end has not shown all it could, and where nobody could look it may have shown.
    if found.shown.is_empty() && (ending != Ending::Success || !found.unseen.is_empty()) {
        let unseen = found.unseen.join(", ");
        tracing::info!("the canary of run {} proves nothing: it ended as {ending:?}, not looked at: {unseen}", run.id);
        return false;
    }
    context.recorder.count(Counter::CanariesSent, since);
    if !found.shown.is_empty() {
        context.recorder.count(Counter::CanariesLeaked, since);
    }
    for place in found.shown {
        context.recorder.incident_since(Finding::PlaintextLeaked { run: clip(&run.id), place }, since);
    }
    true
}

/// Where else a gateway might put what a run was told: its search, its metrics.
async fn look_elsewhere(context: &Context, client: &Client, canary: &str, places: &Places) {
    let dialect = client.dialect();
    if let Some(spec) = dialect.call(CallName::Search) {
        let call = context.of(Workload::Privacy, CallName::Search, client.workspace());
        if let Some(answer) = context.call(call, || client.search(canary)).await {
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
