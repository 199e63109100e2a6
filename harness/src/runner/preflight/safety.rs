//! Whether the dialect describes the treatment of prompt injections and personal data.

use super::checks::Check;
use crate::{
    catalog::CallName,
    gateway::{Answer, NewRun, RunStanding},
    workload::{INJECTIONS, personal_data},
};

impl Check<'_> {
    /// The dialect must know the status that refuses an injection, or the word that ends its run: else the soak sees no
    /// refusal. An injection that is accepted and succeeds is a finding of the soak.
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

    /// An accepted injection may be blocked at its start, or while it runs.
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

    /// A run with personal data is accepted and masked, or refused. The dialect must allow for a refusal.
    pub(super) async fn send_personal_data(&mut self) -> Option<()> {
        for (kind, value) in personal_data(0) {
            let message = format!("Please file this for the customer: {value}. Thank you.");
            let new = NewRun { message, ..self.new_run() };
            let answer = self.try_once(CallName::CreateRun, &new.fill()).await?;
            let spec = self.spec(CallName::CreateRun)?;
            let status = answer.status;
            let is_refused = answer.is(&spec.refused);
            if !is_refused && (!matches!(status, 400..=499) || self.is_known(&answer)) {
                continue;
            }
            let (mut keys, mut hints) = (Vec::new(), Vec::new());
            if !is_refused {
                let mut refused = spec.refused.clone();
                refused.push(status);
                hints.push(format!("refused = {refused:?}"));
                keys.push("calls.create_run.refused");
            }
            if !self.dialect().refuses_personal_data() {
                hints.push("personal_data = \"refused\"".to_owned());
                keys.push("calls.create_run.personal_data");
            }
            if !keys.is_empty() {
                let hints = hints.join(", ");
                let hint = format!("if that is how the gateway protects such data: [calls.create_run] {hints}");
                self.wrong(format!("a run with personal data ({kind}) was refused, {status}"), &keys, Some(hint));
                break;
            }
        }
        Some(())
    }

    /// Whether the dialect knows the meaning of an answer to creating a run.
    fn is_known(&self, answer: &Answer) -> bool {
        let spec = self.dialect().call(CallName::CreateRun);
        spec.is_some_and(|spec| [&spec.refused, &spec.yes, &spec.wait].iter().any(|known| answer.is(known)))
    }
}
