//! Where a soak leaves what it leaves behind. Arithmetic on paths; nothing is read or written here.

use std::path::{Path, PathBuf};

use crate::catalog::Suite;

/// The folder of one soak, `<root>/<suite>-<stamp>/`, and the names in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    root: PathBuf,
    suite: Suite,
    stamp: String,
}

impl RunFolder {
    /// The folder of a soak that began at `stamp` (UTC, as file names carry it) under the root `out`.
    #[must_use]
    pub fn new(out: &Path, suite: Suite, stamp: &str) -> Self {
        Self { root: out.to_owned(), suite, stamp: stamp.to_owned() }
    }

    /// The folder at a path, where its name is a suite and a stamp.
    #[must_use]
    pub fn from_path(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let (suite, stamp) = name.split_once('-')?;
        let suite = Suite::from_name(suite)?;
        let root = path.parent().unwrap_or(Path::new(""));
        (!stamp.is_empty()).then(|| Self::new(root, suite, stamp))
    }

    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.root.join(format!("{}-{}", self.suite, self.stamp))
    }

    /// Which suite was played.
    #[must_use]
    pub const fn suite(&self) -> Suite {
        self.suite
    }

    /// When it began, as file names carry it.
    #[must_use]
    pub fn stamp(&self) -> &str {
        &self.stamp
    }

    /// The record.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.path().join("journal.ndjson")
    }

    /// The state that a session needs beyond the record to take over; removed when the soak has ended.
    #[must_use]
    pub fn checkpoint(&self) -> PathBuf {
        self.path().join("checkpoint.json")
    }

    /// Room that is kept for the last words of a soak; gone when it has ended.
    #[must_use]
    pub fn reserve(&self) -> PathBuf {
        self.path().join("reserve")
    }

    /// The report for people to look at, rewritten while the soak goes on.
    #[must_use]
    pub fn report(&self) -> PathBuf {
        self.path().join("report.html")
    }

    /// Where the live page is, while there is one.
    #[must_use]
    pub fn live_url(&self) -> PathBuf {
        self.path().join("live-url")
    }

    /// The results, rewritten while the soak goes on.
    #[must_use]
    pub fn results(&self) -> PathBuf {
        self.path().join(format!("s2-{}-results-{}.json", self.suite, self.stamp))
    }

    /// The results as JUnit, rewritten with them.
    #[must_use]
    pub fn junit(&self) -> PathBuf {
        self.path().join(format!("s2-{}-junit-{}.xml", self.suite, self.stamp))
    }

    /// The results of judging the journal again: beside the soak's folder, which stays as its session left it.
    #[must_use]
    pub fn rejudged(&self) -> PathBuf {
        self.root.join(format!("s2-{}-rejudged-{}.json", self.suite, self.stamp))
    }

    /// When the soak began whose results a file's name says it holds; none for any other file.
    #[must_use]
    pub fn stamp_of_results(file_name: &str) -> Option<&str> {
        let (suite, stamp) = file_name.strip_prefix("s2-")?.strip_suffix(".json")?.split_once("-results-")?;
        Suite::from_name(suite).map(|_| stamp)
    }

    /// The same as JUnit, beside them.
    #[must_use]
    pub fn rejudged_junit(&self) -> PathBuf {
        self.root.join(format!("s2-{}-rejudged-junit-{}.xml", self.suite, self.stamp))
    }

    /// The folder of the logs.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.path().join("s2-logs")
    }

    /// The newest log; older ones stand beside it.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.logs().join(format!("s2-{}-{}.log", self.suite, self.stamp))
    }

    /// The snapshot of a scenario minute.
    #[must_use]
    pub fn snapshot(&self, minute: u64) -> PathBuf {
        self.path().join(format!("s2-snapshot-S2-{minute:02}-{}.json", self.stamp))
    }

    /// The link beside the folder that names the suite's newest.
    #[must_use]
    pub fn latest_link(&self) -> PathBuf {
        self.root.join(format!("latest-{}", self.suite))
    }
}
