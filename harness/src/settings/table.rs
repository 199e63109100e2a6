//! A typed reader over a table of `soak.toml`. It gathers problems and goes on, so that all are reported at once.

use std::{cell::RefCell, collections::BTreeSet, ops::RangeInclusive, time::Duration};

use bytesize::ByteSize;
use toml::{Table, Value};

use super::problem::{Problems, suggestion};

/// One table, and what has been asked of it: what has not is unknown, and so is a problem.
pub(super) struct TableReader<'a> {
    file: &'a str,
    /// The table's own name and a dot; empty for the whole file.
    prefix: String,
    table: Table,
    asked: BTreeSet<String>,
    problems: &'a RefCell<Problems>,
}

impl<'a> TableReader<'a> {
    /// The whole file.
    pub(super) fn new(file: &'a str, table: Table, problems: &'a RefCell<Problems>) -> Self {
        Self { file, prefix: String::new(), table, asked: BTreeSet::new(), problems }
    }

    /// A table within, empty where it is not there.
    pub(super) fn table(&mut self, key: &str) -> Self {
        let table = match self.take(key) {
            None => Table::new(),
            Some(Value::Table(table)) => table,
            Some(other) => {
                self.wrong(key, &other, "a table");
                Table::new()
            }
        };
        let prefix = format!("{}{key}.", self.prefix);
        Self { file: self.file, prefix, table, asked: BTreeSet::new(), problems: self.problems }
    }

    /// A duration as text; the default where it is not there.
    pub(super) fn duration(&mut self, key: &str, bounds: RangeInclusive<Duration>, default: Duration) -> Duration {
        let right = format!("a duration {}", from_to(&bounds));
        self.value(key, &right, |value| duration_within(value, &bounds)).unwrap_or(default)
    }

    /// A duration as text, or an empty text for none; none where it is not there.
    pub(super) fn optional_duration(&mut self, key: &str, bounds: RangeInclusive<Duration>) -> Option<Duration> {
        let right = format!("\"\" for none, or a duration {}", from_to(&bounds));
        let read = |value: &Value| match value.as_str() {
            Some("") => Some(None),
            _ => duration_within(value, &bounds).map(Some),
        };
        self.value(key, &right, read).flatten()
    }

    /// A number of bytes as text, for example `"8 MiB"`; the default where it is not there.
    pub(super) fn size(&mut self, key: &str, bounds: RangeInclusive<ByteSize>, default: usize) -> usize {
        let (least, most) = (bounds.start().to_string(), bounds.end().to_string());
        let size = self.value(key, &format!("a size from {least:?} to {most:?}"), |value| {
            let size = value.as_str()?.parse::<ByteSize>().ok().filter(|size| bounds.contains(size))?;
            usize::try_from(size.as_u64()).ok()
        });
        size.unwrap_or(default)
    }

    /// A whole number; the default where it is not there.
    pub(super) fn number(&mut self, key: &str, bounds: RangeInclusive<u32>, default: u32) -> u32 {
        let right = format!("a whole number from {} to {}", bounds.start(), bounds.end());
        let number =
            self.value(key, &right, |value| u32::try_from(value.as_integer()?).ok().filter(|n| bounds.contains(n)));
        number.unwrap_or(default)
    }

    /// A number, whole or not, where the key is there.
    pub(super) fn float(&mut self, key: &str) -> Option<f64> {
        let whole = |value: &Value| value.as_integer().map(|number| number as f64);
        self.value(key, "a number", |value| value.as_float().or_else(|| whole(value)))
    }

    /// Text, where the key is there.
    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        self.value(key, "text in quotes", |value| value.as_str().map(str::to_owned))
    }

    /// The value of one of several words; that of the first word where the key is missing or has another word.
    pub(super) fn choice<T: Copy>(&mut self, key: &str, words: &[(&str, T)]) -> T {
        let text = self.text(key).unwrap_or_else(|| words[0].0.to_owned());
        let chosen = words.iter().find(|(word, _)| *word == text);
        if chosen.is_none() {
            let quoted: Vec<String> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
            let (last, others) = quoted.split_last().expect("there are words to choose from");
            self.problem(key, format!("is {text:?}; it should be {} or {last}", others.join(", ")));
        }
        chosen.unwrap_or(&words[0]).1
    }

    /// A list of texts, where the key is there.
    pub(super) fn words(&mut self, key: &str) -> Option<Vec<String>> {
        let word = |item: &Value| item.as_str().map(str::to_owned);
        self.value(key, "a list of texts in quotes", |value| value.as_array()?.iter().map(word).collect())
    }

    /// A list of HTTP statuses, where the key is there.
    pub(super) fn statuses(&mut self, key: &str) -> Option<Vec<u16>> {
        self.value(key, "a list of statuses from 100 to 999", |value| value.as_array()?.iter().map(status).collect())
    }

    /// An HTTP status, where the key is there.
    pub(super) fn status(&mut self, key: &str) -> Option<u16> {
        self.value(key, "a status from 100 to 999", status)
    }

    /// The result of `read` for a key's value, if the key exists. If it is none, a problem names the `right` form.
    fn value<T>(&mut self, key: &str, right: &str, read: impl FnOnce(&Value) -> Option<T>) -> Option<T> {
        let value = self.take(key)?;
        let read = read(&value);
        if read.is_none() {
            self.wrong(key, &value, right);
        }
        read
    }

    /// The keys that the table has, in the file's order.
    pub(super) fn keys(&self) -> Vec<String> {
        self.table.keys().cloned().collect()
    }

    /// Puts a problem down to a key; to the table itself where the key is empty.
    pub(super) fn problem(&self, key: &str, what: impl Into<String>) {
        let path = format!("{}{key}", self.prefix);
        self.problems.borrow_mut().add(self.file, path.trim_end_matches('.'), what);
    }

    /// Every key that was not asked for is a problem.
    pub(super) fn done(self) {
        for key in self.table.keys() {
            let near = suggestion(key, self.asked.iter().map(String::as_str));
            self.problem(key, format!("is no setting; {near}"));
        }
    }

    fn take(&mut self, key: &str) -> Option<Value> {
        self.asked.insert(key.to_owned());
        self.table.remove(key)
    }

    fn wrong(&self, key: &str, value: &Value, right: &str) {
        self.problem(key, format!("is {value}; it should be {right}"));
    }
}

fn duration_within(value: &Value, bounds: &RangeInclusive<Duration>) -> Option<Duration> {
    humantime::parse_duration(value.as_str()?).ok().filter(|duration| bounds.contains(duration))
}

fn from_to(bounds: &RangeInclusive<Duration>) -> String {
    format!("from {:?} to {:?}", format_duration(*bounds.start()), format_duration(*bounds.end()))
}

fn status(value: &Value) -> Option<u16> {
    u16::try_from(value.as_integer()?).ok().filter(|code| (100..1_000).contains(code))
}

/// A duration as a person would write it.
pub(super) fn format_duration(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}
