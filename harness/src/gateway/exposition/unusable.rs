//! The reasons why a metric cannot be used, and lines that cannot be read.

use std::fmt;

/// Maximum number of quoted lines. Further ones are counted.
const QUOTED_MAX: usize = 8;
/// Maximum number of quoted characters of a line.
const QUOTED_CHARS_MAX: usize = 120;

/// The reason why a metric cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// The same series comes twice.
    #[error("has a series twice")]
    Twice,
    /// A value is not a finite number.
    #[error("has a value that is no finite number")]
    NoNumber,
    /// A line cannot be read, so every sum over the series would be wrong.
    #[error("has a line that cannot be read, {0}")]
    Unread(UnreadLine),
    /// The time of a summary's quantiles is not known, and those of several series cannot be combined.
    #[error("is a summary, and a histogram is needed")]
    Summary,
    /// The text formats cannot carry a native histogram in full.
    #[error("is a native histogram, and one with buckets is needed")]
    NativeHistogram,
    /// The present content of a gauge histogram says nothing about the time between two scrapes.
    #[error("is a gauge histogram, and a histogram is needed")]
    GaugeHistogram,
    /// The values over the last bound are not counted.
    #[error("has neither a bucket le=\"+Inf\" nor a count")]
    NoLastBucket,
    /// The buckets of its series have no bound in common.
    #[error("has series whose buckets have no bound in common")]
    DifferentBounds,
}

/// A line that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {number}: {why} in `{text}`")]
pub struct UnreadLine {
    /// From 1.
    pub(crate) number: usize,
    /// The beginning of the line.
    pub(crate) text: String,
    pub(crate) why: &'static str,
}

impl UnreadLine {
    pub(super) fn new(number: usize, text: &str, why: &'static str) -> Self {
        let text = text.trim_end_matches('\r').chars().take(QUOTED_CHARS_MAX).collect();
        Self { number, text, why }
    }
}

/// The lines of a text that cannot be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnreadLines {
    pub(crate) count: usize,
    pub(crate) first: Vec<UnreadLine>,
}

impl UnreadLines {
    pub(super) fn add(&mut self, line: UnreadLine) {
        self.count += 1;
        if self.first.len() < QUOTED_MAX {
            self.first.push(line);
        }
    }
}

impl fmt::Display for UnreadLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(first) = self.first.first() {
            write!(f, "{first}")?;
        }
        if self.count > 1 { write!(f, " (and {} lines more)", self.count - 1) } else { Ok(()) }
    }
}
