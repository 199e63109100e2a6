//! The record of a soak, folded: what judges look at.

pub(in crate::judge) mod bucket_bounds;
pub(in crate::judge) mod digest;
pub(in crate::judge) mod gauge_total;
pub(in crate::judge) mod phase_totals;
pub(in crate::judge) mod process_instances;
pub(in crate::judge) mod process_story;
pub(in crate::judge) mod readiness_series;
pub(in crate::judge) mod story;
pub(in crate::judge) mod violations;
