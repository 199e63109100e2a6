//! The output files that are made of results: the only list of them.

use std::path::PathBuf;

use super::{FileInput, RunFolder, junit_xml, report_html, results_json};

/// The occasion for writing the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// The files are in the soak's folder.
    Played,
    /// A stored journal is judged again. The files are beside its folder, which stays as its session left it.
    JudgedAgain,
}

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
pub(crate) fn files(folder: &RunFolder, occasion: Occasion) -> [OutputFile; 3] {
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
