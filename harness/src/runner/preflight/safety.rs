//! The safety layer's treatment of prompt injections and personal data, and whether the dialect describes it.

use super::checks::Check;
use crate::{
    catalog::CallName,
    gateway::{Answer, NewRun, RunStanding},
    workload::{INJECTIONS, personal_data},
};

impl Check<'_> {
    /// An injection has to be refused by a status that the dialect knows, or its run by a word that it knows: else the soak
    /// sees neither. One that is accepted and succeeds is a finding of the soak's, and no line of the dialect's.
    pub(super) async fn inject(&mut self) -> Option<()> {
        let (_, prompt) = INJECTIONS[0];
        let new = NewRun { message: prompt.to_owned(), ..self.new_run() };
        let answer = self.try_once(CallName::CreateRun, &new.fill()).await?;
        let spec = self.spec(CallName::CreateRun)?;
        if !answer.is(&spec.refused) {
            let harmless = self.try_once(CallName::CreateRun, &self.new_run().fill()).await;
            if self.is_refused_by_a_code("a prompt injection", (&answer, harmless.as_ref())) {
                return Some(());
            }
        }
        if answer.is(&spec.yes) {
            return self.is_blocked_later(&answer, &new).await;
        }
        if !self.is_known(&answer) {
            let (status, refused) = (answer.status, spec.refused);
            let what =
                format!("a prompt injection was answered {status}, none of the statuses that refuse, {refused:?}");
            self.wrong(what, &["calls.create_run.refused"], None);
        }
        Some(())
    }

    /// An injection that was accepted may be blocked when it is started, or while it is under way.
    async fn is_blocked_later(&mut self, created: &Answer, new: &NewRun) -> Option<()> {
        let named = created.json().and_then(|json| self.dialect().run_id_of(&json));
        let id = named.unwrap_or_else(|| new.id.clone());
        if self.dialect().has(CallName::StartRun) {
            let answer = self.try_once(CallName::StartRun, &[("id", id.clone().into())]).await?;
            if !self.client.is_yes(CallName::StartRun, &answer) {
                return Some(());
            }
        }
        self.until_over(&id).await;
        let answer = self.try_once(CallName::Run, &[("id", id.into())]).await?;
        let view = self.dialect().run_view(&answer.json()?);
        let word = match self.dialect().standing(&view) {
            RunStanding::Failed(word) if !self.dialect().was_refused(&view) => format!("'{word}'"),
            RunStanding::Unknown(what) => what,
            _ => return Some(()),
        };
        self.wrong(
            format!("a prompt injection was accepted, and its run ended as {word}"),
            &["run_states.refused"],
            Some("if the safety layer stopped it, the word belongs into this list".to_owned()),
        );
        Some(())
    }

    /// A run with personal data is accepted and masked, or refused: the dialect has to say whether that is possible.
    pub(super) async fn send_personal_data(&mut self) -> Option<()> {
        for (kind, value) in personal_data(0) {
            let message = format!("Please file this for the customer: {value}. Thank you.");
            let new = NewRun { message, ..self.new_run() };
            let answer = self.try_once(CallName::CreateRun, &new.fill()).await?;
            let spec = self.spec(CallName::CreateRun)?;
            let status = answer.status;
            let is_refusal = answer.is(&spec.refused) || matches!(status, 400..=499) && !self.is_known(&answer);
            if !is_refusal {
                continue;
            }
            let mut keys = Vec::new();
            let mut hints = Vec::new();
            if !answer.is(&spec.refused) {
                let mut refused = spec.refused.clone();
                refused.push(status);
                hints.push(format!("refused = {refused:?}"));
                keys.push("calls.create_run.refused");
            }
            if !self.dialect().refuses_personal_data() {
                hints.push("personal_data = \"refused\"".to_owned());
                keys.push("calls.create_run.personal_data");
            }
            if keys.is_empty() {
                continue;
            }
            let hint =
                format!("if that is how the gateway protects such data: [calls.create_run] {}", hints.join(", "));
            self.wrong(format!("a run with personal data ({kind}) was refused, {status}"), &keys, Some(hint));
            return Some(());
        }
        Some(())
    }

    /// Whether the dialect knows what an answer to creating a run means.
    fn is_known(&self, answer: &Answer) -> bool {
        let spec = self.dialect().call(CallName::CreateRun);
        spec.is_some_and(|spec| [&spec.refused, &spec.yes, &spec.wait].iter().any(|known| answer.is(known)))
    }
}
