//! The problems of the settings, all reported at once.

use std::fmt;

use super::spans::Spans;

/// The settings cannot be used. All problems are in it, not just the first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct SettingsError {
    /// At least one.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong, where, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, or "the environment".
    pub place: String,
    /// The key within it, from the top: `w2_sse_churn.streams`. Empty where it is about the whole place.
    pub key: String,
    /// The fault, and the valid form.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            write!(f, "{}: {}", self.place, self.what)
        } else {
            write!(f, "{}: `{}` {}", self.place, self.key, self.what)
        }
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.len() {
            1 => write!(f, "the settings have a problem:")?,
            n => write!(f, "the settings have {n} problems:")?,
        }
        for problem in &self.problems {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

/// Where problems are gathered.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<Problem>);

impl Problems {
    pub(super) fn add(&mut self, place: &str, key: &str, what: impl Into<String>) {
        self.0.push(Problem { place: place.to_owned(), key: key.to_owned(), what: what.into() });
    }

    /// Takes over what was found in a file, each with its line.
    pub(super) fn take_over(&mut self, found: Self, spans: &Spans) {
        self.0.extend(found.0.into_iter().map(|problem| {
            let line = spans.line(&problem.key).map_or_else(String::new, |line| format!(":{line}"));
            Problem { place: format!("{}{line}", problem.place), ..problem }
        }));
    }

    /// # Errors
    /// Where there are any.
    pub(super) fn none(self) -> Result<(), SettingsError> {
        if self.0.is_empty() { Ok(()) } else { Err(SettingsError { problems: self.0 }) }
    }
}

/// "did you mean `x`?", where some known name is near enough; else all of them.
pub(super) fn suggestion<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    match nearest(name, known.iter().copied()) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None if known.is_empty() => "nothing is known here".to_owned(),
        None => format!("there are {}", known.join(", ")),
    }
}

/// The known name that was most likely meant.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = known.map(|known| (strsim::jaro_winkler(name, known), known)).filter(|(nearness, _)| *nearness > 0.8);
    near.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, nearest)| nearest)
}
