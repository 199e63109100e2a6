//! The problems of the settings, all reported at once.

use std::{cell::RefCell, fmt};

use super::spans::Spans;

/// All problems of settings that cannot be used; at least one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct SettingsError(Vec<Problem>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Problem {
    /// The file, with the line where it is known, or "the environment".
    place: String,
    /// The key from the top: `w2_sse_churn.streams`. Empty for the whole place.
    key: String,
    /// The fault, and the valid form.
    what: String,
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
        match self.0.len() {
            1 => write!(f, "the settings have a problem:")?,
            n => write!(f, "the settings have {n} problems:")?,
        }
        for problem in &self.0 {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

/// Gathers problems.
#[derive(Debug, Default)]
pub(super) struct Problems(RefCell<Vec<Problem>>);

impl Problems {
    pub(super) fn add(&self, place: &str, key: &str, what: impl Into<String>) {
        self.0.borrow_mut().push(Problem { place: place.to_owned(), key: key.to_owned(), what: what.into() });
    }

    /// Takes over the problems of a file, each with its line.
    pub(super) fn take_over(&self, found: Self, spans: &Spans) {
        self.0.borrow_mut().extend(found.0.into_inner().into_iter().map(|problem| {
            let line = spans.line(&problem.key).map_or_else(String::new, |line| format!(":{line}"));
            Problem { place: format!("{}{line}", problem.place), ..problem }
        }));
    }

    /// Fails with the problems, if there are any.
    pub(super) fn none(self) -> Result<(), SettingsError> {
        let problems = self.0.into_inner();
        if problems.is_empty() { Ok(()) } else { Err(SettingsError(problems)) }
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
