//! The stream ledger: the clients of one stream are each other's oracle.
//!
//! Every client that was connected must have seen each event that another one saw, whatever the ids look like. An event
//! is identified by its content (data with timestamp) and by its number among the events of the same content: a run may
//! log the same line three times within a millisecond. Ids only help to distinguish a repeat from a new event. The
//! ledger has no clock and no socket: moments are real milliseconds that its caller passes in, and never go back.
//!
//! - A client **owes** an event if it was there before the event was first seen. A client that goes away stays a debtor
//!   when it comes back with a `Last-Event-ID`, since the gateway then owes it everything in between.
//! - An event is **missed** by a client that owes it, is connected, and has had [`GRACE_MS`] to get it since it came
//!   back. A client that never comes back is no witness.
//! - An event is **repeated** when a client gets its content again under the id that it had it under, or after the end
//!   of its run; or under an id that it had it under, but stamped with another time.
//! - Content that comes again under another id, before the run's end, is an **equal** event or a repeat. It is an event
//!   if as many clients get it as often, and the others have missed it. If fewer do than do not, it is repeated to
//!   those that did. Where all of them got it as often, only the run's record can tell ([`DeliveryKind::Equal`]).
//!
//! A repeat with a new timestamp is certain on one connection, where ids are unique. Beyond it, it is certain only
//! where ids are the events' own ([`numbering`]), and reported only instead of a gap: when a client that was connected
//! lacks the event with the new timestamp. So a gateway that loses nothing gets no finding, whatever ids its events
//! have. The harness cannot distinguish a log that is sent to all again with new timestamps from one that begins anew.
//!
//! Events are numbered in the order of their first arrival ([`sequence`]). A client has a position, before which no
//! more findings about it come, and the numbers of the events that it has seen, as ranges: like the selective
//! acknowledgements of TCP. So a delivery takes constant time, however many clients there are. An event is closed when
//! all clients have passed it.
//!
//! Memory is bounded: an event that all its debtors have passed leaves only hashes behind, its content's and its id's,
//! and the oldest of these are forgotten beyond [`sequence::REMEMBERED_MAX`] and [`numbering::KNOWN_MAX`]. If a client
//! lacks events in more than [`GAPS_MAX`] places, the oldest of these events are given up for it, and are counted.

mod numbering;
mod range_set;
mod room;
mod sequence;
mod settling;

use std::collections::{BTreeMap, HashMap, VecDeque};

use numbering::{ClientIds, Named, Numbering};
use range_set::RangeSet;
use room::Capacity;
use sequence::{Copy, Entry, Sequence};

use super::{
    Delivered, Delivery, DeliveryKind,
    content_hash::{content_hash, event_hash, nth_hash},
};
use crate::journal::clip;

/// Clients of one ledger.
const CLIENTS_MAX: usize = crate::plan::STREAMS_MAX as usize;
/// Events first seen so shortly after a client's first opening are not owed: they may have been sent before it.
const OPENING_MARGIN_MS: u64 = 2_000;
/// How long a connected client may lag behind the others, or behind its own return, before it has missed an event.
pub const GRACE_MS: u64 = 10_000;
/// Places in the sequence at which a client may lack events that may still come.
const GAPS_MAX: usize = 256;
/// Clients of which it is remembered that they got an event as an equal one.
const COPIES_MAX: usize = 256;
/// Repeats of a line that are looked up one by one: some of them may count as seen by all, with others between.
const LOOKED_UP_MAX: u32 = 64;
/// Ends of runs that are remembered at the capacity 1, with the clients that got them; the oldest are forgotten first.
/// A repeat of a forgotten run under another id looks like an equal event.
const ENDED_MAX: usize = 7_000;

/// The ledger of one stream.
#[derive(Debug, Default)]
pub struct Ledger {
    capacity: Capacity,
    clients: Vec<LedgerClient>,
    numbering: Numbering,
    sequence: Sequence,
    /// The runs whose end was seen: each a number, in the order of their ends.
    ended: HashMap<u64, u64>,
    /// The same, oldest first. The first has the number `first_ended`.
    ended_order: VecDeque<u64>,
    first_ended: u64,
    /// The number of clients that have been connected since each moment.
    connected: BTreeMap<u64, usize>,
    /// The number of clients that owe what is first seen now.
    owing: u32,
    /// The number of further clients that owe from each moment on.
    will_owe: BTreeMap<u64, usize>,
    /// Events first seen so shortly after a client's first opening are not owed.
    opening_margin_ms: u64,
}

#[derive(Debug)]
struct LedgerClient {
    /// Since when it owes events; `None` before it was ever there.
    owes_since_ms: Option<u64>,
    /// Since when it has been connected; `None` while it is away.
    connected_since_ms: Option<u64>,
    /// The number of the first event of which there is more to say: it may come, or be missed.
    position: u64,
    /// The numbers of the events that it saw.
    seen: RangeSet,
    /// The numbers of the ends that it saw, and of those that it saw on its connection of now.
    ends: RangeSet,
    ends_here: RangeSet,
    ids: ClientIds,
}

impl LedgerClient {
    /// Milliseconds from the client's last return to a moment, where it owes what came before its return.
    fn after_return_ms(&self, moment: u64) -> Option<i64> {
        let returned_ms = self.connected_since_ms.filter(|since_ms| self.owes_since_ms < Some(*since_ms))?;
        Some(moment.cast_signed().saturating_sub(returned_ms.cast_signed()))
    }
}

impl Ledger {
    /// A ledger of at most `STREAMS_MAX` clients, as in the plan.
    pub fn new(clients: usize) -> Self {
        let clients = clients.min(CLIENTS_MAX);
        let client = || LedgerClient {
            owes_since_ms: None,
            connected_since_ms: None,
            position: 0,
            seen: RangeSet::default(),
            ends: RangeSet::default(),
            ends_here: RangeSet::default(),
            ids: ClientIds::of(clients),
        };
        let clients = (0..clients).map(|_| client()).collect();
        Self { clients, opening_margin_ms: OPENING_MARGIN_MS, ..Self::default() }
    }

    /// The ledger of a session that takes over from another. Its clients come back with ids whose past it does not
    /// know: another client may have had an event that is replayed to one. Until that is over nothing is owed.
    pub fn taking_over(clients: usize) -> Self {
        Self { opening_margin_ms: GRACE_MS, ..Self::new(clients) }
    }

    /// The same, with all the room that its memory will ever take: some three megabytes up to 233 runs a second of real
    /// time, and proportionally more at a higher rate.
    pub fn with_room(self, runs_per_second: f64) -> Self {
        let capacity = Capacity::at(runs_per_second, ENDED_MAX);
        let ended_max = capacity.0 * ENDED_MAX;
        Self {
            capacity,
            sequence: Sequence::with_room(capacity),
            ended: room::table(ended_max, || 0),
            ended_order: room::queue(ended_max, 0),
            numbering: Numbering::with_room(capacity),
            ..self
        }
    }

    /// A client's stream opened; `resumed` if it sent a `Last-Event-ID`.
    pub fn opened(&mut self, client: usize, now_ms: u64, resumed: bool) {
        let Some(state) = self.clients.get_mut(client) else { return };
        if let Some(before) = state.connected_since_ms.replace(now_ms) {
            forget_moment(&mut self.connected, before);
        }
        *self.connected.entry(now_ms).or_default() += 1;
        state.ids.reconnected();
        state.ends_here = RangeSet::default();
        if !resumed || state.owes_since_ms.is_none() {
            self.owes_nothing_before(client, now_ms.saturating_add(self.opening_margin_ms));
        }
    }

    /// Without a Last-Event-ID the gateway owes a client nothing of what went by.
    fn owes_nothing_before(&mut self, client: usize, moment: u64) {
        self.pass(client, u64::MAX);
        if let Some(before) = self.clients[client].owes_since_ms.replace(moment)
            && !forget_moment(&mut self.will_owe, before)
        {
            self.owing = self.owing.saturating_sub(1);
        }
        *self.will_owe.entry(moment).or_default() += 1;
    }

    /// Ends the findings about a client and the events before a number. Gives the number of events that it lacked.
    fn pass(&mut self, client: usize, before: u64) -> u64 {
        let passed: Vec<u64> = self.lacking(client).map(|(at, _)| at).take_while(|at| *at < before).collect();
        for at in &passed {
            if let Some(entry) = self.sequence.entry_mut(*at) {
                entry.lacking = entry.lacking.saturating_sub(1);
            }
            self.clients[client].position = at + 1;
        }
        passed.len() as u64
    }

    /// The number of clients that owe an event that is first seen at a moment. Moments do not go back.
    fn owing_at(&mut self, now_ms: u64) -> u32 {
        while let Some(first) = self.will_owe.first_entry().filter(|first| *first.key() <= now_ms) {
            self.owing += u32::try_from(first.remove()).unwrap_or(u32::MAX);
        }
        self.owing
    }

    /// A client's stream ended, by whomever.
    pub fn lost(&mut self, client: usize) {
        if let Some(before) = self.clients.get_mut(client).and_then(|state| state.connected_since_ms.take()) {
            forget_moment(&mut self.connected, before);
        }
    }

    /// A client got an event.
    pub fn saw(&mut self, client: usize, now_ms: u64, got: &Delivery<'_>) -> Delivered {
        let Some(state) = self.clients.get_mut(client) else {
            return Delivered { sighting: DeliveryKind::New, is_first: false };
        };
        let id = (!got.id.is_empty()).then(|| content_hash(got.id));
        let named = Named { id, unstamped: content_hash(got.unstamped) };
        let before = self.numbering.note(&mut state.ids, named);
        let is_repeat = before.on_this_connection || before.had && before.shown;
        let content = event_hash(got.stamp, named.unstamped);
        let had_content = self.has_seen(client, content);
        let is_after_end = self.note_end(client, content_hash(got.run), got.is_end());
        // What comes again under the same id, or when the run is over, is no event of its own.
        let is_again = is_repeat || had_content && (before.had || is_after_end);
        let number = if had_content && !is_again { self.times_seen(client, content) + 1 } else { 1 };
        let content = if number > 1 { nth_hash(content, number) } else { content };
        // The others owe an event as they knew it, not as it was stamped anew.
        let lacking = if is_repeat { 0 } else { self.owing_at(now_ms) };
        let known = self.sequence.number_of(content);
        let place = known.unwrap_or_else(|| {
            let entry = Entry {
                first_seen_ms: now_ms,
                run: got.run.to_owned(),
                id: got.id.to_owned(),
                line: clip(got.line()),
                named,
                seen_by: 0,
                lacking,
                is_passed: false,
                copies: Vec::new(),
                is_owed: !is_repeat,
                is_stamped_anew: before.known && number == 1,
            };
            self.sequence.append(content, entry)
        });
        let state = &mut self.clients[client];
        let is_new_here = state.seen.insert(place);
        if let Some(entry) = self.sequence.entry_mut(place).filter(|entry| !entry.is_passed) {
            let is_owed = entry.is_owed
                && place >= state.position
                && state.owes_since_ms.is_some_and(|since_ms| since_ms <= entry.first_seen_ms);
            entry.lacking = entry.lacking.saturating_sub(u32::from(is_new_here && is_owed));
            entry.seen_by += u32::from(is_new_here);
            if is_new_here && entry.named.id != named.id {
                // Others name it otherwise: so its id proves nothing, neither that it was there before.
                entry.is_stamped_anew = false;
                self.numbering.doubt(entry.named);
            }
            if number > 1 && entry.copies.len() < COPIES_MAX {
                entry.copies.push(Copy { client, id: got.id.to_owned(), same_id: before.here });
            }
        }
        let sighting = match number {
            _ if is_again => DeliveryKind::Again { same_id: before.here },
            2.. => DeliveryKind::Equal,
            _ => DeliveryKind::New,
        };
        if before.had && sighting == DeliveryKind::New {
            self.numbering.suspect(named, client);
        }
        Delivered { sighting, is_first: known.is_none() && !is_again }
    }

    fn has_seen(&self, client: usize, content: u64) -> bool {
        let Some(number) = self.sequence.number_of(content) else { return false };
        self.clients[client].seen.contains(number) || self.sequence.is_void(number)
    }

    /// Returns how often a client has seen a content that it has seen. Only some of a thousand equal lines are looked
    /// up: a client that has seen the n-th has, as a rule, seen the lines before it.
    fn times_seen(&self, client: usize, content: u64) -> u32 {
        let has_seen = |number: u32| self.has_seen(client, nth_hash(content, number));
        if let Some(unseen) = (2..=LOOKED_UP_MAX).find(|number| !has_seen(*number)) {
            return unseen - 1;
        }
        let (mut seen, mut unseen) = (LOOKED_UP_MAX, 2 * LOOKED_UP_MAX);
        while has_seen(unseen) {
            (seen, unseen) = (unseen, unseen.saturating_mul(2));
            if unseen == u32::MAX {
                return seen;
            }
        }
        while unseen - seen > 1 {
            let middle = seen + (unseen - seen) / 2;
            if has_seen(middle) { seen = middle } else { unseen = middle }
        }
        seen
    }

    /// Notes the end of a run. Says whether the client had got it before.
    fn note_end(&mut self, client: usize, run: u64, is_end: bool) -> bool {
        let known = self.ended.get(&run).copied();
        let ends = &mut self.clients[client].ends;
        if !is_end {
            return known.is_some_and(|number| ends.contains(number));
        }
        let number = known.unwrap_or_else(|| {
            let number = self.first_ended + self.ended_order.len() as u64;
            self.ended.insert(run, number);
            self.ended_order.push_back(run);
            if self.ended_order.len() > self.capacity.0 * ENDED_MAX
                && let Some(oldest) = self.ended_order.pop_front()
            {
                self.ended.remove(&oldest);
                self.first_ended += 1;
            }
            number
        });
        let is_new = ends.insert(number);
        self.clients[client].ends_here.insert(number);
        !is_new
    }

    /// Whether a client has seen the end of a run on its connection of now.
    pub fn has_shown_end(&self, client: usize, run: &str) -> bool {
        let number = self.ended.get(&content_hash(run));
        number.zip(self.clients.get(client)).is_some_and(|(number, state)| state.ends_here.contains(*number))
    }
}

/// One client less at a moment. Says whether there was one.
fn forget_moment(moments: &mut BTreeMap<u64, usize>, moment: u64) -> bool {
    let Some(count) = moments.get_mut(&moment) else { return false };
    *count -= 1;
    if *count == 0 {
        moments.remove(&moment);
    }
    true
}

#[cfg(test)]
mod bounds_tests;
#[cfg(test)]
mod fuzz_tests;
#[cfg(test)]
mod model;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
