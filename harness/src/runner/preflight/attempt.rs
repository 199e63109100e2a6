//! Requests, their answers, the errors in them, and the lines of the dialect to change.

use std::{fmt, time::Duration};

use crate::{
    gateway::{Answer, Dialect, Trouble},
    journal::clip,
};

/// Characters of an answer that are shown: enough to find a field.
const BODY_CHARS_MAX: usize = 2_000;

/// The tries of one trial, one after another.
#[derive(Debug, Default)]
pub(super) struct Attempts(Vec<Attempt>);

#[derive(Debug)]
struct Attempt {
    sent: String,
    came: String,
    wrong: Vec<Remark>,
    /// Observations that are not wrong.
    notes: Vec<Remark>,
}

#[derive(Debug)]
struct Remark {
    what: String,
    /// Lines of the dialect to change or to write, and other remedies.
    lines: Vec<String>,
}

impl Attempts {
    /// A request and its answer.
    pub(super) fn answered(&mut self, sent: String, outcome: &Result<Answer, Trouble>, took: Duration) {
        let ms = took.as_millis();
        let came = match outcome {
            Ok(answer) => {
                let text: String = answer.text().chars().take(BODY_CHARS_MAX).collect();
                let location = answer.location.as_deref().map_or(String::new(), |to| format!(" to {}", clip(to)));
                format!("{}{location} after {ms} ms\n{}", answer.status, printable(&text))
            }
            Err(trouble) => format!("nothing after {ms} ms: {}", trouble.text),
        };
        self.0.push(Attempt { sent, came, wrong: Vec::new(), notes: Vec::new() });
    }

    /// Another attempt and its result.
    pub(super) fn came(&mut self, sent: String, came: String) {
        self.0.push(Attempt { sent, came: printable(&came), wrong: Vec::new(), notes: Vec::new() });
    }

    /// The last attempt is wrong: these keys of the dialect would have to change.
    pub(super) fn wrong(&mut self, dialect: &Dialect, what: impl Into<String>, keys: &[&str], hint: Option<String>) {
        let lines = keys.iter().map(|key| format!("{key} ({})", dialect.place_of(key)));
        let wrong = Remark { what: what.into(), lines: lines.chain(hint).collect() };
        if self.0.is_empty() {
            self.came(String::new(), String::new());
        }
        if let Some(last) = self.0.last_mut() {
            last.wrong.push(wrong);
        }
    }

    /// The last attempt shows a habit. A dialect may describe it with these lines.
    pub(super) fn note(&mut self, what: impl Into<String>, write: &[&str]) {
        if let Some(last) = self.0.last_mut() {
            let lines = write.iter().map(|key| printable(key)).collect();
            last.notes.push(Remark { what: printable(&what.into()), lines });
        }
    }

    /// All attempts as text; an error if any is wrong.
    pub(super) fn into_result(self) -> Result<String, String> {
        let is_right = self.0.iter().all(|attempt| attempt.wrong.is_empty());
        if is_right { Ok(self.to_string()) } else { Err(self.to_string()) }
    }
}

impl fmt::Display for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Attempt { sent, came, wrong, notes } in &self.0 {
            block(f, "sent", sent)?;
            block(f, "came", came)?;
            let wrong = wrong.iter().map(|remark| ("wrong", "change", remark));
            let notes = notes.iter().map(|remark| ("note", "write", remark));
            for (word, remedy, Remark { what, lines }) in wrong.chain(notes) {
                block(f, word, what)?;
                block(f, remedy, &lines.join("\n"))?;
            }
        }
        Ok(())
    }
}

/// A word with lines beside it.
fn block(f: &mut fmt::Formatter<'_>, word: &str, lines: &str) -> fmt::Result {
    for (n, line) in lines.lines().filter(|line| !line.trim().is_empty()).enumerate() {
        writeln!(f, "  {:<7} {line}", if n == 0 { word } else { "" })?;
    }
    Ok(())
}

/// Replaces control characters, which a terminal would obey. Line breaks stay.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}
