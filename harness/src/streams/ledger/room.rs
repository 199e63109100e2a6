//! Room that is taken at the beginning. What fills up in the course of hours would look like a leak of the harness's.

use std::collections::{HashMap, VecDeque};

/// A table of so many entries, of which the oldest will be dropped for the newest: it is given twice the room, since one
/// that is more than half full makes more of it once what was dropped has left its marks everywhere.
pub(super) fn table<V>(entries_max: usize, filler: impl Fn() -> V) -> HashMap<u64, V> {
    // Memory is there once it was written to.
    let mut table: HashMap<u64, V> = (0..2 * entries_max as u64).map(|key| (key, filler())).collect();
    table.clear();
    table
}

/// A queue of so many entries, and one more before the oldest is dropped.
pub(super) fn queue<V: Clone>(entries_max: usize, filler: V) -> VecDeque<V> {
    let mut queue = VecDeque::from(vec![filler; entries_max + 1]);
    queue.clear();
    queue
}

#[cfg(test)]
mod tests {
    use super::*;

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
