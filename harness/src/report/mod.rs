//! Renders results: one renderer a file, pure text, and a renderer decides nothing. The output files that are made of
//! results are listed here, and nowhere else.

mod block;
mod comparison;
#[cfg(test)]
mod evidence_tests;
mod failure;
mod file_input;
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

use std::path::PathBuf;

pub(crate) use block::{SoakStanding, block, heartbeat_line, red_line};
pub(crate) use comparison::comparison_table;
pub(crate) use failure::failure_text;
pub(crate) use file_input::{FileInput, Glance};
pub(crate) use folder::Occasion;
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

#[derive(Debug, Clone)]
pub(crate) struct OutputFile {
    path: PathBuf,
    /// Whether rendering takes too long for a thread that measures.
    pub(crate) is_slow: bool,
    render: fn(&FileInput<'_>) -> String,
}

impl OutputFile {
    /// The path and the content.
    pub(crate) fn rendered(self, input: &FileInput<'_>) -> (PathBuf, String) {
        (self.path, (self.render)(input))
    }
}

/// The files in the order of writing. Once the last, the results, has the end, the others have it, too.
pub(crate) fn files(folder: &RunFolder, occasion: Occasion) -> Vec<OutputFile> {
    let (report, results) = match occasion {
        Occasion::Played => (folder.report(), folder.results()),
        Occasion::JudgedAgain => (folder.rejudged().with_extension("html"), folder.rejudged()),
    };
    vec![
        OutputFile { path: folder.output(occasion, "junit", "xml"), is_slow: false, render: junit_xml },
        OutputFile { path: report, is_slow: true, render: report_html },
        OutputFile { path: results, is_slow: false, render: results_json },
    ]
}
