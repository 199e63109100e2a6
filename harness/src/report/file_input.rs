//! What the output files of a soak are rendered from.

use super::{Course, Glance};
use crate::{journal::Header, judge::Targets, results::Results};

/// A soak at one moment.
#[derive(Debug, Clone, Copy)]
pub struct FileInput<'a> {
    /// The journal's header: the plan, the gateway, the settings.
    pub header: &'a Header,
    /// The judgements and their status.
    pub results: &'a Results,
    /// The state of the soak, and what it did so far.
    pub glance: &'a Glance,
    /// What it was like so far, step by step.
    pub course: &'a Course,
    /// The targets that charts show.
    pub targets: &'a Targets,
    /// The soak's folder, as failures name it, or other words that say where to read on.
    pub folder: &'a str,
}
