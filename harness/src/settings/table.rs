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
        let Some(value) = self.take(key) else { return default };
        let duration = value.as_str().and_then(|text| humantime::parse_duration(text).ok());
        duration.filter(|duration| bounds.contains(duration)).unwrap_or_else(|| {
            let (least, most) = (format_duration(*bounds.start()), format_duration(*bounds.end()));
            self.wrong(key, &value, &format!("a duration from {least:?} to {most:?}"));
            default
        })
    }

    /// A duration as text, or an empty text for none; none where it is not there.
    pub(super) fn optional_duration(&mut self, key: &str, bounds: RangeInclusive<Duration>) -> Option<Duration> {
        let value = self.take(key)?;
        let text = value.as_str().unwrap_or("?");
        let duration = humantime::parse_duration(text).ok().filter(|duration| bounds.contains(duration));
        if duration.is_none() && !text.is_empty() {
            let (least, most) = (format_duration(*bounds.start()), format_duration(*bounds.end()));
            self.wrong(key, &value, &format!("\"\" for none, or a duration from {least:?} to {most:?}"));
        }
        duration
    }

    /// A number of bytes as text, for example `"8 MiB"`; the default where it is not there.
    pub(super) fn size(&mut self, key: &str, bounds: RangeInclusive<ByteSize>, default: usize) -> usize {
        let Some(value) = self.take(key) else { return default };
        let size = value.as_str().and_then(|text| text.parse::<ByteSize>().ok()).filter(|size| bounds.contains(size));
        size.and_then(|size| usize::try_from(size.as_u64()).ok()).unwrap_or_else(|| {
            let (least, most) = (bounds.start().to_string(), bounds.end().to_string());
            self.wrong(key, &value, &format!("a size from {least:?} to {most:?}"));
            default
        })
    }

    /// A whole number; the default where it is not there.
    pub(super) fn number(&mut self, key: &str, bounds: RangeInclusive<u32>, default: u32) -> u32 {
        let Some(value) = self.take(key) else { return default };
        let number = value.as_integer().and_then(|number| u32::try_from(number).ok());
        number.filter(|number| bounds.contains(number)).unwrap_or_else(|| {
            self.wrong(key, &value, &format!("a whole number from {} to {}", bounds.start(), bounds.end()));
            default
        })
    }

    /// A number, whole or not, where the key is there.
    pub(super) fn float(&mut self, key: &str) -> Option<f64> {
        let value = self.take(key)?;
        #[expect(clippy::cast_precision_loss, reason = "no limit needs more than fifty-two bits")]
        let number = value.as_float().or_else(|| value.as_integer().map(|number| number as f64));
        if number.is_none() {
            self.wrong(key, &value, "a number");
        }
        number
    }

    /// Text, where the key is there.
    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        match self.take(key)? {
            Value::String(text) => Some(text),
            other => {
                self.wrong(key, &other, "text in quotes");
                None
            }
        }
    }

    /// A list of texts, where the key is there.
    pub(super) fn words(&mut self, key: &str) -> Option<Vec<String>> {
        self.list(key, "a list of texts in quotes", |item| item.as_str().map(str::to_owned))
    }

    /// A list of HTTP statuses, where the key is there.
    pub(super) fn statuses(&mut self, key: &str) -> Option<Vec<u16>> {
        let status = |item: &Value| u16::try_from(item.as_integer()?).ok().filter(|code| (100..1_000).contains(code));
        self.list(key, "a list of statuses from 100 to 999", status)
    }

    /// An HTTP status, where the key is there.
    pub(super) fn status(&mut self, key: &str) -> Option<u16> {
        let value = self.take(key)?;
        let status =
            value.as_integer().and_then(|code| u16::try_from(code).ok()).filter(|code| (100..1_000).contains(code));
        if status.is_none() {
            self.wrong(key, &value, "a status from 100 to 999");
        }
        status
    }

    fn list<T>(&mut self, key: &str, right: &str, item: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
        let value = self.take(key)?;
        let items = value.as_array().and_then(|items| items.iter().map(item).collect::<Option<Vec<T>>>());
        if items.is_none() {
            self.wrong(key, &value, right);
        }
        items
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

/// A duration as a person would write it.
pub(super) fn format_duration(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}
