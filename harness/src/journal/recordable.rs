//! A finding as it may be recorded: its kind, whether all of that kind are kept, and the finding redacted, bounded, and on one
//! line.

use super::{Finding, clip::clip_to};

/// No text of an incident is longer, wherever it comes from.
const BOUNDED_CHARS_MAX: usize = 1_024;
/// Fields whose texts are words of S2's own or of the dialect, which judges look for.
const WORDS: [&str; 7] = ["kind", "workload", "worker", "chaos", "route", "source", "name"];

impl Finding {
    /// The kind, as the journal writes it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.into()
    }

    /// Whether it is kept however many of its kind there are. The plan or a limit bounds how many of these there can be.
    #[must_use]
    pub const fn is_always_kept(&self) -> bool {
        matches!(
            self,
            Self::VersionFound { .. }
                | Self::RoundTripsBefore { .. }
                | Self::ChaosInjected { .. }
                | Self::ChaosSeen { .. }
                | Self::ChaosRecovered { .. }
                | Self::ChaosNotRecovered { .. }
                | Self::WindowClosed { .. }
                | Self::Heartbeat { .. }
                | Self::WorkerPanicked { .. }
                | Self::WorkerGaveUp { .. }
                | Self::WorkerDone { .. }
                | Self::Fatal { .. }
                | Self::Hole { .. }
        )
    }

    /// The same as it may be recorded: without what `redact` takes out of its texts (none where there is nothing), with no
    /// text longer than a journal should carry, and on one line: much of it comes from a gateway.
    #[must_use]
    pub fn recordable(self, redact: impl Fn(&str) -> Option<String>) -> Self {
        // What stopped a session is the harness's own text, and is kept whole.
        let chars_max = if matches!(self, Self::Fatal { .. }) { usize::MAX } else { BOUNDED_CHARS_MAX };
        let recordable = serde_json::to_value(&self).map(|mut json| {
            change_texts(&mut json, &|text| {
                let redacted = redact(text);
                let text = redacted.as_deref().unwrap_or(text);
                if chars_max == usize::MAX { text.to_owned() } else { clip_to(text, chars_max) }
            });
            json
        });
        recordable.and_then(serde_json::from_value).unwrap_or(self)
    }
}

fn change_texts(finding: &mut serde_json::Value, change: &impl Fn(&str) -> String) {
    let fields = finding.as_object_mut().into_iter().flatten();
    for (_, value) in fields.filter(|(name, _)| !WORDS.contains(&name.as_str())) {
        if let serde_json::Value::String(text) = value {
            *text = change(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Workload;

    #[test]
    fn what_is_redacted_is_a_finding_still_whatever_the_word_is() {
        let finding = Finding::RequestFailed {
            workload: Workload::Registry,
            route: "POST /x".into(),
            subject: "1.0".into(),
            answer: "401 request_failed registry w3".into(),
        };
        assert_eq!(serde_json::to_value(&finding).unwrap()["kind"], finding.kind());
        for word in ["request_failed", "registry", "w3_registry_pulse", "kind", "401", "e"] {
            let recorded = finding.clone().recordable(|text| text.contains(word).then(|| text.replace(word, "***")));
            let Finding::RequestFailed { workload: Workload::Registry, answer, .. } = recorded else {
                panic!("{word}: {recorded:?}")
            };
            assert!(!answer.contains(word), "{word}: {answer}");
        }
    }
}
