//! Files of soaks that are made up.

use super::{FileInput, Glance};
use crate::{
    catalog::Kpi,
    judge::fixtures::soak::Soak,
    plan::Unsupported,
    results::{Results, Stage, Waivers},
};

/// Where failures say to read on.
pub(crate) const FOLDER: &str = "target/soak/full-2026-11-23T10-00-00";

/// A file of a soak, from its first record to its last.
pub(crate) fn rendered(
    soak: &Soak,
    waivers: &Waivers,
    stage: Stage,
    render: impl FnOnce(&FileInput<'_>) -> String,
) -> String {
    let history = &soak.history();
    render(&FileInput {
        header: &soak.header(),
        results: &Results::of(&soak.plan, &soak.targets, history, waivers, stage),
        glance: &Glance::at(&soak.plan, &soak.targets, history),
        series: &history.charts,
        timeline: &history.timeline,
        targets: &soak.targets,
        folder: FOLDER,
    })
}

/// A KPI that the settings waive.
pub(crate) fn waiving(kpi: Kpi, reason: &str) -> Waivers {
    Waivers::new([(kpi, reason.to_owned())].into(), Unsupported::default())
}
