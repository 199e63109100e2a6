//! The output files that are made of results: the only list of them.

use std::path::PathBuf;

use super::{FileInput, RunFolder, junit_xml, report_html, results_json};

/// The occasion for writing the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// A soak: the files are in its folder.
    Played,
    /// Judging a stored journal again: the files are beside that folder, which stays as its session left it.
    JudgedAgain,
}

/// A file, and what renders it.
#[derive(Debug, Clone)]
pub struct OutputFile {
    path: PathBuf,
    /// Whether rendering takes so long that nobody should wait for it who measures.
    pub is_slow: bool,
    render: fn(&FileInput<'_>) -> String,
}

impl OutputFile {
    /// The place of the file, and its content.
    #[must_use]
    pub fn rendered(self, input: &FileInput<'_>) -> (PathBuf, String) {
        (self.path, (self.render)(input))
    }
}

/// The files, in the order in which they are written. The results are last: where they say that the soak has ended, the other files
/// say so, too.
#[must_use]
pub fn files(folder: &RunFolder, occasion: Occasion) -> [OutputFile; 3] {
    let [junit, report, results] = match occasion {
        Occasion::Played => [folder.junit(), folder.report(), folder.results()],
        Occasion::JudgedAgain => [folder.rejudged_junit(), folder.rejudged().with_extension("html"), folder.rejudged()],
    };
    [
        OutputFile { path: junit, is_slow: false, render: junit_xml },
        OutputFile { path: report, is_slow: true, render: report_html },
        OutputFile { path: results, is_slow: false, render: results_json },
    ]
}
