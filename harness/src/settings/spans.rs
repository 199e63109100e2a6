//! The lines of a TOML file's keys.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

/// The lines of a file's keys, by their path from the top: `calls.publish.path`.
#[derive(Debug, Default)]
pub(super) struct Spans(Vec<(String, usize)>);

impl Spans {
    /// The lines of a text that is TOML; none where it is not.
    pub(super) fn of(text: &str) -> Self {
        let mut lines = Vec::new();
        if let Ok(table) = DeTable::parse(text) {
            walk(text, "", table.get_ref(), &mut lines);
        }
        Self(lines)
    }

    /// Each key with the file and its line.
    pub(super) fn places(&self, file: &str) -> BTreeMap<String, String> {
        self.0.iter().map(|(key, line)| (key.clone(), format!("{file}:{line}"))).collect()
    }

    /// The line of a key, or of the nearest table around it that the file has.
    pub(super) fn line(&self, key: &str) -> Option<usize> {
        let line = self.0.iter().find(|(known, _)| known == key).map(|(_, line)| *line);
        line.or_else(|| self.line(key.rsplit_once('.')?.0))
    }
}

fn walk(text: &str, prefix: &str, table: &DeTable<'_>, lines: &mut Vec<(String, usize)>) {
    for (key, value) in table {
        let path = format!("{prefix}{}", key.get_ref());
        let line = text[..key.span().start.min(text.len())].matches('\n').count() + 1;
        if let DeValue::Table(inner) = value.get_ref() {
            walk(text, &format!("{path}."), inner, lines);
        }
        lines.push((path, line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_on_its_line_or_on_that_of_the_table_around_it() {
        let spans = Spans::of("a = 1\n\n[b.c]\nd = '''\nx\n'''\ne.f = 2\n");
        let line = |key| spans.line(key);
        assert_eq!([Some(1), Some(4), Some(7), Some(3)], [line("a"), line("b.c.d"), line("b.c.e.f"), line("b.c.nope")]);
        assert_eq!(None, line("nope"));
        assert_eq!(None, Spans::of("no toml").line("a"));
    }
}
