//! The information of ids about events, with a bit for each client.

use std::collections::{HashMap, VecDeque};

use crate::streams::ledger::numbering::{Before, KNOWN_MAX, Named, OWN_MAX, SUSPECTS_MAX};

/// The ids of one ledger's streams.
#[derive(Debug, Default)]
pub(super) struct Numbering {
    known: HashMap<u64, KnownId>,
    order: VecDeque<u64>,
    /// An id came on another connection with something else.
    is_anew: bool,
    /// An id came on one connection with something else.
    is_lacking: bool,
}

/// The event that an id was seen to name.
#[derive(Debug)]
struct KnownId {
    unstamped: u64,
    /// Who had it.
    had: u128,
    /// Clients that had it again, stamped otherwise, if it is the same event.
    suspects: Vec<usize>,
    /// It is the same event, however stamped.
    is_shown: bool,
}

/// The last ids of one client.
#[derive(Debug, Default)]
pub(super) struct OwnIds {
    connection: u32,
    ids: HashMap<u64, (u64, u32)>,
    order: VecDeque<u64>,
}

impl Numbering {
    /// A client got an event: notes its id, and says what had come under it.
    pub(super) fn note(&mut self, own: &mut OwnIds, bit: u128, named: Named) -> Before {
        let Some(id) = named.id else { return Before::default() };
        let mut before = Before::default();
        if let Some((unstamped, connection)) = own.note(id, named.unstamped) {
            let on_this_connection = connection == own.connection;
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
                before.had = known.had & bit != 0;
                before.shown = known.is_shown;
                known.had |= bit;
            }
            Some(_) => {
                self.is_anew = true;
                // Nobody asks for them any more.
                self.known = HashMap::new();
                self.order = VecDeque::new();
            }
            None => {
                let known = KnownId { unstamped: named.unstamped, had: bit, suspects: Vec::new(), is_shown: false };
                self.learn(id, known);
            }
        }
        before.here |= before.had;
        before
    }

    /// Whether an id names one event for good, for all that is known.
    pub(super) const fn is_for_good(&self) -> bool {
        !self.is_anew
    }

    /// Who had this under this id, stamped whichever way.
    pub(super) fn had(&self, named: Named) -> u128 {
        let known = named.id.and_then(|id| self.known.get(&id)).filter(|known| known.unstamped == named.unstamped);
        known.map_or(0, |known| known.had)
    }

    /// A client may have had this again.
    pub(super) fn suspect(&mut self, named: Named, client: usize) {
        if let Some(known) = self.known_mut(named)
            && known.suspects.len() < SUSPECTS_MAX
        {
            known.suspects.push(client);
        }
    }

    /// It is the same event, however stamped: those who were suspected of having had it again, had it again.
    pub(super) fn show(&mut self, named: Named) -> Vec<usize> {
        self.known_mut(named).map_or_else(Vec::new, |known| {
            known.is_shown = true;
            std::mem::take(&mut known.suspects)
        })
    }

    /// This event has other ids, too, so that this one proves nothing.
    pub(super) fn doubt(&mut self, named: Named) {
        if let Some(known) = self.known_mut(named) {
            known.had = 0;
            known.suspects.clear();
        }
    }

    fn known_mut(&mut self, named: Named) -> Option<&mut KnownId> {
        self.known.get_mut(&named.id?).filter(|known| known.unstamped == named.unstamped)
    }

    fn learn(&mut self, id: u64, known: KnownId) {
        self.known.insert(id, known);
        self.order.push_back(id);
        if self.order.len() > KNOWN_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

impl OwnIds {
    /// Another connection begins.
    pub(super) fn reconnected(&mut self) {
        self.connection = self.connection.wrapping_add(1);
    }

    /// Notes what an id came with; says with what it came before, and on which connection.
    fn note(&mut self, id: u64, unstamped: u64) -> Option<(u64, u32)> {
        let before = self.ids.insert(id, (unstamped, self.connection));
        if before.is_none() {
            self.order.push_back(id);
            if self.order.len() > OWN_MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.ids.remove(&oldest);
            }
        }
        before
    }
}
