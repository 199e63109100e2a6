//! The information of ids about events: whether a client had an event before, under the same id with another timestamp.
//!
//! Some gateways give an event one permanent id; some restart their numbers on every connection, some with every
//! process; none says which. So an id is taken to be the event's own until it comes again with data that differ in more
//! than their timestamp. From then on ids mean nothing beyond a connection, for good: a gateway that restarts its
//! numbers shows it with the first event of the first client that comes back.
//!
//! Until then a run that repeats a line may still look like an event with a new timestamp. So ids give a suspicion,
//! which only a client's gap makes a finding: a separate event reaches all connected clients.
//!
//! On one connection, ids are taken to be unique until one comes again with something else. A stream whose events have
//! no ids of their own does that: to its client they all have the last id there was.

use std::collections::{HashMap, VecDeque};

use super::{
    range_set::RangeSet,
    room::{self, Capacity},
};

/// Ids that are remembered for all clients, at the capacity 1; the oldest are forgotten first. A repeat under a
/// forgotten id, stamped anew, looks like an event that one client saw and the others missed.
pub(super) const KNOWN_MAX: usize = 7_000;
/// Suspicions that are remembered of one id. One of them is enough for a finding.
pub(super) const SUSPECTS_MAX: usize = 64;
/// Ids that the clients of a ledger remember as their own, together; and one client, at least and at most. The oldest
/// are forgotten first: a repeat then looks as if it had a new id.
const OWN_ALL_MAX: usize = 256 * 128;
const OWN_MIN: usize = 32;
pub(super) const OWN_MAX: usize = 256;

/// The ids of one ledger's streams.
#[derive(Debug, Default)]
pub(super) struct Numbering {
    capacity: Capacity,
    known: HashMap<u64, KnownId>,
    /// The ids, oldest first, each with the number that it had at first.
    order: VecDeque<(u64, u64)>,
    /// The number of the id that is learnt next.
    next: u64,
    /// An id came on another connection with something else.
    is_anew: bool,
    /// An id came on one connection with something else.
    is_lacking: bool,
}

/// The event that an id was seen to name.
#[derive(Debug)]
struct KnownId {
    unstamped: u64,
    /// Its place among the ids, by which clients remember that they had it.
    number: u64,
    /// Clients that had it again, stamped otherwise, if it is the same event.
    suspects: Vec<usize>,
    /// It is the same event, however stamped.
    is_shown: bool,
}

/// An event's id and data, as hashes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named {
    /// None where the stream gave none.
    pub(super) id: Option<u64>,
    /// All of the data but the timestamp.
    pub(super) unstamped: u64,
}

/// The earlier deliveries under an id, with the same data except for the timestamp.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Before {
    /// To this client, on this connection.
    pub(super) on_this_connection: bool,
    /// To this client.
    pub(super) here: bool,
    /// To this client, and ids are the events' own.
    pub(super) had: bool,
    /// To anyone, and ids are the events' own.
    pub(super) known: bool,
    /// It is the same event, however stamped.
    pub(super) shown: bool,
}

/// The ids that one client had.
#[derive(Debug)]
pub(super) struct ClientIds {
    /// The numbers of known ids that it had.
    had: RangeSet,
    connection: u32,
    /// Its last ids, oldest first: the id, the data that came with it last, and on which connection.
    own: VecDeque<(u64, u64, u32)>,
    own_max: usize,
}

impl Numbering {
    /// One of a capacity, with all the room that it will ever take.
    pub(super) fn with_room(capacity: Capacity) -> Self {
        let filler = || KnownId { unstamped: 0, number: 0, suspects: Vec::new(), is_shown: false };
        let known_max = capacity.0 * KNOWN_MAX;
        let (known, order) = (room::table(known_max, filler), room::queue(known_max, (0, 0)));
        Self { capacity, known, order, ..Self::default() }
    }

    /// A client got an event: notes its id, and says what had come under it.
    pub(super) fn note(&mut self, client: &mut ClientIds, named: Named) -> Before {
        let mut before = Before::default();
        let Some(id) = named.id else { return before };
        if let Some((unstamped, connection)) = client.note(id, named.unstamped) {
            let on_this_connection = connection == client.connection;
            before.here = unstamped == named.unstamped;
            self.is_lacking |= on_this_connection && !before.here;
            before.on_this_connection = on_this_connection && before.here && !self.is_lacking;
        }
        if self.is_anew {
            return before;
        }
        match self.known.get_mut(&id) {
            Some(known) if known.unstamped == named.unstamped => {
                before.known = true;
                before.had = !client.had.insert(known.number);
                before.shown = known.is_shown;
            }
            Some(_) => {
                self.is_anew = true;
                // Nobody asks for them any more.
                self.known = HashMap::new();
                self.order = VecDeque::new();
            }
            None => {
                let number = self.learn(id, named.unstamped);
                client.had.insert(number);
            }
        }
        before.here |= before.had;
        before
    }

    /// Whether an id names one event for good, for all that is known.
    pub(super) const fn is_for_good(&self) -> bool {
        !self.is_anew
    }

    /// Whether a client had this under this id, stamped whichever way.
    pub(super) fn has_had(&self, client: &ClientIds, named: Named) -> bool {
        let known = named.id.and_then(|id| self.known.get(&id));
        known.is_some_and(|known| known.unstamped == named.unstamped && client.had.contains(known.number))
    }

    /// A client may have had this again.
    pub(super) fn suspect(&mut self, named: Named, client: usize) {
        if let Some(known) = self.known_mut(named)
            && known.suspects.len() < SUSPECTS_MAX
        {
            known.suspects.push(client);
        }
    }

    /// It is the same event, however stamped: clients that were suspected of having had it again, had it again.
    pub(super) fn show(&mut self, named: Named) -> Vec<usize> {
        let Some(known) = self.known_mut(named) else { return Vec::new() };
        known.is_shown = true;
        std::mem::take(&mut known.suspects)
    }

    /// This event has other ids, too, so that this one proves nothing: nobody had it, from now on.
    pub(super) fn doubt(&mut self, named: Named) {
        let next = self.next;
        if let Some(known) = self.known_mut(named) {
            known.number = next;
            known.suspects.clear();
            self.next += 1;
        }
    }

    /// Ids with lower numbers are forgotten.
    pub(super) fn first_remembered(&self) -> u64 {
        self.order.front().map_or(self.next, |(_, number)| *number)
    }

    fn known_mut(&mut self, named: Named) -> Option<&mut KnownId> {
        self.known.get_mut(&named.id?).filter(|known| known.unstamped == named.unstamped)
    }

    fn learn(&mut self, id: u64, unstamped: u64) -> u64 {
        let number = self.next;
        self.next += 1;
        self.known.insert(id, KnownId { unstamped, number, suspects: Vec::new(), is_shown: false });
        self.order.push_back((id, number));
        if self.order.len() > self.capacity.0 * KNOWN_MAX
            && let Some((oldest, _)) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        number
    }
}

impl ClientIds {
    /// The ids of one of this many clients.
    pub(super) fn of(clients: usize) -> Self {
        let own_max = (OWN_ALL_MAX / clients.max(1)).clamp(OWN_MIN, OWN_MAX);
        Self { had: RangeSet::default(), connection: 0, own: VecDeque::new(), own_max }
    }

    /// Another connection begins.
    pub(super) fn reconnected(&mut self) {
        self.connection = self.connection.wrapping_add(1);
    }

    /// Forgets ids that nobody remembers.
    pub(super) fn forget_before(&mut self, number: u64) {
        self.had.forget_before(number);
    }

    /// Notes what an id came with; says with what it came before, and on which connection.
    fn note(&mut self, id: u64, unstamped: u64) -> Option<(u64, u32)> {
        // The newest first: what comes again comes soon.
        if let Some(own) = self.own.iter_mut().rev().find(|(own, ..)| *own == id) {
            let before = (own.1, own.2);
            (own.1, own.2) = (unstamped, self.connection);
            return Some(before);
        }
        if self.own.len() == self.own_max {
            self.own.pop_front();
        }
        self.own.push_back((id, unstamped, self.connection));
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(id: u64, unstamped: u64) -> Named {
        Named { id: Some(id), unstamped }
    }

    #[test]
    fn an_id_is_the_events_own_until_it_comes_with_something_else() {
        let (mut numbering, mut own) = (Numbering::default(), ClientIds::of(2));
        assert_eq!(numbering.note(&mut own, named(7, 70)), Before::default());
        own.reconnected();
        let before = numbering.note(&mut own, named(7, 70));
        assert_eq!(before, Before { here: true, had: true, known: true, ..Before::default() });
        own.reconnected();
        assert_eq!(numbering.note(&mut own, named(7, 71)), Before::default());
        assert!(!numbering.is_for_good());
        assert_eq!((numbering.has_had(&own, named(7, 71)), numbering.known.capacity()), (false, 0));
    }

    #[test]
    fn an_id_that_names_two_events_of_one_connection_proves_no_repeat() {
        let (mut numbering, mut own) = (Numbering::default(), ClientIds::of(2));
        numbering.note(&mut own, named(7, 70));
        numbering.note(&mut own, named(7, 71));
        assert!(!numbering.note(&mut own, named(7, 71)).on_this_connection);
    }

    #[test]
    fn ids_are_forgotten_oldest_first() {
        let (mut numbering, mut own) = (Numbering::default(), ClientIds::of(2));
        for id in 0..=KNOWN_MAX as u64 {
            numbering.note(&mut own, named(id, id));
        }
        assert_eq!((numbering.known.len(), numbering.order.len()), (KNOWN_MAX, KNOWN_MAX));
        assert_eq!((own.own.len(), own.had.ranges()), (OWN_MAX, 1));
        let has_had = |id| numbering.has_had(&own, named(id, id));
        assert_eq!((has_had(0), has_had(1)), (false, true));
        // What a client forgot of its own ids, is known all the same.
        assert!(numbering.note(&mut own, named(1, 1)).here);
    }

    #[test]
    fn suspicions_are_bounded_and_told_once() {
        let (mut numbering, mut own) = (Numbering::default(), ClientIds::of(2));
        numbering.note(&mut own, named(7, 70));
        (0..=SUSPECTS_MAX).for_each(|client| numbering.suspect(named(7, 70), client));
        assert_eq!(numbering.show(named(7, 70)).len(), SUSPECTS_MAX);
        assert!(numbering.show(named(7, 70)).is_empty());
        assert!(numbering.note(&mut own, named(7, 70)).shown);
        numbering.suspect(named(7, 70), 0);
        numbering.doubt(named(7, 70));
        assert!(numbering.show(named(7, 70)).is_empty());
    }
}
