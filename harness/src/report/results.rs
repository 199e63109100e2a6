//! The results file.
use std::collections::BTreeMap;

use crate::{
    journal::Header,
    judge::{Digest, Verdicts},
};

/// What the results are made of.
#[derive(Debug, Clone, Copy)]
pub struct ResultsInput<'a> {
    /// The journal's header: what was to be played, against what.
    pub header: &'a Header,
    /// What was recorded so far.
    pub digest: &'a Digest,
    /// What is said of it.
    pub verdicts: &'a Verdicts,
    /// KPIs that are not judged, by name, and why.
    pub waived: &'a BTreeMap<String, String>,
}

/// The results as JSON, for people and `jq`. The same input gives the same bytes.
#[must_use]
pub fn results_json(input: &ResultsInput<'_>) -> String {
    serde_json::to_string_pretty(input.verdicts).expect("verdicts are plain data")
}
