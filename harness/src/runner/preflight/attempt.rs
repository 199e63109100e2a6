//! Requests, their answers, the errors in these, and the lines of the dialect that would have to change.

use std::{fmt, time::Duration};

use crate::{
    gateway::{Answer, Dialect, Trouble},
    journal::clip,
};

/// Of an answer, so much is shown: enough to find a field in it.
const BODY_CHARS_MAX: usize = 2_000;

/// The tries of one trial, one after another.
#[derive(Debug, Default)]
pub(super) struct Attempts(Vec<Attempt>);

#[derive(Debug)]
struct Attempt {
    sent: String,
    came: String,
    wrong: Vec<WrongFinding>,
    /// Observations that are not wrong, each with the entries that a dialect may have for it.
    notes: Vec<(String, Vec<String>)>,
}

#[derive(Debug)]
struct WrongFinding {
    what: String,
    /// Keys of the dialect, each with the line on which it stands, and what else would help.
    change: Vec<String>,
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

    /// Something that was asked for, and what came of it.
    pub(super) fn came(&mut self, sent: String, came: String) {
        self.0.push(Attempt { sent, came: printable(&came), wrong: Vec::new(), notes: Vec::new() });
    }

    /// The last of them is wrong: these keys of the dialect would have to change.
    pub(super) fn wrong(&mut self, dialect: &Dialect, what: impl Into<String>, keys: &[&str], hint: Option<String>) {
        let lines = keys.iter().map(|key| format!("{key} ({})", dialect.place_of(key)));
        let wrong = WrongFinding { what: what.into(), change: lines.chain(hint).collect() };
        if self.0.is_empty() {
            self.came(String::new(), String::new());
        }
        if let Some(last) = self.0.last_mut() {
            last.wrong.push(wrong);
        }
    }

    /// The last of them shows a habit: what a dialect may say of it.
    pub(super) fn note(&mut self, what: impl Into<String>, write: &[&str]) {
        if let Some(last) = self.0.last_mut() {
            last.notes.push((printable(&what.into()), write.iter().map(|key| printable(key)).collect()));
        }
    }

    /// All of it, for a person: an error where anything is wrong.
    pub(super) fn into_result(self) -> Result<String, String> {
        let is_wrong = self.0.iter().any(|attempt| !attempt.wrong.is_empty());
        let told = self.to_string();
        if is_wrong { Err(told) } else { Ok(told) }
    }
}

impl fmt::Display for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Attempt { sent, came, wrong, notes } in &self.0 {
            block(f, "sent", sent)?;
            block(f, "came", came)?;
            for WrongFinding { what, change } in wrong {
                block(f, "wrong", what)?;
                block(f, "change", &change.join("\n"))?;
            }
            for (what, write) in notes {
                block(f, "note", what)?;
                if !write.is_empty() {
                    block(f, "write", &write.join("\n"))?;
                }
            }
        }
        Ok(())
    }
}

/// A word, and lines beside it.
fn block(f: &mut fmt::Formatter<'_>, word: &str, lines: &str) -> fmt::Result {
    for (n, line) in lines.lines().filter(|line| !line.trim().is_empty()).enumerate() {
        writeln!(f, "  {:<7} {line}", if n == 0 { word } else { "" })?;
    }
    Ok(())
}

/// Replaces control characters, so that a terminal shows them and does not obey them. Line breaks stay.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}
