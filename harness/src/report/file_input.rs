//! What the output files of a soak are rendered from.

use super::Glance;
use crate::{
    history::{ChartSeries, Timeline},
    journal::Header,
    judge::Targets,
    results::Results,
};

/// A soak at one moment.
#[derive(Debug, Clone, Copy)]
pub struct FileInput<'a> {
    /// The journal's header: the plan, the gateway, the settings.
    pub header: &'a Header,
    /// The judgements and their status.
    pub results: &'a Results,
    /// What the soak did so far.
    pub glance: &'a Glance,
    /// What it was like so far, step by step.
    pub series: &'a ChartSeries,
    /// What happened, and when.
    pub timeline: &'a Timeline,
    /// The targets that charts show.
    pub targets: &'a Targets,
    /// The soak's folder, as failures name it, or other words that say where to read on.
    pub folder: &'a str,
}
