//! Why nothing can be taken of a metric, and lines that cannot be read.

use std::fmt;

/// Lines that are quoted. Of more, only their number is kept.
const QUOTED_MAX: usize = 8;
/// Characters of a line that are quoted.
const QUOTED_CHARS_MAX: usize = 120;

/// Why nothing can be taken of a metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unusable {
    /// The same series comes twice.
    Twice,
    /// A value is not a number, or not a finite one.
    NoNumber,
    /// One of its lines cannot be read, so that every sum over its series would be wrong.
    Unread(UnreadLine),
    /// It is a summary: its quantiles are of a time that nobody knows, and those of several series cannot be put together.
    Summary,
    /// It is a native histogram, which the text formats cannot carry in full.
    NativeHistogram,
    /// It is a gauge histogram: what it holds now says nothing about what it held between two scrapes.
    GaugeHistogram,
    /// The values over the last bound are not counted: there is neither a bucket `+Inf` nor a count.
    NoLastBucket,
    /// It has series whose buckets have no bound in common.
    DifferentBounds,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Twice => f.write_str("has a series twice"),
            Self::NoNumber => f.write_str("has a value that is no finite number"),
            Self::Unread(line) => write!(f, "has a line that cannot be read, {line}"),
            Self::Summary => f.write_str("is a summary, and a histogram is needed"),
            Self::NativeHistogram => f.write_str("is a native histogram, and one with buckets is needed"),
            Self::GaugeHistogram => f.write_str("is a gauge histogram, and a histogram is needed"),
            Self::NoLastBucket => f.write_str("has neither a bucket le=\"+Inf\" nor a count"),
            Self::DifferentBounds => f.write_str("has series whose buckets have no bound in common"),
        }
    }
}

/// A line that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadLine {
    /// Its number, from 1.
    pub number: usize,
    /// Its beginning.
    pub text: String,
    /// The fault of the line.
    pub why: &'static str,
}

impl UnreadLine {
    pub(super) fn new(number: usize, text: &str, why: &'static str) -> Self {
        let text = text.trim_end_matches('\r').chars().take(QUOTED_CHARS_MAX).collect();
        Self { number, text, why }
    }
}

impl fmt::Display for UnreadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {} in `{}`", self.number, self.why, self.text)
    }
}

/// The lines of a text that cannot be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnreadLines {
    /// How many there are.
    pub count: usize,
    /// The first few.
    pub first: Vec<UnreadLine>,
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
