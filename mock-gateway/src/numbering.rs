//! Ids that start anew on every connection, with exact resumption all the same.
//!
//! A `Last-Event-ID` of 7 is then that of many connections. So where ended connections stood is remembered, and whoever
//! comes back with 7 is taken for the client of the one that ended closest after its seventh event and was not resumed
//! yet; of several, of the one that ended first. Connections that ended together and count alike stand at the same event
//! under each number, so taking one for the other does no harm. Those that count otherwise end at another number, unless
//! as many events as they differ by were on their way when they ended.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::events::Audience;

/// Ended connections that are remembered. The oldest is forgotten first, and cannot be resumed any more.
const ENDED_MAX: usize = 64;
/// Events of a connection that are remembered: more than can be on their way to its client.
const EVENTS_MAX: usize = 2_048;

/// Where ended connections stood.
#[derive(Default)]
pub(crate) struct Numberings(Mutex<VecDeque<Stand>>);

/// How far a connection has counted.
struct Stand {
    audience: Audience,
    /// Of its last event; none has 0.
    number: u64,
    /// The last events in the log's sequence, the last of them last.
    sequences: VecDeque<u64>,
    /// What it resumed: where its client still is if nothing arrived of what was written.
    resumed: Option<Box<Stand>>,
}

/// A connection that counts its events. Dropping it is the connection's end.
pub(crate) struct Numbering {
    stand: Option<Stand>,
    ended: Arc<Numberings>,
}

impl Numberings {
    /// A connection that begins: its numbering, and the event of the log that its client has come to. None where the
    /// client comes back with an id that no connection ended with.
    pub(crate) fn begin(self: &Arc<Self>, audience: &Audience, last_id: Option<u64>) -> Option<(Numbering, u64)> {
        let resumed = match last_id {
            Some(last_id) => Some(self.take(audience, last_id)?),
            None => None,
        };
        let sequence = resumed.as_ref().zip(last_id).and_then(|(stand, id)| stand.sequence(id)).unwrap_or(0);
        // One step back is enough, or there would be no end to it.
        let resumed = resumed.map(|stand| Box::new(stand.arrived_at(last_id)));
        let stand = Stand { audience: audience.clone(), number: 0, sequences: VecDeque::new(), resumed };
        Some((Numbering { stand: Some(stand), ended: Arc::clone(self) }, sequence))
    }

    fn take(&self, audience: &Audience, id: u64) -> Option<Stand> {
        let mut ended = self.lock();
        let candidates = ended.iter().enumerate();
        let candidates = candidates.filter(|(_, stand)| stand.audience == *audience && stand.sequence(id).is_some());
        let (place, _) = candidates.min_by_key(|(place, stand)| (stand.distance(id), *place))?;
        ended.remove(place)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Stand>> {
        self.0.lock().expect("no holder panics")
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
        self.number.checked_sub(number).map_or((true, self.number), |behind| (false, behind))
    }

    /// As its client knows it that came back with this id: of what was on its way after that, nothing arrived.
    fn arrived_at(mut self, id: Option<u64>) -> Self {
        let sequence = id.and_then(|id| self.sequence(id));
        self.number = id.unwrap_or(0);
        self.sequences = sequence.into_iter().collect();
        self.resumed = None;
        self
    }
}

impl Numbering {
    /// The id of an event of the log. One that is told twice running has it twice.
    pub(crate) fn number(&mut self, sequence: u64) -> u64 {
        let stand = self.stand.as_mut().expect("it is there until the end");
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
        let mut ended = self.ended.lock();
        ended.extend(self.stand.take());
        while ended.len() > ENDED_MAX {
            ended.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Channel;

    fn audience(run: Option<&str>) -> Audience {
        Audience { channel: Channel::Logs, workspace: "w".into(), run: run.map(Into::into) }
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
        for _ in 0..2 {
            let (mut numbering, from) = Numberings::begin(&numberings, &audience(None), None).unwrap();
            assert_eq!((from, [40, 41, 41, 45].map(|sequence| numbering.number(sequence))), (0, [1, 2, 2, 3]));
        }
    }

    #[test]
    fn who_comes_back_is_taken_for_the_one_whose_count_ended_there() {
        let numberings = Arc::default();
        ended(&numberings, None, 10..=19);
        ended(&numberings, None, 15..=19);
        // Of one more event, nobody knows whether it arrived.
        ended(&numberings, None, 18..=20);
        assert_eq!(resumed_at(&numberings, 5), Some(19));
        assert_eq!(resumed_at(&numberings, 2), Some(19));
        assert_eq!(resumed_at(&numberings, 10), Some(19));
        assert_eq!(resumed_at(&numberings, 10), None, "each of them is resumed once");
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
        for last in 1..=ENDED_MAX as u64 + 1 {
            ended(&numberings, None, 1..=last);
        }
        assert_eq!(numberings.lock().len(), ENDED_MAX);
        ended(&numberings, None, 1..=EVENTS_MAX as u64 + 1);
        assert_eq!(numberings.lock().back().unwrap().sequences.len(), EVENTS_MAX);
    }
}
