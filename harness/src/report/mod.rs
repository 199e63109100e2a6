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
mod heartbeat;
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

pub use block::{SoakStanding, block, red_line};
pub use comparison::comparison_table;
pub use failure::failure_text;
pub use file_input::{FileInput, Glance};
pub use files::{Occasion, OutputFile, files};
pub use folder::RunFolder;
pub use heartbeat::heartbeat_line;
pub use junit::junit_xml;
pub use look::TerminalLook;
pub use markdown::summary_markdown;
#[cfg(test)]
pub(crate) use notes::reason_text;
use number::rounded;
pub use page::{live_html, live_json, report_html};
pub use prometheus::{PROMETHEUS_CONTENT_TYPE, prometheus_text};
pub use results::results_json;
pub use snapshot::snapshot_json;
pub use table::kpi_table;
