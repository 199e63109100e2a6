//! Calls whose answer does not show their effect: the effect is looked for.

use std::mem;

use serde_json::json;
use tokio::time::sleep;
use uuid::Uuid;

use super::checks::{Check, LOOK_EVERY, PATIENCE};
use crate::{
    catalog::CallName,
    clock,
    gateway::{NewRun, RunStanding, StreamEvent},
};

impl Check<'_> {
    /// Asks for hash-only, and sends a run a word that its record must not have in the end. This has a workspace of its
    /// own: a call with another effect may leave it in any state.
    pub(super) async fn hash_only(&mut self) -> Option<()> {
        let private = self.client.for_workspace(&format!("{}-privacy", self.client.workspace()));
        let usual = mem::replace(&mut self.client, private);
        let is_asked = self.toggle(false).await.is_some();
        let shows_when_hash_only = if is_asked { self.shows_a_word().await } else { None };
        if shows_when_hash_only == Some(true) {
            self.wrong(
                "what the run was told stands there in plain text, and hash-only was asked for",
                &["calls.toggle_privacy.body"],
                Some("or the gateway keeps it all the same: then plaintext_leaks will be red".to_owned()),
            );
        }
        // Reset also after a failed call, which may have taken effect.
        let is_back = self.toggle(true).await.is_some();
        // A word that neither setting shows is no evidence about the toggle.
        if shows_when_hash_only == Some(false) && is_back && self.shows_a_word().await == Some(false) {
            self.note(
                "a run's record shows what the run was told in neither setting, so it cannot be seen that the toggle takes \
                 effect: are its words, or its place in the body, the gateway's?",
                &["calls.toggle_privacy.body", "calls.toggle_privacy.storage"],
            );
        }
        self.client = usual;
        (is_asked && is_back).then_some(())
    }

    async fn toggle(&mut self, store_plain: bool) -> Option<()> {
        let fill = self.spec(CallName::TogglePrivacy)?.storage(store_plain);
        self.call(CallName::TogglePrivacy, &fill).await.map(drop)
    }

    /// Whether the record of a run shows a word of its input.
    async fn shows_a_word(&mut self) -> Option<bool> {
        // A gateway may take a moment to change its setting.
        sleep(self.settings.scenario.privacy.toggle_delay).await;
        let word = format!("canary-{}", Uuid::new_v4().simple());
        let message = format!("The code word is {word}, keep it to yourself.");
        let id = self.started_with(&NewRun { message, ..self.new_run() }).await?;
        self.until_over(&id).await;
        let answer = self.call(CallName::Run, &[("id", json!(id))]).await?;
        Some(answer.text().contains(&word))
    }

    /// Opens a stream again. If ids belong to the stream, no event of another run has an id of `seen`.
    pub(super) async fn ids_go_on(&mut self, call: CallName, seen: &[StreamEvent]) -> Option<()> {
        if self.dialect().events.ids_are_the_connections || seen.iter().all(|event| event.content.id.is_none()) {
            return Some(());
        }
        let connection = self.open(call, None).await?;
        let id = self.started().await?;
        let events = self.watch(call, connection, &id).await;
        // A repeated event is the same except for its stamp. An event without an id has the id of the event before it.
        let content = |event: &StreamEvent| self.read(call, &id, event).map(|log| log.unstamped);
        let again = events.iter().find(|event| {
            let has_its_id = |known: &&StreamEvent| known.content.id.is_some() && known.content.id == event.content.id;
            let mut known = seen.iter().filter(has_its_id).peekable();
            known.peek().is_some() && known.all(|known| content(known) != content(event))
        });
        if let Some(again) = again.and_then(|event| event.content.id.as_deref()) {
            let hint = "where ids are numbered anew on each connection: events.ids = \"connection\"".to_owned();
            let what = format!("the id {again:?} stands for two events, one on each of two connections");
            self.wrong(what, &["events.ids"], Some(hint));
        }
        Some(())
    }

    /// Waits until a run is over, or its state cannot be read.
    pub(super) async fn until_over(&self, id: &str) {
        let limit = clock::now() + PATIENCE.min(self.settings.scenario.runs.timeout);
        while clock::now() < limit {
            let answer = self.client.run(id).await.ok();
            let waits = self.dialect().call(CallName::Run).map_or(&[][..], |spec| &spec.wait);
            let has_to_wait = answer.as_ref().is_some_and(|answer| answer.is(waits));
            let json =
                answer.filter(|answer| self.client.is_yes(CallName::Run, answer)).and_then(|answer| answer.json());
            let standing = json.map(|json| self.dialect().standing(&self.dialect().run_view(&json)));
            if !has_to_wait && !matches!(standing, Some(RunStanding::Waiting | RunStanding::UnderWay)) {
                return;
            }
            sleep(LOOK_EVERY).await;
        }
    }
}
