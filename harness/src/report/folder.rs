//! The paths of a soak's files. No file is read or written here.

use std::path::{Path, PathBuf};

use crate::catalog::Suite;

/// The occasion for writing output files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// The files are in the soak's folder.
    Played,
    /// A stored journal is judged again. The files are beside its folder, which stays as its session left it.
    JudgedAgain,
}

/// The folder of one soak, `<root>/<suite>-<stamp>/`, and the names in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    root: PathBuf,
    suite: Suite,
    stamp: String,
}

impl RunFolder {
    /// The folder under the root `out` of a soak that began at `stamp`, a UTC time in the form of file names.
    pub(crate) fn new(out: &Path, suite: Suite, stamp: &str) -> Self {
        Self { root: out.to_owned(), suite, stamp: stamp.to_owned() }
    }

    /// The folder at a path, if its name is a suite and a stamp.
    pub(crate) fn from_path(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let (suite, stamp) = name.split_once('-')?;
        let suite = Suite::from_name(suite)?;
        let root = path.parent().unwrap_or(Path::new(""));
        (!stamp.is_empty()).then(|| Self::new(root, suite, stamp))
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.root.join(format!("{}-{}", self.suite, self.stamp))
    }

    pub(crate) const fn suite(&self) -> Suite {
        self.suite
    }

    pub(crate) fn stamp(&self) -> &str {
        &self.stamp
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.path().join("journal.ndjson")
    }

    /// The state that a session needs beyond the journal to take over; removed after the end.
    pub(crate) fn checkpoint(&self) -> PathBuf {
        self.path().join("checkpoint.json")
    }

    /// Disk space for the last records of a soak; removed after the end.
    pub(crate) fn reserve(&self) -> PathBuf {
        self.path().join("reserve")
    }

    /// The report, rewritten while the soak goes on.
    pub(crate) fn report(&self) -> PathBuf {
        self.path().join("report.html")
    }

    /// The file with the URL of the live page, while there is one.
    pub(crate) fn live_url(&self) -> PathBuf {
        self.path().join("live-url")
    }

    /// The results, rewritten while the soak goes on.
    pub(crate) fn results(&self) -> PathBuf {
        self.path().join(format!("s2-{}-results-{}.json", self.suite, self.stamp))
    }

    /// An output file, by its kind. Only the results have `-results-` in their name: programs find them by that.
    pub(crate) fn output(&self, occasion: Occasion, kind: &str, extension: &str) -> PathBuf {
        let (suite, stamp) = (self.suite, &self.stamp);
        match occasion {
            Occasion::Played => self.path().join(format!("s2-{suite}-{kind}-{stamp}.{extension}")),
            Occasion::JudgedAgain => self.root.join(format!("s2-{suite}-rejudged-{kind}-{stamp}.{extension}")),
        }
    }

    /// The results of judging the journal again: beside the soak's folder, which stays as its session left it.
    pub(crate) fn rejudged(&self) -> PathBuf {
        self.root.join(format!("s2-{}-rejudged-{}.json", self.suite, self.stamp))
    }

    /// The stamp in the name of a results file; none for any other file.
    pub(crate) fn stamp_of_results(file_name: &str) -> Option<&str> {
        let (suite, stamp) = file_name.strip_prefix("s2-")?.strip_suffix(".json")?.split_once("-results-")?;
        Suite::from_name(suite).map(|_| stamp)
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.path().join("s2-logs")
    }

    /// The newest log, beside older ones.
    pub(crate) fn log(&self) -> PathBuf {
        self.logs().join(format!("s2-{}-{}.log", self.suite, self.stamp))
    }

    /// The snapshot of a scenario minute.
    pub(crate) fn snapshot(&self, minute: u64) -> PathBuf {
        self.path().join(format!("s2-snapshot-S2-{minute:02}-{}.json", self.stamp))
    }

    /// The link to the suite's newest folder.
    pub(crate) fn latest_link(&self) -> PathBuf {
        self.root.join(format!("latest-{}", self.suite))
    }
}
