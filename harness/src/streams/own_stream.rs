//! The run's own record against its own stream: the one oracle for what no stream has shown.

use std::collections::HashSet;

use super::{Delivery, DeliveryKind, LineComparison, Lines, compare, content_hash, sightings::Sightings};

/// Maximum number of lines of a run whose order is compared.
const ORDERED_MAX: usize = 4_096;

/// The events that the log stream of one run has shown.
#[derive(Debug, Default)]
pub struct ShownLines {
    sightings: Sightings,
    lines: Lines,
    /// The lines in order, as hashes.
    order: Vec<u64>,
    has_ended: bool,
}

/// How a run's own stream differs from the run.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Line by line.
    pub lines: LineComparison,
    /// Whether the lines that both have are in another order.
    pub is_out_of_order: bool,
}

impl ShownLines {
    /// The stream has shown an event of its run. Says whether it had shown it before: then whether under the same id.
    pub fn event(&mut self, got: &Delivery<'_>) -> Option<bool> {
        let is_equal = match self.sightings.see(got)? {
            DeliveryKind::Again { same_id } => return Some(same_id),
            sighted => sighted == DeliveryKind::Equal,
        };
        // A run ends once.
        if got.is_end() && self.has_ended {
            return Some(false);
        }
        match (got.kind, got.message) {
            ("log", Some(message)) => self.line(message, is_equal),
            ("log", None) => self.lines.unreadable += 1,
            ("end", _) => self.end(),
            _ => {}
        }
        None
    }

    /// The stream has shown a line; `is_equal`: one with the same time came before, under another id.
    pub fn line(&mut self, message: &str, is_equal: bool) {
        self.lines.add(message, is_equal);
        if self.order.len() <= ORDERED_MAX {
            self.order.push(content_hash(message));
        }
    }

    /// The stream has shown the run's end.
    pub const fn end(&mut self) {
        self.has_ended = true;
    }

    /// Another connection of the stream begins; `begins_again`: it shows all events again, since no id was sent.
    pub fn reconnected(&mut self, begins_again: bool) {
        self.sightings.reconnected(begins_again);
    }

    /// The first log line that the stream has shown.
    #[cfg(test)]
    pub(crate) fn first(&self) -> Option<&str> {
        self.lines.kept.values().find(|line| line.number == 0)?.text.as_deref()
    }

    /// Whether the stream was read to its end.
    pub const fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// The number of the run's lines before the first shown one. `None` where the record has none in the same form.
    pub fn lines_before(&self, run: &[&str]) -> Option<usize> {
        let before = run.len().saturating_sub(self.order.len());
        // Where a line comes more than once, the last of them are the ones that were shown.
        if run[before..].iter().map(|line| content_hash(line)).eq(self.order.iter().copied()) {
            return Some(before);
        }
        let first = self.order.first()?;
        run.iter().position(|line| content_hash(line) == *first)
    }

    /// Equal lines that the stream has shown.
    pub const fn equal(&self) -> u64 {
        self.lines.equal
    }

    /// How the stream differs from the lines that the run has. A run may keep fewer than it showed; one without lines
    /// says nothing, nor does a stream that was left before its end.
    pub fn differs(&self, run: &[&str]) -> Option<Difference> {
        if !self.has_ended || self.lines.unreadable > 0 || run.is_empty() {
            return None;
        }
        let lines = compare(&self.lines, run);
        let shown: HashSet<u64> = self.order.iter().copied().collect();
        let mut order = self.order.iter();
        let mut of_both = run.iter().map(|line| content_hash(line)).filter(|line| shown.contains(line));
        let is_ordered = self.order.len() > ORDERED_MAX || of_both.all(|line| order.any(|other| *other == line));
        Some(Difference { is_out_of_order: !is_ordered && lines.missing_count == 0, lines })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams::RepeatedLine;

    fn shown(lines: &[&str]) -> ShownLines {
        let mut stream = ShownLines::default();
        lines.iter().for_each(|line| stream.line(line, false));
        stream.end();
        stream
    }

    fn missing(shown_lines: &[&str], run: &[&str]) -> Vec<String> {
        shown(shown_lines).differs(run).unwrap().lines.missing
    }

    #[test]
    fn a_stream_that_shows_what_the_run_has_does_not_differ() {
        assert_eq!(Some(Difference::default()), shown(&["a", "b", "b", "c"]).differs(&["a", "b", "b", "c"]));
        assert!(missing(&["a", "b", "c"], &["b", "c"]).is_empty(), "a run may keep a tail only");
        assert_eq!(None, shown(&["a"]).differs(&[]), "or nothing");
        let twice = shown(&["a", "a", "b"]).differs(&["a", "b"]).unwrap();
        assert!(twice.lines.repeated.is_empty() && !twice.is_out_of_order, "at two times it is two lines");
    }

    #[test]
    fn an_equal_line_that_the_run_has_less_often_is_repeated() {
        let mut stream = shown(&["a", "b"]);
        stream.line("b", true);
        let repeated = RepeatedLine { line: "b".into(), delivered: 2, recorded: 1 };
        assert_eq!(vec![repeated], stream.differs(&["a", "b"]).unwrap().lines.repeated);
        assert!(stream.differs(&["a", "b", "b"]).unwrap().lines.repeated.is_empty());
    }

    #[test]
    fn a_line_that_only_the_run_has_is_missing_however_often_others_say_the_same() {
        assert_eq!(vec!["b"], missing(&["a", "c"], &["a", "b", "c"]));
        assert_eq!(vec!["a"], missing(&["a"], &["a", "a"]));
    }

    #[test]
    fn lines_in_another_order_differ() {
        assert!(shown(&["b", "a"]).differs(&["a", "b"]).unwrap().is_out_of_order);
        let long = "a line that is cut, somewhere after its first few words";
        let cut = "a line that is cut, somewhere…";
        assert!(shown(&[long, "b", "a"]).differs(&[cut, "a", "b"]).unwrap().is_out_of_order, "of those that are alike");
        assert!(!shown(&[long, "a", "b"]).differs(&[cut, "a", "b"]).unwrap().is_out_of_order);
    }

    #[test]
    fn the_lines_before_the_first_that_was_shown_are_told_from_those_that_were_lost_later() {
        let before = |shown: &[&str], run: &[&str]| {
            let mut stream = ShownLines::default();
            shown.iter().for_each(|line| stream.line(line, false));
            stream.lines_before(run)
        };
        assert_eq!(Some(0), before(&["a", "b"], &["a", "b"]));
        assert_eq!(Some(1), before(&["b", "c"], &["a", "b", "c"]));
        assert_eq!(Some(2), before(&["a", "b"], &["a", "b", "a", "b"]), "equal lines: the last of them");
        assert_eq!(Some(1), before(&["b", "d"], &["a", "b", "c", "d"]), "and one was lost in between");
        assert_eq!(Some(2), before(&[], &["a", "b"]), "it was opened when all was over");
        assert_eq!(None, before(&["x"], &["a", "b"]), "it shows something else");
    }

    #[test]
    fn a_stream_that_was_left_before_its_end_says_nothing() {
        let mut left = shown(&["a"]);
        left.has_ended = false;
        assert_eq!(None, left.differs(&["a"]));
    }

    #[test]
    fn a_long_run_is_compared_too() {
        let lines: Vec<String> = (0..9_000).map(|n| format!("line {n}")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert_eq!(Some(Difference::default()), shown(&lines).differs(&lines));
        assert_eq!(vec!["line 8000"], missing(&[&lines[..8_000], &lines[8_001..]].concat(), &lines));
    }
}
