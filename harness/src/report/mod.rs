//! Renders verdicts: one renderer a file, pure text, and a renderer decides nothing.

mod block;
#[cfg(test)]
mod evidence_tests;
mod failure;
mod folder;
mod heartbeat;
mod junit;
mod look;
mod markdown;
mod number;
mod process;
mod results;
mod snapshot;
mod table;
#[cfg(test)]
mod tests;
mod title;

pub use block::{KPIS_SHOWN, Standing, block, red_line};
pub use failure::failure_text;
pub use folder::RunFolder;
pub use heartbeat::heartbeat_line;
pub use junit::{Stage, junit_xml};
pub use look::Look;
pub use markdown::summary_markdown;
use number::rounded;
pub use results::{ResultsInput, results_json};
pub use snapshot::snapshot_json;
pub use table::kpi_table;
