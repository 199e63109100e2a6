//! What a red judgement says to a person who has nothing else at hand.
use crate::{judge::Judgement, plan::Suite};

/// The text of a failed trial: value against target, samples, when it first went wrong, the worst by name, and where the
/// results are. `folder` is the folder of the soak.
#[must_use]
pub fn failure_text(judgement: &Judgement, suite: Suite, folder: &str) -> String {
    format!("{suite} {} {folder}", judgement.name)
}
