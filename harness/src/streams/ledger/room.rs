//! The capacity of a ledger, and room that is taken at the beginning. A table that fills up in the course of hours
//! would look like a leak of the harness.

use std::collections::{HashMap, VecDeque};

/// Time for which the ends of runs are remembered, seconds: a gateway that repeats itself after a restart repeats the
/// last seconds. Events and ids are remembered in the same proportion as at usual rates, so for less time where runs
/// have many.
const REMEMBERED_S: f64 = 30.0;
/// Maximum of [`Capacity`], for 3,700 runs a second. 120,000 runs a minute at pace 1 need 9.
const CAPACITY_MAX: usize = 16;

/// The size of a ledger's memory, as a multiple of the usual one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Capacity(pub(super) usize);

impl Default for Capacity {
    fn default() -> Self {
        Self(1)
    }
}

impl Capacity {
    /// Enough for the ends of half a minute; the capacity 1 has room for `usual` ends.
    pub(super) fn at(runs_per_second: f64, usual: usize) -> Self {
        let times = (runs_per_second * REMEMBERED_S / usual as f64).ceil();
        Self((times as usize).clamp(1, CAPACITY_MAX))
    }
}

/// A table in which the newest of `entries_max` entries replace the oldest. It has twice the room: one that is more
/// than half full takes more once dropped entries have left their marks everywhere.
pub(super) fn table<V>(entries_max: usize, filler: impl Fn() -> V) -> HashMap<u64, V> {
    // Memory is there once it was written to.
    let mut table: HashMap<u64, V> = (0..2 * entries_max as u64).map(|key| (key, filler())).collect();
    table.clear();
    table
}

/// A queue with room for `entries_max` entries, and one more before the oldest is dropped.
pub(super) fn queue<V: Clone>(entries_max: usize, filler: V) -> VecDeque<V> {
    let mut queue = VecDeque::from(vec![filler; entries_max + 1]);
    queue.clear();
    queue
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_half_a_minute_have_room_and_the_capacity_is_bounded() {
        let capacity = |runs_per_second| Capacity::at(runs_per_second, 7_000);
        assert_eq!([1, 1, 5, 9], [0.05, 233.0, 1_000.0, 2_000.0].map(|rate| capacity(rate).0));
        assert_eq!([1, CAPACITY_MAX], [f64::NAN, 1e300].map(|rate| capacity(rate).0));
    }

    #[test]
    fn what_comes_and_goes_for_long_takes_no_more_room_than_there_was() {
        let (mut table, mut queue) = (table(100, || 0_u8), queue(100, 1));
        let room = (table.capacity(), queue.capacity());
        for key in 0..100_000_u64 {
            table.insert(key.wrapping_mul(0x9e37_79b9_7f4a_7c15), 1);
            queue.push_back(key.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            if queue.len() > 100 {
                table.remove(&queue.pop_front().unwrap());
            }
        }
        // What was dropped leaves marks, which count against a table's room until it is put in order.
        assert!(table.capacity() <= room.0 && queue.capacity() == room.1, "{room:?}, then {}", table.capacity());
    }
}
