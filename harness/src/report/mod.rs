//! Renders results: one renderer a file, pure text, and a renderer decides nothing.

mod block;
mod comparison;
#[cfg(test)]
mod evidence_tests;
mod failure;
mod file_input;
mod files;
#[cfg(test)]
pub(crate) mod fixture;
mod folder;
mod junit;
mod look;
mod markdown;
mod notes;
mod number;
mod page;
mod process;
mod prometheus;
mod results;
mod snapshot;
mod table;
#[cfg(test)]
mod tests;
mod title;

pub(crate) use block::{SoakStanding, block, heartbeat_line, red_line};
pub(crate) use comparison::comparison_table;
pub(crate) use failure::failure_text;
pub(crate) use file_input::{FileInput, Glance};
pub(crate) use files::{Occasion, OutputFile, files};
pub use folder::RunFolder;
pub(crate) use junit::junit_xml;
pub(crate) use look::TerminalLook;
pub(crate) use markdown::summary_markdown;
#[cfg(test)]
pub(crate) use notes::reason_text;
use number::rounded;
pub(crate) use page::{live_html, live_json, report_html};
pub(crate) use prometheus::{PROMETHEUS_CONTENT_TYPE, prometheus_text};
pub(crate) use results::results_json;
pub(crate) use snapshot::snapshot_json;
pub(crate) use table::kpi_table;
