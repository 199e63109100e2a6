//! The recorded form of a finding: its kind, whether all of the kind are kept, and its texts redacted, cut, and on one
//! line.

use std::mem;

use serde_json::Value;

use super::{Finding, clip::clip_to};

/// Limit of an incident's texts.
const BOUNDED_CHARS_MAX: usize = 1_024;
/// Fields with words of S2 or of the dialect, which the judge looks for.
const WORDS: [&str; 7] = ["kind", "workload", "worker", "chaos", "route", "source", "name"];

impl Finding {
    /// The kind, as the journal writes it.
    pub(crate) fn kind(&self) -> &'static str {
        self.into()
    }

    /// Whether all of its kind are kept. The plan or a limit bounds their number.
    pub(crate) const fn is_always_kept(&self) -> bool {
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

    /// Redacts its texts by `redact` (none where a text stays) and puts each, cut, on one line: many are a gateway's.
    pub(crate) fn recordable(self, redact: impl Fn(&str) -> Option<String>) -> Self {
        // A fatal error is S2's own text, and is kept whole.
        let is_whole = matches!(self, Self::Fatal { .. });
        let Ok(mut json) = serde_json::to_value(&self) else { return self };
        for (name, value) in json.as_object_mut().into_iter().flatten() {
            if let Value::String(text) = value
                && !WORDS.contains(&name.as_str())
            {
                let redacted = redact(text).unwrap_or_else(|| mem::take(text));
                *text = if is_whole { redacted } else { clip_to(&redacted, BOUNDED_CHARS_MAX) };
            }
        }
        serde_json::from_value(json).unwrap_or(self)
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
