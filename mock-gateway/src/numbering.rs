//! Ids that start anew on every connection, with exact resumption all the same.
//!
//! A `Last-Event-ID` of 7 is then that of many connections. So where ended connections stood is remembered, and whoever
//! comes back with 7 is taken for the client of the one that ended closest after its seventh event and was not resumed
//! yet; of several, of the one that ended first. When a connection ends, some events may be on their way to its client,
//! so its client may come back with a number a little below. That the one is so not taken for another, connections count
//! either alike, and then each number is the same event, or at least [`APART`]: they begin at 1, or a little above.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::event::Audience;

/// Ended connections that are remembered. The oldest is forgotten first, and cannot be resumed any more.
const ENDED_MAX: usize = 64;
/// Events of a connection that are remembered: more than can be on their way to its client.
const EVENTS_MAX: usize = 2_048;
/// So far apart are two connections that do not count alike.
const APART: u64 = 16;

/// Where connections stand.
#[derive(Default)]
pub(crate) struct Numberings(Mutex<Stands>);

#[derive(Default)]
struct Stands {
    /// As many as there are streams.
    open: HashMap<u64, Stand>,
    ended: VecDeque<Stand>,
    begun: u64,
}

/// Position of a connection in its count.
struct Stand {
    audience: Audience,
    /// Of its last event.
    number: u64,
    /// The last events in the log's sequence, the last of them last.
    sequences: VecDeque<u64>,
    /// Position that it resumed. Its client is still there if no event that was written has arrived.
    resumed: Option<Box<Stand>>,
}

/// A connection that counts its events. Dropping it is the connection's end.
pub(crate) struct Numbering {
    key: u64,
    numberings: Arc<Numberings>,
}

impl Numberings {
    /// A connection that begins: its numbering, and the event of the log that its client has come to. None where the
    /// client comes back with an id that no connection ended with.
    pub(crate) fn begin(self: &Arc<Self>, audience: &Audience, last_id: Option<u64>) -> Option<(Numbering, u64)> {
        let mut stands = self.lock();
        let (resumed, sequence) = match last_id {
            Some(last_id) => {
                let resumed = stands.take(audience, last_id)?;
                let sequence = resumed.sequence(last_id)?;
                // One step back is enough, or there would be no end to it.
                (
                    Some(Box::new(Stand { number: last_id, sequences: [sequence].into(), resumed: None, ..resumed })),
                    sequence,
                )
            }
            None => (None, u64::MAX),
        };
        let number = stands.beginning(audience, sequence);
        let key = stands.begun;
        stands.begun += 1;
        stands.open.insert(key, Stand { audience: audience.clone(), number, sequences: VecDeque::new(), resumed });
        Some((Numbering { key, numberings: Arc::clone(self) }, sequence))
    }

    fn lock(&self) -> MutexGuard<'_, Stands> {
        self.0.lock().expect("no holder panics")
    }
}

impl Stands {
    fn take(&mut self, audience: &Audience, id: u64) -> Option<Stand> {
        let candidates = self.ended.iter().enumerate();
        let candidates = candidates.filter(|(_, stand)| stand.audience == *audience && stand.sequence(id).is_some());
        let (place, _) = candidates.min_by_key(|(place, stand)| (stand.distance(id), *place))?;
        self.ended.remove(place)
    }

    /// Returns the number from which a connection counts that begins after an event of the log.
    fn beginning(&self, audience: &Audience, sequence: u64) -> u64 {
        let others = self.open.values().chain(&self.ended).filter(|stand| stand.audience == *audience);
        let counts: Vec<u64> = others.map(|stand| stand.counted_to(sequence)).collect();
        let is_apart = |number: &u64| counts.iter().all(|c| c == number || c.abs_diff(*number) >= APART);
        // The least that is either alike or apart; that is, if not 0, where one of the others allows it.
        let beginnings = counts.iter().flat_map(|c| [*c, *c + APART]).filter(is_apart);
        if is_apart(&0) { 0 } else { beginnings.min().unwrap_or(0) }
    }
}

impl Stand {
    /// The event that it counted under this number, or that what it resumed did, if that is not too long ago.
    fn sequence(&self, number: u64) -> Option<u64> {
        self.own(number).or_else(|| self.resumed.as_ref()?.own(number))
    }

    fn own(&self, number: u64) -> Option<u64> {
        let back = usize::try_from(self.number.checked_sub(number)?).ok()?;
        self.sequences.iter().rev().nth(back).copied()
    }

    /// How many events after this one would have been on their way. That all of them were comes last.
    fn distance(&self, number: u64) -> (bool, u64) {
        if self.own(number).is_some() { (false, self.number - number) } else { (true, self.sequences.len() as u64) }
    }

    /// Returns the number that it had counted to at an event of the log.
    fn counted_to(&self, sequence: u64) -> u64 {
        let after = self.sequences.len() - self.sequences.partition_point(|counted| *counted <= sequence);
        self.number - after as u64
    }
}

impl Numbering {
    /// The id of an event of the log. One that is told twice running has it twice.
    pub(crate) fn number(&mut self, sequence: u64) -> u64 {
        let mut stands = self.numberings.lock();
        let stand = stands.open.get_mut(&self.key).expect("it is open until it is dropped");
        if stand.sequences.back() != Some(&sequence) {
            stand.number += 1;
            stand.sequences.push_back(sequence);
            if stand.sequences.len() > EVENTS_MAX {
                stand.sequences.pop_front();
            }
        }
        stand.number
    }
}

impl Drop for Numbering {
    fn drop(&mut self) {
        let mut stands = self.numberings.lock();
        let ended = stands.open.remove(&self.key);
        stands.ended.extend(ended);
        if stands.ended.len() > ENDED_MAX {
            stands.ended.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Channel;

    fn audience(run: Option<&str>) -> Audience {
        Audience {
            channel: Channel::Logs,
            workspace: "w".into(),
            run: run.map(Into::into),
            reach: crate::defect::Reach::Own,
        }
    }

    /// A connection that was written these events, and ended.
    fn ended(numberings: &Arc<Numberings>, last_id: Option<u64>, events: impl IntoIterator<Item = u64>) {
        let (mut numbering, _) = numberings.begin(&audience(None), last_id).unwrap();
        events.into_iter().for_each(|sequence| _ = numbering.number(sequence));
    }

    fn resumed_at(numberings: &Arc<Numberings>, last_id: u64) -> Option<u64> {
        numberings.begin(&audience(None), Some(last_id)).map(|(numbering, sequence)| {
            // It stays open, so that nobody else is there.
            std::mem::forget(numbering);
            sequence
        })
    }

    #[test]
    fn every_connection_counts_from_one_and_an_event_told_twice_counts_once() {
        let numberings = Arc::default();
        for run in ["1", "2"] {
            let (mut numbering, _) = Numberings::begin(&numberings, &audience(Some(run)), None).unwrap();
            assert_eq!([40, 41, 41, 45].map(|sequence| numbering.number(sequence)), [1, 2, 2, 3]);
        }
    }

    #[test]
    fn connections_of_one_stream_count_alike_or_well_apart() {
        let numberings: Arc<Numberings> = Arc::default();
        let begin = || numberings.begin(&audience(None), None).unwrap().0;
        let (mut one, mut alike) = (begin(), begin());
        assert_eq!([1, 2, 3].map(|event| (one.number(event), alike.number(event))), [(1, 1), (2, 2), (3, 3)]);
        let mut like_the_others = begin();
        assert_eq!(like_the_others.number(4), 4);
        (4..=10).for_each(|event| _ = (one.number(event), alike.number(event)));
        drop(alike);
        // Its client had three, and those who begin there begin anew; but not so close to those that are at three there.
        let (mut resumed, sequence) = numberings.begin(&audience(None), Some(3)).unwrap();
        assert_eq!((sequence, resumed.number(4)), (3, 4));
        (11..99).for_each(|event| _ = (one.number(event), like_the_others.number(event), resumed.number(event)));
        assert_eq!(begin().number(99), 1, "low numbers come again");
    }

    #[test]
    fn who_comes_back_is_taken_for_the_one_whose_count_ended_there() {
        let numberings: Arc<Numberings> = Arc::default();
        let begin = || numberings.begin(&audience(None), None).unwrap().0;
        let mut old = begin();
        (1..=20).for_each(|event| _ = old.number(event));
        let mut young = begin();
        (21..=25).for_each(|event| _ = (old.number(event), young.number(event)));
        // Of the last event of the old one, nobody knows whether it arrived.
        old.number(26);
        drop((old, young));
        assert_eq!(resumed_at(&numberings, 4), Some(24));
        assert_eq!(resumed_at(&numberings, 25), Some(25));
        assert_eq!(resumed_at(&numberings, 4), None, "each of them is resumed once");
    }

    #[test]
    fn a_stream_is_resumed_only_by_one_of_its_own() {
        let numberings = Arc::default();
        ended(&numberings, None, 1..=3);
        assert!(Numberings::begin(&numberings, &audience(Some("run")), Some(3)).is_none());
        assert!(Numberings::begin(&numberings, &audience(None), Some(4)).is_none());
        assert_eq!(resumed_at(&numberings, 3), Some(3));
    }

    #[test]
    fn a_connection_that_ends_before_anything_was_written_leaves_its_client_where_it_was() {
        let numberings = Arc::default();
        ended(&numberings, None, 1..=3);
        ended(&numberings, Some(3), []);
        assert_eq!(resumed_at(&numberings, 3), Some(3));
    }

    #[test]
    fn a_connection_that_ends_before_anything_arrived_leaves_its_client_where_it_was() {
        let numberings = Arc::default();
        ended(&numberings, None, 1..=9);
        ended(&numberings, Some(7), 8..=10);
        assert_eq!(resumed_at(&numberings, 7), Some(7));
        // Nor does what never arrived count once it is two connections back.
        ended(&numberings, None, 1..=9);
        ended(&numberings, Some(7), 8..=10);
        assert_eq!(resumed_at(&numberings, 9), None);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let numberings = Arc::default();
        for _ in 0..=ENDED_MAX {
            ended(&numberings, None, 1..=EVENTS_MAX as u64 + 1);
        }
        let stands = numberings.lock();
        assert_eq!((stands.open.len(), stands.ended.len()), (0, ENDED_MAX));
        assert!(stands.ended.iter().all(|stand| stand.sequences.len() == EVENTS_MAX));
    }
}
