//! A run's own stream against any record: it differs by the lines that were not shown, and by no others.
//!
//! `PROPTEST_CASES=1000000 cargo test --release -p s2-harness --lib streams::fuzz` plays more of them.

use proptest::prelude::*;

use super::ShownLines;
use crate::fuzzing::cases;

fn lines() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[a-c]{1,2}", 0..12)
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn a_run_differs_from_its_stream_by_the_lines_that_were_not_shown(shown in lines(), run in lines()) {
        let mut stream = ShownLines::default();
        shown.iter().for_each(|line| stream.line(line, false));
        stream.end();
        let run: Vec<&str> = run.iter().map(String::as_str).collect();
        let Some(difference) = stream.differs(&run) else {
            prop_assert!(run.is_empty());
            return Ok(());
        };

        let mut left: Vec<&str> = shown.iter().map(String::as_str).collect();
        let mut missing = run.clone();
        missing.retain(|line| left.iter().position(|other| other == line).map(|at| left.remove(at)).is_none());
        let found = &difference.lines;
        // One that may have been shown in another form is not missing.
        prop_assert_eq!(missing.len() as u64, found.missing_count + found.undecided + found.loose);
        prop_assert!(found.missing_count as usize >= missing.len().saturating_sub(left.len()));
        prop_assert!(found.missing.iter().all(|line| missing.contains(&line.as_str())));
        let mut rest = shown.iter();
        let in_order = run.iter().all(|line| rest.any(|other| other == line));
        prop_assert!(!in_order || !difference.is_out_of_order && missing.is_empty());
        prop_assert!(in_order || !missing.is_empty() || difference.is_out_of_order);
    }
}
