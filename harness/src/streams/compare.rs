//! The lines that streams delivered of a run against the lines of the run's record.
//!
//! A record is not always complete: it may keep the last lines only, cut long lines, put a time before each. So:
//!
//! - A line of the record that no stream delivered is **missing** where no delivered line can be that line in another
//!   form: it has no partner, and fewer delivered lines than lines of the record are without one. The others are
//!   **undecided**.
//! - A line is **repeated** where it came more often than the record has it, with the same time under another id, and
//!   the record has every other line. If the record lacks other lines, too, these are undecided.
//! - Delivered lines that the record lacks are no finding.

use std::collections::HashMap;

use super::{
    alike::{folded, is_alike},
    content_hash,
    lines::{CELLS, DeliveredLine, HashSum, Lines, cell_of},
};

/// Missing lines that are named. The others are counted.
const NAMED_MAX: usize = 64;
/// Comparisons of two lines for another form, of one run. Lines beyond are undecided.
const PAIRS_MAX: usize = 20_000;
/// The name of a line whose text is not known.
const UNNAMED: &str = "(a line that is known by its hash only)";

/// How the delivered lines of a run differ from its record.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct LineComparison {
    /// Lines of the record that no stream delivered; the first ones.
    pub missing: Vec<String>,
    /// The number of all of them.
    pub missing_count: u64,
    /// Lines that were delivered more often than the record has them.
    pub repeated: Vec<RepeatedLine>,
    /// Lines that are the same in another form: cut, or with a prefix.
    pub loose: u64,
    /// Lines of the record that may have been delivered in a form that is not recognised.
    pub undecided: u64,
    /// Equal lines that the record has as often.
    pub equal: u64,
    /// Equal lines whose number in the run the record cannot say, since it lacks other lines.
    pub equal_undecided: u64,
    /// Delivered lines that the record lacks.
    pub surplus: u64,
}

/// A line that was delivered more often than the record has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepeatedLine {
    /// Its text.
    pub line: String,
    /// How often it was delivered.
    pub delivered: u64,
    /// How often the record has it.
    pub recorded: u64,
}

impl LineComparison {
    /// Whether every line of the record was delivered.
    pub const fn is_complete(&self) -> bool {
        self.missing_count == 0 && self.undecided == 0
    }
}

/// A line of the record without an exact partner.
struct Alone<'a> {
    text: &'a str,
    count: u64,
}

/// A delivered line that the record has not, or not as often.
struct Left<'a> {
    line: &'a DeliveredLine,
    hash: u64,
    count: u64,
}

/// Compares what was delivered with a record that has at least one line.
#[must_use]
pub fn compare(delivered: &Lines, record: &[&str]) -> LineComparison {
    let mut found = LineComparison::default();
    let mut recorded: HashMap<u64, Alone<'_>> = HashMap::new();
    for text in record {
        recorded.entry(content_hash(text)).or_insert(Alone { text, count: 0 }).count += 1;
    }
    let (mut left, matched) = take_exact(delivered, &mut recorded);
    let mut alone: Vec<Alone<'_>> = recorded.into_values().filter(|line| line.count > 0).collect();
    let order: HashMap<&str, usize> = record.iter().enumerate().rev().map(|(n, text)| (*text, n)).collect();
    alone.sort_unstable_by_key(|line| order.get(line.text).copied());
    left.sort_unstable_by_key(|left| left.line.number);
    found.loose = take_alike(&mut alone, &mut left);
    let beyond = take_beyond(delivered, &mut alone);
    settle_missing(&mut found, &alone, &left, matched, &beyond);
    settle_repeated(&mut found, delivered, &left, beyond.surplus > 0);
    found.surplus = left.iter().map(|left| left.count).sum::<u64>() + beyond.surplus;
    found
}

/// Pairs equal lines. Gives the delivered lines that are left, and the numbers of the first and the last paired line.
fn take_exact<'a>(delivered: &'a Lines, recorded: &mut HashMap<u64, Alone<'_>>) -> (Vec<Left<'a>>, Option<(u64, u64)>) {
    let mut left = Vec::new();
    let mut matched: Option<(u64, u64)> = None;
    for (hash, line) in &delivered.kept {
        let mut count = u64::from(line.count);
        if let Some(of_record) = recorded.get_mut(hash) {
            let taken = of_record.count.min(count);
            of_record.count -= taken;
            count -= taken;
            let (first, last) = matched.unwrap_or((line.number, line.number));
            matched = Some((first.min(line.number), last.max(line.number)));
        }
        if count > 0 {
            left.push(Left { line, hash: *hash, count });
        }
    }
    (left, matched)
}

/// The comparison of the lines beyond those that are counted one by one.
#[derive(Default)]
struct Beyond<'a> {
    missing: u64,
    surplus: u64,
    undecided: u64,
    /// Missing lines whose text is known.
    names: Vec<&'a str>,
}

/// Compares the lines that are known by cells, and takes them out of the record's.
fn take_beyond<'a>(delivered: &Lines, alone: &mut Vec<Alone<'a>>) -> Beyond<'a> {
    let mut beyond = Beyond::default();
    let Some(cells) = &delivered.cells else { return beyond };
    let mut of_record = [HashSum::default(); CELLS];
    let mut names: HashMap<usize, Vec<&str>> = HashMap::new();
    alone.retain(|line| {
        let hash = content_hash(line.text);
        let is_beyond = !delivered.kept.contains_key(&hash);
        if is_beyond {
            (0..line.count).for_each(|_| of_record[cell_of(hash)].add(hash));
            names.entry(cell_of(hash)).or_default().push(line.text);
        }
        !is_beyond
    });
    for (number, (cell, of_record)) in cells.iter().zip(of_record).enumerate() {
        let more = of_record.count.saturating_sub(cell.count);
        beyond.missing += more;
        beyond.surplus += cell.count.saturating_sub(of_record.count);
        if cell.count == of_record.count && *cell != of_record {
            beyond.undecided += cell.count;
        }
        if more > 0 && beyond.names.len() < NAMED_MAX {
            // The difference is the hash of the missing line; of several it is a sum that names none.
            let sum = of_record.sum.wrapping_sub(cell.sum);
            let of_cell = names.get(&number).into_iter().flatten();
            beyond.names.extend(of_cell.filter(|text| cell.count == 0 || more == 1 && content_hash(text) == sum));
        }
    }
    beyond
}

/// Pairs lines of the record with delivered lines of another form. Gives the number of pairs.
fn take_alike(alone: &mut Vec<Alone<'_>>, left: &mut Vec<Left<'_>>) -> u64 {
    let texts: Vec<Option<Vec<char>>> = left.iter().map(|left| left.line.text.as_deref().map(folded)).collect();
    let (mut pairs, mut compared, mut from) = (0, 0, 0);
    for line in alone.iter_mut() {
        let text = folded(line.text);
        // Both are in order, so the partner is usually the next one.
        for at in (from..left.len()).chain(0..from) {
            if left[at].count == 0 || line.count == 0 {
                continue;
            }
            compared += 1;
            if compared > PAIRS_MAX {
                break;
            }
            if texts[at].as_ref().is_some_and(|other| is_alike(&text, other)) {
                let taken = line.count.min(left[at].count);
                line.count -= taken;
                left[at].count -= taken;
                pairs += taken;
                from = at;
            }
        }
    }
    alone.retain(|line| line.count > 0);
    left.retain(|left| left.count > 0);
    pairs
}

fn settle_missing(
    found: &mut LineComparison,
    alone: &[Alone<'_>],
    left: &[Left<'_>],
    matched: Option<(u64, u64)>,
    beyond: &Beyond<'_>,
) {
    let lacking = alone.iter().map(|line| line.count).sum::<u64>() + beyond.missing;
    // What came before the first line of the record, or after its last, is what a shortened record dropped.
    let is_within = |number: u64| matched.is_none_or(|(first, last)| (first..=last).contains(&number));
    let others: u64 = left.iter().filter(|left| is_within(left.line.number)).map(|left| left.count).sum();
    found.missing_count = lacking.saturating_sub(others + beyond.surplus);
    found.undecided = lacking - found.missing_count + beyond.undecided;
    let times = |count: u64| usize::try_from(count).unwrap_or(NAMED_MAX).min(NAMED_MAX);
    let names = alone.iter().flat_map(|line| std::iter::repeat_n(line.text, times(line.count)));
    let named = names.chain(beyond.names.iter().copied()).chain(std::iter::repeat(UNNAMED));
    found.missing = named.take(times(found.missing_count)).map(str::to_owned).collect();
}

fn settle_repeated(found: &mut LineComparison, delivered: &Lines, left: &[Left<'_>], is_surplus_beyond: bool) {
    // A record that lacks a line that came once is not complete.
    let is_incomplete = is_surplus_beyond
        || found.undecided > 0
        || delivered.unreadable > 0
        || left.iter().any(|left| left.count > u64::from(left.line.equal));
    let mut too_many = 0;
    for left in left {
        let again = left.count.min(u64::from(left.line.equal));
        too_many += again;
        if is_incomplete {
            found.equal_undecided += again;
        } else if again > 0 {
            let text = left.line.text.as_deref().map_or_else(|| format!("{UNNAMED} {:x}", left.hash), str::to_owned);
            let count = u64::from(left.line.count);
            found.repeated.push(RepeatedLine { line: text, delivered: count, recorded: count - again });
        }
    }
    // Equal lines among those beyond are not told apart, and have the record's count or not.
    found.equal = delivered.equal.saturating_sub(too_many);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivered(lines: &[&str]) -> Lines {
        let mut delivered = Lines::default();
        lines.iter().for_each(|line| delivered.add(line, false));
        delivered
    }

    /// The same; a line that comes twice in a row comes again with the same time under another id.
    fn delivered_equal(lines: &[&str]) -> Lines {
        let mut delivered = Lines::default();
        for (n, line) in lines.iter().enumerate() {
            delivered.add(line, n > 0 && lines[n - 1] == *line);
        }
        delivered
    }

    fn strings(lines: &[String]) -> Vec<&str> {
        lines.iter().map(String::as_str).collect()
    }

    #[test]
    fn what_was_delivered_as_the_record_has_it_is_complete() {
        assert_eq!(LineComparison::default(), compare(&delivered(&["a", "b", "c"]), &["a", "b", "c"]));
        let equal = compare(&delivered_equal(&["a", "b", "b", "b"]), &["a", "b", "b", "b"]);
        assert_eq!(LineComparison { equal: 2, ..LineComparison::default() }, equal);
    }

    #[test]
    fn a_line_that_only_the_record_has_is_missing_as_often_as_the_record_has_it() {
        let found = compare(&delivered(&["a", "b"]), &["a", "b", "c", "c"]);
        assert_eq!((vec!["c", "c"], 2), (strings(&found.missing), found.missing_count));
        let found = compare(&delivered_equal(&["a", "b", "b"]), &["a", "b", "b", "b"]);
        assert_eq!((vec!["b"], 1), (strings(&found.missing), found.missing_count));
    }

    #[test]
    fn a_line_that_came_again_more_often_than_a_complete_record_has_it_is_repeated() {
        let found = compare(&delivered_equal(&["a", "b", "b", "c"]), &["a", "b", "c"]);
        assert_eq!(vec![RepeatedLine { line: "b".into(), delivered: 2, recorded: 1 }], found.repeated);
        let found = compare(&delivered_equal(&["a", "b", "b", "b", "c"]), &["a", "b", "b", "c"]);
        assert_eq!(vec![RepeatedLine { line: "b".into(), delivered: 3, recorded: 2 }], found.repeated);
        assert_eq!(1, found.equal);
    }

    #[test]
    fn a_record_that_lacks_other_lines_decides_no_equal_line() {
        let found = compare(&delivered_equal(&["a", "b", "b", "c"]), &["b", "c"]);
        assert_eq!((vec![], 1, 2), (found.repeated, found.equal_undecided, found.surplus));
    }

    #[test]
    fn a_record_that_keeps_the_last_or_the_first_lines_has_all_of_those() {
        let all = ["a", "b", "c", "d", "e"];
        for kept in [&all[3..], &all[..2]] {
            let found = compare(&delivered(&all), kept);
            assert!(found.is_complete() && found.surplus == 5 - kept.len() as u64, "{found:?}");
        }
        let found = compare(&delivered(&["a", "b", "c", "e"]), &all[3..]);
        assert_eq!((vec!["d"], 1), (strings(&found.missing), found.missing_count), "lost, whatever the record dropped");
    }

    #[test]
    fn lines_that_are_cut_or_have_a_prefix_are_matched_and_counted() {
        let long = format!("a {}", "long line, item by item, ".repeat(120));
        let cut: String = long.chars().take(2_048).chain(['…']).collect();
        for (delivered_line, recorded) in [(&long, &cut), (&cut, &long)] {
            let found = compare(&delivered(&["x", delivered_line, "y"]), &["x", recorded, "y"]);
            assert_eq!(LineComparison { loose: 1, ..LineComparison::default() }, found);
        }
        let found = compare(&delivered(&["it starts", "it ends"]), &["INFO it starts", "INFO it ends"]);
        assert_eq!(LineComparison { loose: 2, ..LineComparison::default() }, found);
        let found = compare(&delivered(&["it starts"]), &["INFO it starts", "INFO it ends"]);
        assert_eq!((vec!["INFO it ends"], 1, 1), (strings(&found.missing), found.missing_count, found.loose));
    }

    #[test]
    fn a_record_in_a_form_that_is_not_recognised_decides_nothing_unless_it_has_more_lines() {
        let found = compare(&delivered(&["x", "b", "c", "y"]), &["x", "B!", "C!", "y"]);
        assert_eq!((0, 2, 2), (found.missing_count, found.undecided, found.surplus));
        let found = compare(&delivered(&["x", "b", "y"]), &["x", "B!", "C!", "y"]);
        assert_eq!((1, 1), (found.missing_count, found.undecided));
    }

    fn item(n: u32) -> String {
        format!("item {n} of 5000 is done")
    }

    #[test]
    fn a_run_of_any_length_is_compared_and_the_missing_lines_are_named() {
        let record: Vec<String> = (0..5_000).map(item).collect();
        let record: Vec<&str> = record.iter().map(String::as_str).collect();
        let mut lines = delivered(&record);
        assert_eq!(LineComparison::default(), compare(&lines, &record));
        lines.add("item 17 of 5000 is done", true);
        let repeated = &compare(&lines, &record).repeated;
        assert_eq!((1, 2, 1), (repeated.len(), repeated[0].delivered, repeated[0].recorded));

        let lost = [40, 2_000, 4_999];
        let shown: Vec<&str> = (0..).zip(&record).filter(|(n, _)| !lost.contains(n)).map(|(_, line)| *line).collect();
        let found = compare(&delivered(&shown), &record);
        let mut missing = strings(&found.missing);
        missing.sort_unstable();
        let expected: Vec<String> = [2_000, 40, 4_999].map(item).to_vec();
        assert_eq!((strings(&expected), 3), (missing, found.missing_count));

        let every_fiftieth: Vec<&str> =
            record.iter().enumerate().filter(|(n, _)| n % 50 != 0).map(|(_, line)| *line).collect();
        let found = compare(&delivered(&every_fiftieth), &record);
        assert_eq!((100, NAMED_MAX, 0), (found.missing_count, found.missing.len(), found.undecided));
    }

    #[test]
    fn a_long_run_whose_record_has_another_form_or_a_part_is_not_accused() {
        let record: Vec<String> = (0..3_000).map(item).collect();
        let record: Vec<&str> = record.iter().map(String::as_str).collect();
        let prefixed: Vec<String> = record.iter().map(|line| format!("INFO {line}")).collect();
        let prefixed: Vec<&str> = prefixed.iter().map(String::as_str).collect();
        let found = compare(&delivered(&record), &prefixed);
        assert_eq!((0, 0, 1_024), (found.missing_count, found.repeated.len(), found.loose));
        assert!(found.undecided > 0);
        for kept in [&record[2_000..], &record[..1_000], &record[..2_000]] {
            let found = compare(&delivered(&record), kept);
            assert_eq!((0, 3_000 - kept.len() as u64), (found.missing_count, found.surplus));
        }
    }
}
