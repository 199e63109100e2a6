//! The stream ledger: the clients of one stream are each other's oracle.
//!
//! What some clients saw, all that were there must have seen, whatever the ids look like. An event is known by its
//! content; ids only help to tell a repeat from a new event. The ledger knows no clock and no socket: moments are real
//! milliseconds that its caller passes in, and never go back.
//!
//! - A client **owes** an event if it was there before the event was first seen. A client that goes away stays a debtor
//!   when it comes back with a `Last-Event-ID`, since the gateway then owes it everything in between.
//! - An event is **missed** by a client that owes it, is connected, and has had [`GRACE_MS`] to get it since it came
//!   back. One that never comes back is no witness.
//! - An event is **duplicated** when a client gets its content again, or gets another content under an id that it has had
//!   on the same connection.
//!
//! Memory is bounded: an event that all its debtors have seen leaves only its content's hash behind, and of these the
//! oldest are forgotten beyond [`REMEMBERED_MAX`].

use std::{
    collections::{HashMap, HashSet, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
};

/// Clients of one ledger: as many as an integer has bits.
const CLIENTS_MAX: usize = crate::plan::STREAMS_MAX as usize;
/// Events first seen so shortly after a client's first opening are not owed: they may have been sent before it.
const OPENING_MARGIN_MS: u64 = 2_000;
/// How long a connected client may lag behind the others, or behind its own return, before it has missed an event.
const GRACE_MS: u64 = 10_000;
/// Events that not all debtors have seen. Beyond it the oldest are given up, counted.
const OPEN_MAX: usize = 20_000;
/// Hashes of events that all debtors have seen.
const REMEMBERED_MAX: usize = 32_768;
/// Ids that a client remembers: a repeat that was stamped anew comes soon after the first.
const IDS_MAX: usize = 256;

/// What a client saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sighting {
    /// An event that it had not seen.
    New,
    /// An event that it had seen: under the same id, or a new one.
    Again {
        /// Whether the id was the same.
        same_id: bool,
    },
}

/// An event that a client should have seen and did not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missed {
    /// Which client.
    pub client: usize,
    /// The run that the event is about.
    pub run: String,
    /// The id it had at one who saw it.
    pub id: String,
    /// How many clients saw it.
    pub seen_by: u32,
    /// When it was first seen.
    pub first_seen_ms: u64,
}

/// The ledger of one stream.
#[derive(Debug, Default)]
pub struct Ledger {
    clients: Vec<Client>,
    open: HashMap<u64, Entry>,
    /// The open events, oldest first.
    order: VecDeque<u64>,
    /// Who saw what was closed.
    closed: HashMap<u64, u128>,
    closed_order: VecDeque<u64>,
    evicted: u64,
}

#[derive(Debug, Default)]
struct Client {
    /// Since when it owes events; `None` before it was ever there.
    owes_since_ms: Option<u64>,
    /// Since when it has been connected; `None` while it is away.
    connected_since_ms: Option<u64>,
    /// Counts its connections.
    connection: u32,
    /// The last ids it had, and the content and connection they came with.
    ids: HashMap<u64, (u64, u32)>,
    ids_order: VecDeque<u64>,
}

#[derive(Debug)]
struct Entry {
    first_seen_ms: u64,
    run: String,
    id: String,
    seen: u128,
    owed: u128,
    /// Those of whom it was said that they missed it.
    reported: u128,
}

impl Ledger {
    /// A ledger of so many clients, at most `STREAMS_MAX` of the plan.
    #[must_use]
    pub fn new(clients: usize) -> Self {
        let clients = (0..clients.min(CLIENTS_MAX)).map(|_| Client::default()).collect();
        Self { clients, ..Self::default() }
    }

    /// A client's stream opened; `resumed` if it sent a `Last-Event-ID`.
    pub fn opened(&mut self, client: usize, now_ms: u64, resumed: bool) {
        let Some(state) = self.clients.get_mut(client) else { return };
        state.connected_since_ms = Some(now_ms);
        state.connection = state.connection.wrapping_add(1);
        if !resumed || state.owes_since_ms.is_none() {
            state.owes_since_ms = Some(now_ms.saturating_add(OPENING_MARGIN_MS));
            // Without a Last-Event-ID the gateway owes nothing of what went by.
            let bit = 1_u128 << client;
            for entry in self.open.values_mut() {
                entry.owed &= !bit;
            }
        }
    }

    /// A client's stream ended, by whomever.
    pub fn lost(&mut self, client: usize) {
        if let Some(state) = self.clients.get_mut(client) {
            state.connected_since_ms = None;
        }
    }

    /// A client got an event. `content` is all that makes it this event; `id` what the stream called it.
    pub fn saw(&mut self, client: usize, now_ms: u64, content: &str, run: &str, id: &str) -> Sighting {
        if client >= self.clients.len() {
            return Sighting::New;
        }
        let (content, id_hash, bit) = (hash(content), hash(id), 1_u128 << client);
        let had_id = self.clients[client].remember_id(id_hash, content);
        if let Some(seen) = self.closed.get_mut(&content) {
            let again = *seen & bit != 0;
            *seen |= bit;
            return if again { Sighting::Again { same_id: had_id.is_some() } } else { Sighting::New };
        }
        let owed = self.debtors(now_ms);
        let entry = self.open.entry(content).or_insert_with(|| {
            self.order.push_back(content);
            Entry { first_seen_ms: now_ms, run: run.to_owned(), id: id.to_owned(), seen: 0, owed, reported: 0 }
        });
        if entry.seen & bit != 0 {
            return Sighting::Again { same_id: had_id.is_some() };
        }
        entry.seen |= bit;
        self.evict();
        match had_id {
            // Another content under an id that this connection has had: a repeat that was stamped anew. Over connections
            // that would prove nothing, since some gateways number each of them anew.
            Some((other, true)) if other != content && !id.is_empty() => {
                // The others owe the event as they knew it, not as it was stamped anew for one of them.
                self.take_back(content, bit);
                Sighting::Again { same_id: true }
            }
            _ => Sighting::New,
        }
    }

    /// Says what has been missed by now, and lets go of what everyone has passed.
    pub fn settle(&mut self, now_ms: u64) -> Vec<Missed> {
        let mut missed = Vec::new();
        for entry in self.open.values_mut() {
            let lacking = entry.owed & !entry.seen & !entry.reported;
            for (client, state) in self.clients.iter().enumerate().filter(|(n, _)| lacking & (1 << n) != 0) {
                let Some(connected_since_ms) = state.connected_since_ms else { continue };
                if now_ms >= connected_since_ms.max(entry.first_seen_ms).saturating_add(GRACE_MS) {
                    entry.reported |= 1 << client;
                    missed.push(Missed {
                        client,
                        run: entry.run.clone(),
                        id: entry.id.clone(),
                        seen_by: entry.seen.count_ones(),
                        first_seen_ms: entry.first_seen_ms,
                    });
                }
            }
        }
        missed.sort_by_key(|m| (m.first_seen_ms, m.client));
        self.close_passed();
        missed
    }

    /// How many events some connected client still lacks. At the end of a soak this is waited for.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        let connected = self.connected();
        self.open.values().filter(|e| e.owed & !e.seen & !e.reported & connected != 0).count()
    }

    /// Events that were given up because too many were open at once, since the last call.
    pub fn take_evicted(&mut self) -> u64 {
        std::mem::take(&mut self.evicted)
    }

    /// Forgets an event that nobody but one client has seen.
    fn take_back(&mut self, content: u64, bit: u128) {
        if self.open.get(&content).is_some_and(|entry| entry.seen == bit) {
            self.open.remove(&content);
            self.order.retain(|other| *other != content);
            self.remember(content, bit);
        }
    }

    fn debtors(&self, now_ms: u64) -> u128 {
        let owes = |c: &Client| c.owes_since_ms.is_some_and(|since| since <= now_ms);
        self.clients.iter().enumerate().filter(|(_, c)| owes(c)).fold(0, |mask, (n, _)| mask | 1 << n)
    }

    fn connected(&self) -> u128 {
        let there = self.clients.iter().enumerate().filter(|(_, c)| c.connected_since_ms.is_some());
        there.fold(0, |mask, (n, _)| mask | 1 << n)
    }

    /// Closes, from the oldest on, what every debtor has seen or was said to have missed.
    fn close_passed(&mut self) {
        let passed: HashSet<u64> =
            self.open.iter().filter(|(_, e)| e.owed & !e.seen & !e.reported == 0).map(|(hash, _)| *hash).collect();
        if passed.is_empty() {
            return;
        }
        self.order.retain(|hash| !passed.contains(hash));
        for hash in passed {
            if let Some(entry) = self.open.remove(&hash) {
                self.remember(hash, entry.seen);
            }
        }
    }

    fn evict(&mut self) {
        while self.open.len() > OPEN_MAX {
            let Some(hash) = self.order.pop_front() else { return };
            if let Some(entry) = self.open.remove(&hash) {
                self.evicted += 1;
                self.remember(hash, entry.seen);
            }
        }
    }

    fn remember(&mut self, hash: u64, seen: u128) {
        self.closed.insert(hash, seen);
        self.closed_order.push_back(hash);
        while self.closed_order.len() > REMEMBERED_MAX {
            if let Some(oldest) = self.closed_order.pop_front() {
                self.closed.remove(&oldest);
            }
        }
    }
}

impl Client {
    /// Notes an id and its content; says with which content it had the id before, and whether on this connection.
    fn remember_id(&mut self, id: u64, content: u64) -> Option<(u64, bool)> {
        let before = self.ids.insert(id, (content, self.connection));
        if before.is_none() {
            self.ids_order.push_back(id);
            if self.ids_order.len() > IDS_MAX
                && let Some(oldest) = self.ids_order.pop_front()
            {
                self.ids.remove(&oldest);
            }
        }
        before.map(|(content, connection)| (content, connection == self.connection))
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
