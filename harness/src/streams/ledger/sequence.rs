//! The events of a stream in the order of their first arrival.

use std::collections::{BTreeSet, HashMap, VecDeque};

use super::{
    numbering::Named,
    room::{self, Capacity},
};
use crate::streams::RepeatedEvent;

/// Events that not all clients have passed, at the capacity 1. Beyond it the oldest are given up, counted.
pub(super) const OPEN_MAX: usize = 20_000;
/// Hashes of events that all clients have passed, at the capacity 1; the oldest are forgotten first. A repeat of a
/// forgotten event looks like an event that the others missed.
pub(super) const REMEMBERED_MAX: usize = 28_000;

/// The events of a stream. Each has a number: its place in the sequence.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    capacity: Capacity,
    /// By content: the event's number.
    numbers: HashMap<u64, u64>,
    /// The contents, oldest first. The first is that of the event with the number `first`.
    contents: VecDeque<u64>,
    pub(super) first: u64,
    /// The events that some client may still lack: the last ones of the sequence.
    open: VecDeque<Entry>,
    /// The numbers of events that count as seen by everyone.
    void: BTreeSet<u64>,
    /// Events that were given up, because too many were open or lacking, and not yet reported.
    pub(super) evicted: u64,
}

/// An event that not all clients have passed.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) first_seen_ms: u64,
    pub(super) run: String,
    pub(super) id: String,
    pub(super) line: String,
    pub(super) named: Named,
    /// How many clients saw it.
    pub(super) seen_by: u32,
    /// How many clients owe it and have neither seen nor missed it.
    pub(super) lacking: u32,
    /// Nobody lacked it when the ledger was last settled: nothing more is said of it.
    pub(super) is_passed: bool,
    /// Of equal events: which clients got it, under which ids.
    pub(super) copies: Vec<Copy>,
    /// Whether clients that were there owe it: not a repeat of another event, or one that most clients got less often.
    pub(super) is_owed: bool,
    /// It came under a known id, and only its timestamp was new: that of an earlier event, if ids are the events' own.
    /// Then what is owed is the earlier one.
    pub(super) is_stamped_anew: bool,
}

/// An event that is equal to one that the client had.
#[derive(Debug)]
pub(super) struct Copy {
    pub(super) client: usize,
    pub(super) id: String,
    pub(super) same_id: bool,
}

impl Entry {
    pub(super) fn repeated(&self, copy: Copy, others: u32) -> RepeatedEvent {
        let Copy { client, id, same_id } = copy;
        RepeatedEvent { client, run: self.run.clone(), id, line: self.line.clone(), same_id, others }
    }
}

impl Sequence {
    /// One of a capacity, with all the room that it will ever take.
    pub(super) fn with_room(capacity: Capacity) -> Self {
        let numbers = room::table(capacity.0 * REMEMBERED_MAX, || 0);
        let contents = room::queue(capacity.0 * (REMEMBERED_MAX + OPEN_MAX), 0);
        Self { capacity, numbers, contents, ..Self::default() }
    }

    /// The number of an event by its content, if it is known.
    pub(super) fn number_of(&self, content: u64) -> Option<u64> {
        self.numbers.get(&content).copied()
    }

    /// Appends an event. Gives its number.
    pub(super) fn append(&mut self, content: u64, entry: Entry) -> u64 {
        let number = self.next();
        self.numbers.insert(content, number);
        self.contents.push_back(content);
        self.open.push_back(entry);
        if self.open.len() > self.capacity.0 * OPEN_MAX {
            self.open.pop_front();
            self.evicted += 1;
            self.forget_oldest();
        }
        number
    }

    /// The number that the next event will have.
    pub(super) fn next(&self) -> u64 {
        self.first + self.contents.len() as u64
    }

    /// The number of the oldest event that is open; of the next one where none is.
    pub(super) fn first_open(&self) -> u64 {
        self.next() - self.open.len() as u64
    }

    /// An event that is open.
    pub(super) fn entry(&self, number: u64) -> Option<&Entry> {
        self.open.get(self.place(number)?)
    }

    /// The same.
    pub(super) fn entry_mut(&mut self, number: u64) -> Option<&mut Entry> {
        let place = self.place(number)?;
        self.open.get_mut(place)
    }

    /// The first open event that was first seen at a moment or after it.
    pub(super) fn first_since(&self, at_ms: u64) -> u64 {
        self.first_open() + self.open.partition_point(|entry| entry.first_seen_ms < at_ms) as u64
    }

    /// Passes the events that no client lacks, and closes the oldest of them.
    pub(super) fn close_passed(&mut self) {
        while self.open.front().is_some_and(|entry| entry.lacking == 0) {
            self.open.pop_front();
        }
        self.open.iter_mut().filter(|entry| entry.lacking == 0).for_each(|entry| entry.is_passed = true);
        self.forget_oldest();
    }

    /// An open event that most clients got less often counts as seen by all, and as owed by none. Gives its copies.
    pub(super) fn make_void(&mut self, number: u64) -> Vec<Copy> {
        self.void.insert(number);
        let Some(entry) = self.entry_mut(number) else { return Vec::new() };
        (entry.is_owed, entry.lacking) = (false, 0);
        std::mem::take(&mut entry.copies)
    }

    /// Whether an event counts as seen by everyone.
    pub(super) fn is_void(&self, number: u64) -> bool {
        !self.void.is_empty() && self.void.contains(&number)
    }

    /// How many events are open.
    #[cfg(test)]
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// How many are remembered beside those.
    pub(super) fn remembered(&self) -> usize {
        self.contents.len() - self.open.len()
    }

    fn place(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.first_open())?).ok()
    }

    fn forget_oldest(&mut self) {
        while self.remembered() > self.capacity.0 * REMEMBERED_MAX {
            let Some(oldest) = self.contents.pop_front() else { return };
            self.numbers.remove(&oldest);
            self.void.remove(&self.first);
            self.first += 1;
        }
    }
}
