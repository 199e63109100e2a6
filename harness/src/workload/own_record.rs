//! The run's own record against its own stream: the one oracle for what no stream has shown.

use std::collections::HashMap;

/// Lines of one run that are compared. Of a longer run nothing is said.
const LINES_MAX: usize = 1_024;

/// What the log stream of one run has shown.
#[derive(Debug, Default)]
pub(super) struct Shown {
    lines: Vec<String>,
    has_ended: bool,
}

/// How a run's own stream differs from the run.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Difference {
    /// These lines are in the run, and not on its stream.
    Missing(Vec<String>),
    /// They are all there, in another order.
    Order,
}

impl Shown {
    /// The stream has shown a log line.
    pub(super) fn line(&mut self, message: &str) {
        if self.lines.len() <= LINES_MAX {
            self.lines.push(message.to_owned());
        }
    }

    /// The stream has shown the run's end. What comes after it comes too late.
    pub(super) fn end(&mut self) {
        self.has_ended = true;
    }

    /// The first log line that the stream has shown.
    pub(super) fn first(&self) -> Option<&str> {
        self.lines.first().map(String::as_str)
    }

    /// Whether the stream was read to its end.
    pub(super) const fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// How many of the lines that the run has came before the first that the stream has shown, as far as can be told.
    pub(super) fn lines_before(&self, run: &[&str]) -> usize {
        let before = run.len().saturating_sub(self.lines.len());
        // Where a line comes more than once, the last of them are the ones that were shown.
        if run[before..].iter().copied().eq(self.lines.iter().map(String::as_str)) {
            return before;
        }
        let first = self.first();
        run.iter().position(|line| Some(*line) == first).unwrap_or(0)
    }

    /// How the stream differs from the lines that the run has. A run may keep fewer than it showed; one without lines
    /// says nothing, nor does a stream that was left before its end.
    pub(super) fn differs(&self, run: &[&str]) -> Option<Difference> {
        if !self.has_ended || self.lines.len() > LINES_MAX {
            return None;
        }
        let mut shown = self.lines.iter();
        if run.iter().all(|line| shown.any(|other| other == line)) {
            return None;
        }
        // How often each was shown. A run may have many more lines than its stream.
        let mut left: HashMap<&str, usize> = HashMap::new();
        self.lines.iter().for_each(|line| *left.entry(line).or_default() += 1);
        let mut missing = Vec::new();
        for line in run {
            match left.get_mut(line).filter(|count| **count > 0) {
                Some(count) => *count -= 1,
                None => missing.push((*line).to_owned()),
            }
        }
        Some(if missing.is_empty() { Difference::Order } else { Difference::Missing(missing) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn differs(shown: &[&str], run: &[&str]) -> Option<Difference> {
        let mut stream = Shown::default();
        shown.iter().for_each(|line| stream.line(line));
        stream.end();
        stream.differs(run)
    }

    #[test]
    fn a_stream_that_shows_what_the_run_has_does_not_differ() {
        assert_eq!(None, differs(&["a", "b", "b", "c"], &["a", "b", "b", "c"]));
        assert_eq!(None, differs(&["a", "b", "c"], &["b", "c"]), "a run may keep a tail only");
        assert_eq!(None, differs(&["a"], &[]), "or nothing");
        assert_eq!(None, differs(&["a", "a", "b"], &["a", "b"]), "a line twice is another matter");
    }

    #[test]
    fn a_line_that_only_the_run_has_is_missing_however_often_others_say_the_same() {
        assert_eq!(Some(Difference::Missing(vec!["b".into()])), differs(&["a", "c"], &["a", "b", "c"]));
        assert_eq!(Some(Difference::Missing(vec!["a".into()])), differs(&["a"], &["a", "a"]));
    }

    #[test]
    fn lines_in_another_order_differ() {
        assert_eq!(Some(Difference::Order), differs(&["b", "a"], &["a", "b"]));
    }

    #[test]
    fn the_lines_before_the_first_that_was_shown_are_told_from_those_that_were_lost_later() {
        let before = |shown: &[&str], run: &[&str]| {
            let mut stream = Shown::default();
            shown.iter().for_each(|line| stream.line(line));
            stream.lines_before(run)
        };
        assert_eq!(0, before(&["a", "b"], &["a", "b"]));
        assert_eq!(1, before(&["b", "c"], &["a", "b", "c"]));
        assert_eq!(2, before(&["a", "b"], &["a", "b", "a", "b"]), "equal lines: the last of them");
        assert_eq!(1, before(&["b", "d"], &["a", "b", "c", "d"]), "and one was lost in between");
        assert_eq!(2, before(&[], &["a", "b"]), "it was opened when all was over");
        assert_eq!(0, before(&["x"], &["a", "b"]), "it shows something else");
    }

    #[test]
    fn a_stream_that_was_left_before_its_end_says_nothing() {
        assert_eq!(None, Shown::default().differs(&["a"]));
        let mut long = Shown::default();
        (0..LINES_MAX + 9).for_each(|n| long.line(&n.to_string()));
        long.end();
        assert_eq!(None, long.differs(&["a"]));
    }
}
