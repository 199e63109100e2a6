//! Calls whose answer says nothing of what they did: whether it was done is looked for.

use serde_json::json;
use tokio::time::sleep;
use uuid::Uuid;

use super::checks::{Check, LOOK_EVERY, PATIENCE};
use crate::{
    clock,
    gateway::{CallName, NewRun, RunStanding, StreamEvent},
};

impl Check<'_> {
    /// Asks for hash-only, and sends a run a word that must not stand there in the end.
    pub(super) async fn hash_only(&mut self) -> Option<()> {
        self.call(CallName::TogglePrivacy, &[("store_plain", json!(false)), ("hash_only", json!(true))]).await?;
        // A gateway may take a moment.
        sleep(self.settings.scenario.privacy.toggle_delay).await;
        let word = format!("canary-{}", Uuid::new_v4().simple());
        let id = self.run_that_is_told(&format!("The code word is {word}, keep it to yourself.")).await;
        if let Some(id) = id
            && self.dialect().has(CallName::Run)
        {
            self.until_over(&id).await;
            let answer = self.call(CallName::Run, &[("id", json!(id))]).await;
            if answer.is_some_and(|answer| answer.text().contains(&word)) {
                self.wrong(
                    "what the run was told stands there in plain text, and hash-only was asked for",
                    &["calls.toggle_privacy.body"],
                    Some("or the gateway keeps it all the same: then plaintext_leaks will be red".to_owned()),
                );
            }
        }
        self.call(CallName::TogglePrivacy, &[("store_plain", json!(true)), ("hash_only", json!(false))]).await.map(drop)
    }

    /// Opens a stream again, and holds the ids of another run's events against those that were seen: where ids are the
    /// stream's, no two events have the same.
    pub(super) async fn ids_go_on(&mut self, call: CallName, seen: &[StreamEvent]) -> Option<()> {
        if self.dialect().events.ids_are_the_connections || seen.iter().all(|event| event.id.is_none()) {
            return Some(());
        }
        let connection = self.open(call, None).await?;
        let id = self.started().await?;
        let events = self.watch(call, connection, &id).await;
        let again = events.iter().find_map(|event| {
            let known = seen.iter().find(|known| known.id.is_some() && known.id == event.id)?;
            (known.data != event.data).then(|| event.id.clone().unwrap_or_default())
        });
        if let Some(again) = again {
            let hint = "where ids are numbered anew on each connection: events.ids = \"connection\"".to_owned();
            let what = format!("the id {again:?} stands for two events, one on each of two connections");
            self.wrong(what, &["events.ids"], Some(hint));
        }
        Some(())
    }

    /// Starts a run with this as its message.
    async fn run_that_is_told(&mut self, message: &str) -> Option<String> {
        let new = NewRun { message: message.to_owned(), ..self.new_run() };
        let id = self.create_run(&new).await?;
        if self.dialect().has(CallName::StartRun) {
            self.call(CallName::StartRun, &[("id", json!(id))]).await?;
        }
        Some(id)
    }

    /// Waits until a run is over, or nobody can say whether it is.
    pub(super) async fn until_over(&self, id: &str) {
        let limit = clock::now() + PATIENCE;
        while clock::now() < limit {
            let answer = self.client.run(id).await.ok();
            let json =
                answer.filter(|answer| self.client.is_yes(CallName::Run, answer)).and_then(|answer| answer.json());
            let standing = json.map(|json| self.dialect().standing(&self.dialect().run_view(&json)));
            if !matches!(standing, Some(RunStanding::Waiting | RunStanding::UnderWay)) {
                return;
            }
            sleep(LOOK_EVERY).await;
        }
    }
}
