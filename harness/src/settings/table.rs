//! A typed reader of TOML tables. It gathers problems and goes on, so that all are reported at once.

use std::{collections::BTreeSet, ops::RangeInclusive, time::Duration};

use bytesize::ByteSize;
use toml::{Table, Value};

use super::problem::{Problems, suggestion};

/// A table, and the keys that were asked for; any other key is a problem.
pub(super) struct TableReader<'a> {
    file: &'a str,
    /// The table's path and a dot; empty for the whole file.
    prefix: String,
    table: Table,
    asked: BTreeSet<String>,
    problems: &'a Problems,
}

impl<'a> TableReader<'a> {
    /// The whole file.
    pub(super) fn new(file: &'a str, table: Table, problems: &'a Problems) -> Self {
        Self { file, prefix: String::new(), table, asked: BTreeSet::new(), problems }
    }

    /// A table within, empty where it is not there.
    pub(super) fn table(&mut self, key: &str) -> Self {
        let table = self.value(key, "a table", |value| value.as_table().cloned()).unwrap_or_default();
        let prefix = format!("{}{key}.", self.prefix);
        Self { file: self.file, prefix, table, asked: BTreeSet::new(), problems: self.problems }
    }

    /// The result of `read` for a table within, whose other keys are problems.
    pub(super) fn within<T>(&mut self, key: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        let mut table = self.table(key);
        let read = read(&mut table);
        table.done();
        read
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
        let right = format!("a size from \"{}\" to \"{}\"", bounds.start(), bounds.end());
        let read = |value: &Value| value.as_str()?.parse::<ByteSize>().ok().filter(|size| bounds.contains(size));
        self.value(key, &right, read).and_then(|size| size.as_u64().try_into().ok()).unwrap_or(default)
    }

    /// A whole number; the default where it is not there.
    pub(super) fn number(&mut self, key: &str, bounds: RangeInclusive<u32>, default: u32) -> u32 {
        let right = format!("a whole number from {} to {}", bounds.start(), bounds.end());
        let read = |value: &Value| u32::try_from(value.as_integer()?).ok().filter(|n| bounds.contains(n));
        self.value(key, &right, read).unwrap_or(default)
    }

    /// A number, whole or not, where the key is there.
    pub(super) fn float(&mut self, key: &str) -> Option<f64> {
        self.value(key, "a number", |value| value.as_float().or_else(|| Some(value.as_integer()? as f64)))
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

    /// A list of texts; empty where it is not there.
    pub(super) fn words(&mut self, key: &str) -> Vec<String> {
        let word = |item: &Value| item.as_str().map(str::to_owned);
        let read = |value: &Value| value.as_array()?.iter().map(word).collect();
        self.value(key, "a list of texts in quotes", read).unwrap_or_default()
    }

    /// A list of HTTP statuses; empty where it is not there.
    pub(super) fn statuses(&mut self, key: &str) -> Vec<u16> {
        let read = |value: &Value| value.as_array()?.iter().map(status).collect();
        self.value(key, "a list of statuses from 100 to 999", read).unwrap_or_default()
    }

    /// An HTTP status, where the key is there.
    pub(super) fn status(&mut self, key: &str) -> Option<u16> {
        self.value(key, "a status from 100 to 999", status)
    }

    /// The result of `read` for a key's value, if the key exists. If it is none, a problem names the `right` form.
    fn value<T>(&mut self, key: &str, right: &str, read: impl FnOnce(&Value) -> Option<T>) -> Option<T> {
        self.asked.insert(key.to_owned());
        let value = self.table.remove(key)?;
        let read = read(&value);
        if read.is_none() {
            self.problem(key, format!("is {value}; it should be {right}"));
        }
        read
    }

    /// The table's keys, in order.
    pub(super) fn keys(&self) -> Vec<String> {
        self.table.keys().cloned().collect()
    }

    /// Adds a problem of a key; of the table itself where the key is empty.
    pub(super) fn problem(&self, key: &str, what: impl Into<String>) {
        let path = format!("{}{key}", self.prefix);
        self.problems.add(self.file, path.trim_end_matches('.'), what);
    }

    /// Every key that was not asked for is a problem.
    pub(super) fn done(self) {
        for key in self.table.keys() {
            let near = suggestion(key, self.asked.iter().map(String::as_str));
            self.problem(key, format!("is no setting; {near}"));
        }
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
