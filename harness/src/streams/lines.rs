//! The log lines that streams delivered of one run: how often each came, in bounded memory.
//!
//! The first [`LINES_MAX`] different lines are counted one by one. Further lines go into [`CELLS`] cells by their hash.
//! A cell has a count and a sum of hashes, which do not depend on the order. Two lists of lines with equal cells are
//! equal; where exactly one line of a cell is missing, the difference of the sums is its hash. So a run may have any
//! number of lines.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicUsize, Ordering},
};

use super::content_hash;

/// Different lines of one run that are counted one by one.
pub(super) const LINES_MAX: usize = 1_024;
/// Cells for the lines beyond these.
pub(super) const CELLS: usize = 256;
/// Text of one line that is kept for the comparison with a record that has the line cut or with a prefix.
const TEXT_BYTES_MAX: usize = 16 * 1_024;
/// The same of one run.
const RUN_TEXT_BYTES_MAX: usize = 64 * 1_024;
/// The same of all runs. Beyond it lines are known by their hashes only.
const ALL_TEXT_BYTES_MAX: usize = 32 * 1_024 * 1_024;

static ALL_TEXT_BYTES: AtomicUsize = AtomicUsize::new(0);

/// The lines that streams delivered of one run.
#[derive(Debug, Default)]
pub struct Lines {
    /// The lines that are counted one by one, by their hashes.
    pub(super) kept: HashMap<u64, DeliveredLine>,
    /// Further lines.
    pub(super) cells: Option<Box<[HashSum; CELLS]>>,
    text_bytes: usize,
    readable: u64,
    /// The number of lines whose content and time had come before, under another id.
    pub equal: u64,
    /// The number of lines whose text could not be read.
    pub unreadable: u64,
}

/// One line that was counted one by one.
#[derive(Debug)]
pub(super) struct DeliveredLine {
    pub(super) count: u32,
    /// How often of these it came again with the same time under another id: an equal line, or the same one again.
    pub(super) equal: u32,
    /// Its place in the order of delivery.
    pub(super) number: u64,
    /// Its text, where it was kept.
    pub(super) text: Option<Box<str>>,
}

/// Lines whose hashes have the same low bits: how many, and the sum of their hashes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct HashSum {
    pub(super) count: u64,
    pub(super) sum: u64,
}

impl HashSum {
    pub(super) fn add(&mut self, hash: u64) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(hash);
    }
}

/// The cell of a line.
pub(super) fn cell_of(hash: u64) -> usize {
    usize::try_from(hash % CELLS as u64).unwrap_or(0)
}

impl Lines {
    /// A line was delivered. `is_equal`: its content and time had come before, under another id.
    pub fn add(&mut self, text: &str, is_equal: bool) {
        let (hash, number) = (content_hash(text), self.readable);
        self.readable += 1;
        self.equal += u64::from(is_equal);
        if let Some(line) = self.kept.get_mut(&hash) {
            line.count += 1;
            line.equal += u32::from(is_equal);
        } else if self.kept.len() < LINES_MAX {
            let text = self.keep_text(text);
            self.kept.insert(hash, DeliveredLine { count: 1, equal: u32::from(is_equal), number, text });
        } else {
            self.cells.get_or_insert_with(|| Box::new([HashSum::default(); CELLS]))[cell_of(hash)].add(hash);
        }
    }

    /// The number of delivered lines, unreadable ones among them.
    pub const fn total(&self) -> u64 {
        self.readable + self.unreadable
    }

    fn keep_text(&mut self, text: &str) -> Option<Box<str>> {
        let bytes = text.len();
        if bytes > TEXT_BYTES_MAX || self.text_bytes + bytes > RUN_TEXT_BYTES_MAX {
            return None;
        }
        let all_before = ALL_TEXT_BYTES.fetch_add(bytes, Ordering::Relaxed);
        if all_before + bytes > ALL_TEXT_BYTES_MAX {
            ALL_TEXT_BYTES.fetch_sub(bytes, Ordering::Relaxed);
            return None;
        }
        self.text_bytes += bytes;
        Some(text.into())
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        ALL_TEXT_BYTES.fetch_sub(self.text_bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_one_by_one_up_to_a_bound_and_by_cells_beyond_it() {
        let mut lines = Lines::default();
        for number in 0..5_000_u32 {
            lines.add(&format!("line {number}"), false);
        }
        lines.add("line 7", true);
        assert_eq!((LINES_MAX, 5_001, 1), (lines.kept.len(), lines.total(), lines.equal));
        let in_cells: u64 = lines.cells.as_ref().unwrap().iter().map(|cell| cell.count).sum();
        assert_eq!(5_000 - LINES_MAX as u64, in_cells);
        let seventh = &lines.kept[&content_hash("line 7")];
        assert_eq!((2, 1, 7), (seventh.count, seventh.equal, seventh.number));
    }

    #[test]
    fn the_text_of_a_run_is_bounded() {
        let mut lines = Lines::default();
        for number in 0..200 {
            lines.add(&format!("{number}{}", "x".repeat(1_000)), false);
        }
        assert!(lines.text_bytes <= RUN_TEXT_BYTES_MAX);
        let texts = lines.kept.values().filter(|line| line.text.is_some()).count();
        assert!((60..=66).contains(&texts), "{texts}");
        lines.add(&"x".repeat(TEXT_BYTES_MAX + 1), false);
        assert!(lines.kept.values().any(|line| line.number == 200 && line.text.is_none()));
    }
}
