//! The delay line: chunks that were read and are written later, in order, each with its time.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::{Buf, Bytes};
use tokio::{sync::Semaphore, time::Instant};

/// Maximum size of a read, large enough to hide the cost of its system call.
pub(super) const CHUNK_BYTES: usize = 64 * 1_024;
/// Cost of a chunk beyond its bytes, which bounds many small chunks.
const CHUNK_COST: usize = 128;
/// Bytes that a direction may always hold: an empty line has room for a chunk.
const OWN_BYTES: usize = 2 * CHUNK_BYTES;
/// Maximum number of bytes that one direction of a connection holds: the size of the largest answer that the harness
/// reads. At +150 ms, a connection carries 26 MB/s.
pub const LINE_BYTES_MAX: usize = 4 * 1_024 * 1_024;
/// Maximum number of bytes that all connections of a proxy hold beyond [`OWN_BYTES`] each.
pub(super) const SHARED_BYTES: usize = 64 * 1_024 * 1_024;
/// Places for chunks that an empty line keeps.
const ITEMS_KEPT: usize = 32;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    Bytes(Bytes),
    /// The sender sends no more.
    End,
    /// The sender reset the connection, after the bytes before it.
    Reset,
}

#[derive(Debug)]
pub(super) struct Held {
    pub(super) item: Item,
    /// Time at which it may be written.
    pub(super) release: Instant,
    pub(super) is_late: bool,
    /// Stays until the whole chunk, and its memory, is gone.
    cost: usize,
}

/// Chunks on their way, first in, first out.
#[derive(Debug)]
pub(super) struct DelayLine {
    held: VecDeque<Held>,
    cost: usize,
    /// Amount that was taken from `shared`.
    borrowed: usize,
    shared: Arc<Semaphore>,
    last_release: Option<Instant>,
}

impl DelayLine {
    /// An empty line. It takes from `shared` for its bytes beyond [`OWN_BYTES`].
    pub(super) fn new(shared: Arc<Semaphore>) -> Self {
        Self { held: VecDeque::new(), cost: 0, borrowed: 0, shared, last_release: None }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Maximum size of the next chunk; 0 at the bound: read nothing. It is reserved until [`settle`](Self::settle).
    pub(super) fn room(&mut self) -> usize {
        let most = LINE_BYTES_MAX.saturating_sub(self.cost).min(CHUNK_BYTES + CHUNK_COST);
        let wanted = (self.cost + most).saturating_sub(OWN_BYTES + self.borrowed);
        // No wait for other lines: the bytes of this line leave and make room.
        if wanted > 0
            && let Ok(permits) = self.shared.try_acquire_many(u32::try_from(wanted).unwrap_or(u32::MAX))
        {
            permits.forget();
            self.borrowed += wanted;
        }
        let free = (OWN_BYTES + self.borrowed).saturating_sub(self.cost).min(most);
        // A little room is not used: it would be filled byte by byte.
        if free < CHUNK_BYTES / 2 { 0 } else { free - CHUNK_COST }
    }

    /// Gives back the unused part of the reserve.
    pub(super) fn settle(&mut self) {
        let needed = self.cost.saturating_sub(OWN_BYTES);
        if self.borrowed > needed {
            self.shared.add_permits(self.borrowed - needed);
            self.borrowed = needed;
        }
    }

    /// Appends an item that came at a moment, to be released after the delay, and not before earlier items.
    pub(super) fn push(&mut self, item: Item, came_at: Instant, delay: Duration) {
        let release = came_at.checked_add(delay).unwrap_or(came_at);
        let release = self.last_release.map_or(release, |last| last.max(release));
        let is_late = release > came_at;
        let cost = CHUNK_COST + if let Item::Bytes(bytes) = &item { bytes.len() } else { 0 };
        self.last_release = Some(release);
        self.cost += cost;
        self.held.push_back(Held { item, release, is_late, cost });
    }

    pub(super) fn front(&self) -> Option<&Held> {
        self.held.front()
    }

    /// Removes `n` written bytes of the first item.
    pub(super) fn advance(&mut self, n: usize) {
        let Some(Held { item: Item::Bytes(bytes), .. }) = self.held.front_mut() else { return };
        bytes.advance(n);
        if bytes.is_empty() {
            let gone = self.held.pop_front();
            self.cost = self.cost.saturating_sub(gone.map_or(0, |held| held.cost));
            self.settle();
        }
        if self.held.is_empty() {
            // Frees the memory of a burst.
            self.held.shrink_to(ITEMS_KEPT);
        }
    }

    /// Bounds the time of release of all items.
    pub(super) fn hasten(&mut self, latest: Instant) {
        for held in &mut self.held {
            held.release = latest.min(held.release);
        }
        self.last_release = self.last_release.map(|last| last.min(latest));
    }
}

impl Drop for DelayLine {
    fn drop(&mut self) {
        self.cost = 0;
        self.settle();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    fn line(shared: usize) -> (DelayLine, Arc<Semaphore>) {
        let shared = Arc::new(Semaphore::new(shared));
        (DelayLine::new(Arc::clone(&shared)), shared)
    }

    fn bytes(n: usize) -> Item {
        Item::Bytes(Bytes::from(vec![0; n]))
    }

    /// Pushes as much as there is room for; how much that was.
    fn fill(line: &mut DelayLine, chunk: usize) -> usize {
        let mut pushed = 0;
        loop {
            let room = line.room().min(chunk);
            if room == 0 {
                return pushed;
            }
            line.push(bytes(room), clock::now(), Duration::ZERO);
            line.settle();
            pushed += room;
        }
    }

    #[test]
    fn what_came_first_is_released_first_whatever_its_delay() {
        let (mut line, _) = line(0);
        let (start, ms) = (clock::now(), Duration::from_millis);
        for (n, delay) in [(1, 50), (2, 10), (3, 70)] {
            line.push(bytes(n), start, ms(delay));
        }
        let mut released = Vec::new();
        while let Some(Held { item: Item::Bytes(bytes), release, .. }) = line.front() {
            let n = bytes.len();
            released.push((n, *release - start));
            line.advance(n);
        }
        assert_eq!(released, [(1, ms(50)), (2, ms(50)), (3, ms(70))]);
    }

    #[test]
    fn a_line_that_is_hastened_releases_what_it_holds_by_then_and_what_comes_as_it_should() {
        let (mut line, _) = line(0);
        let (start, ms) = (clock::now(), Duration::from_millis);
        line.push(bytes(1), start, ms(5));
        line.push(bytes(1), start, ms(5_000));
        line.hasten(start + ms(20));
        line.push(bytes(1), start, ms(30));
        let mut releases = Vec::new();
        while let Some(held) = line.front() {
            releases.push(held.release - start);
            line.advance(1);
        }
        assert_eq!(releases, [ms(5), ms(20), ms(30)]);
    }

    #[test]
    fn a_chunk_counts_until_its_last_byte_is_written() {
        let (mut line, _) = line(0);
        line.push(bytes(CHUNK_BYTES), clock::now(), Duration::ZERO);
        line.advance(CHUNK_BYTES - 1);
        assert_eq!(line.cost, CHUNK_BYTES + CHUNK_COST);
        line.advance(1);
        assert_eq!((line.cost, line.is_empty()), (0, true));
    }

    #[test]
    fn no_line_holds_more_than_its_bound() {
        let (mut line, _) = line(SHARED_BYTES);
        let pushed = fill(&mut line, usize::MAX);
        assert!((LINE_BYTES_MAX - CHUNK_BYTES..=LINE_BYTES_MAX).contains(&pushed), "{pushed}");
    }

    #[test]
    fn many_small_chunks_are_bounded_by_what_they_cost() {
        let (mut line, _) = line(SHARED_BYTES);
        let pushed = fill(&mut line, 1);
        assert!(pushed <= LINE_BYTES_MAX / CHUNK_COST, "{pushed}");
    }

    #[test]
    fn where_others_hold_all_there_is_a_line_has_room_for_its_own() {
        let (mut greedy, shared) = line(LINE_BYTES_MAX / 2);
        fill(&mut greedy, usize::MAX);
        let mut modest = DelayLine::new(Arc::clone(&shared));
        let pushed = fill(&mut modest, usize::MAX);
        assert!((CHUNK_BYTES..=OWN_BYTES + CHUNK_BYTES).contains(&pushed), "{pushed}");
    }

    #[test]
    fn what_a_line_took_comes_back_when_it_is_written_or_dropped() {
        let (mut written, shared) = line(SHARED_BYTES);
        let mut dropped = DelayLine::new(Arc::clone(&shared));
        fill(&mut written, usize::MAX);
        fill(&mut dropped, usize::MAX);
        assert!(shared.available_permits() < SHARED_BYTES - LINE_BYTES_MAX);
        while let Some(Held { item: Item::Bytes(bytes), .. }) = written.front() {
            let n = bytes.len();
            written.advance(n);
        }
        drop(dropped);
        assert_eq!(shared.available_permits(), SHARED_BYTES);
    }
}
