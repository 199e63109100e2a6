//! The ledger as it can be read at once: each event has a bit for each client. It takes time in proportion to the
//! clients, holds 128 of them, and is the model that [`super::Ledger`] is compared with.

mod entry;
mod numbering;

use std::collections::{HashMap, HashSet, VecDeque};

use entry::Entry;
use numbering::{Numbering, OwnIds};

use super::{
    ENDED_MAX, GRACE_MS, OPENING_MARGIN_MS,
    numbering::Named,
    sequence::{Copy, OPEN_MAX, REMEMBERED_MAX},
};
use crate::{
    journal::clip,
    streams::{
        Delivered, Delivery, DeliveryKind, Missed, Settlement,
        content_hash::{content_hash, event_hash, nth_hash},
    },
};

/// Clients of one ledger: as many as an integer has bits.
const CLIENTS_MAX: usize = 128;

/// The ledger of one stream.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    clients: Vec<LedgerClient>,
    numbering: Numbering,
    open: HashMap<u64, Entry>,
    /// The open events, oldest first.
    order: VecDeque<u64>,
    /// Who saw what was closed.
    closed: HashMap<u64, u128>,
    closed_order: VecDeque<u64>,
    /// Who got the end of a run.
    ended: HashMap<u64, u128>,
    ended_order: VecDeque<u64>,
    /// Events first seen so shortly after a client's first opening are not owed.
    opening_margin_ms: u64,
}

#[derive(Debug, Default)]
struct LedgerClient {
    /// Since when it owes events; `None` before it was ever there.
    owes_since_ms: Option<u64>,
    /// Since when it has been connected; `None` while it is away.
    connected_since_ms: Option<u64>,
    ids: OwnIds,
}

impl LedgerClient {
    fn after_return_ms(&self, moment: u64) -> Option<i64> {
        match (self.owes_since_ms, self.connected_since_ms) {
            (Some(owes_since_ms), Some(since_ms)) if owes_since_ms < since_ms => {
                Some(moment.cast_signed().saturating_sub(since_ms.cast_signed()))
            }
            _ => None,
        }
    }
}

impl Ledger {
    /// A ledger of so many clients, at most `STREAMS_MAX` of the plan.
    pub(super) fn new(clients: usize) -> Self {
        let clients = (0..clients.min(CLIENTS_MAX)).map(|_| LedgerClient::default()).collect();
        Self { clients, opening_margin_ms: OPENING_MARGIN_MS, ..Self::default() }
    }

    /// A client's stream opened; `resumed` if it sent a `Last-Event-ID`.
    pub(super) fn opened(&mut self, client: usize, now_ms: u64, resumed: bool) {
        let Some(state) = self.clients.get_mut(client) else { return };
        state.connected_since_ms = Some(now_ms);
        state.ids.reconnected();
        if !resumed || state.owes_since_ms.is_none() {
            state.owes_since_ms = Some(now_ms.saturating_add(self.opening_margin_ms));
            // Without a Last-Event-ID the gateway owes nothing of what went by.
            let bit = 1_u128 << client;
            for entry in self.open.values_mut() {
                entry.owed &= !bit;
            }
        }
    }

    /// A client's stream ended, by whomever.
    pub(super) fn lost(&mut self, client: usize) {
        if let Some(state) = self.clients.get_mut(client) {
            state.connected_since_ms = None;
        }
    }

    /// A client got an event.
    pub(super) fn saw(&mut self, client: usize, now_ms: u64, got: &Delivery<'_>) -> Delivered {
        let bit = 1_u128.checked_shl(u32::try_from(client).unwrap_or(u32::MAX)).unwrap_or(0);
        let Some(state) = self.clients.get_mut(client) else {
            return Delivered { sighting: DeliveryKind::New, is_first: false };
        };
        let id = (!got.id.is_empty()).then(|| content_hash(got.id));
        let named = Named { id, unstamped: content_hash(got.unstamped) };
        let before = self.numbering.note(&mut state.ids, bit, named);
        let is_repeat = before.on_this_connection || before.had && before.shown;
        let content = event_hash(got.stamp, named.unstamped);
        let had_content = self.has_seen(content, bit);
        let is_after_end = self.note_end(got, bit);
        // What comes again under the same id, or when the run is over, is no event of its own.
        let is_again = is_repeat || had_content && (before.had || is_after_end);
        let number = if had_content && !is_again { self.times_seen(content, bit) + 1 } else { 1 };
        let content = if number > 1 { nth_hash(content, number) } else { content };
        // The others owe an event as they knew it, not as it was stamped anew.
        let owed = if is_repeat { 0 } else { self.debtors(now_ms) };
        let mut is_first = false;
        let seen = match (self.closed.get_mut(&content), self.open.get_mut(&content)) {
            (Some(seen), _) => seen,
            (None, Some(entry)) => {
                if entry.named.id != named.id && entry.seen & bit == 0 {
                    // Others name it otherwise: so its id proves nothing, neither that it was there before.
                    entry.is_stamped_anew = false;
                    self.numbering.doubt(entry.named);
                }
                if number > 1 {
                    entry.copies.push(Copy { client, id: got.id.to_owned(), same_id: before.here });
                }
                &mut entry.seen
            }
            (None, None) => {
                is_first = true;
                let (run, id, line) = (got.run.to_owned(), got.id.to_owned(), clip(got.line()));
                let mut copies = Vec::new();
                if number > 1 {
                    copies.push(Copy { client, id: id.clone(), same_id: before.here });
                }
                let (passed, is_stamped_anew) = (0, before.known && number == 1);
                let seen = 0;
                let entry =
                    Entry { first_seen_ms: now_ms, run, id, line, named, copies, seen, owed, passed, is_stamped_anew };
                self.order.push_back(content);
                &mut self.open.entry(content).or_insert(entry).seen
            }
        };
        *seen |= bit;
        self.evict();
        if is_again {
            return Delivered { sighting: DeliveryKind::Again { same_id: before.here }, is_first: false };
        }
        if number > 1 {
            return Delivered { sighting: DeliveryKind::Equal, is_first };
        }
        if before.had {
            self.numbering.suspect(named, client);
        }
        Delivered { sighting: DeliveryKind::New, is_first }
    }

    fn has_seen(&self, content: u64, bit: u128) -> bool {
        let closed = self.closed.get(&content).copied();
        closed.or_else(|| self.open.get(&content).map(|entry| entry.seen)).is_some_and(|seen| seen & bit != 0)
    }

    /// How often a client has seen a content that it has seen.
    fn times_seen(&self, content: u64, bit: u128) -> u32 {
        (2..).take_while(|number| self.has_seen(nth_hash(content, *number), bit)).last().unwrap_or(1)
    }

    /// Notes the end of a run. Says whether the client had got it before.
    fn note_end(&mut self, got: &Delivery<'_>, bit: u128) -> bool {
        let run = content_hash(got.run);
        let ended = self.ended.get_mut(&run);
        let had_end = ended.as_ref().is_some_and(|ended| **ended & bit != 0);
        match ended {
            Some(ended) if got.is_end() => *ended |= bit,
            None if got.is_end() => {
                self.ended.insert(run, bit);
                self.ended_order.push_back(run);
                if self.ended_order.len() > ENDED_MAX
                    && let Some(oldest) = self.ended_order.pop_front()
                {
                    self.ended.remove(&oldest);
                }
            }
            _ => {}
        }
        had_end
    }

    /// Says what has become certain by now, and lets go of what everyone has passed.
    pub(super) fn settle(&mut self, now_ms: u64) -> Settlement {
        let mut settled = Settlement::default();
        for content in &self.order {
            let Some(entry) = self.open.get_mut(content) else { continue };
            // If ids begin anew, it is an event of its own after all.
            entry.is_stamped_anew &= self.numbering.is_for_good();
            let lacking = entry.lacking();
            let first_seen_ms = entry.first_seen_ms;
            let is_over =
                |connected_since_ms: u64| now_ms >= connected_since_ms.max(first_seen_ms).saturating_add(GRACE_MS);
            let late = self
                .clients
                .iter()
                .enumerate()
                .filter(|(n, client)| lacking & (1 << n) != 0 && client.connected_since_ms.is_some_and(is_over));
            let late = late.fold(0_u128, |mask, (n, _)| mask | 1 << n);
            if late == 0 {
                continue;
            }
            if !entry.copies.is_empty() && entry.seen.count_ones() <= late.count_ones() {
                // Most got it less often. It is none of theirs, nor of whoever gets it later.
                for copy in std::mem::take(&mut entry.copies) {
                    settled.repeated.push(entry.repeated(copy, late.count_ones()));
                }
                (entry.owed, entry.seen) = (0, u128::MAX);
                continue;
            }
            for client in (0..self.clients.len()).filter(|n| late & (1 << n) != 0) {
                entry.passed |= 1 << client;
                if entry.is_stamped_anew || self.numbering.had(entry.named) & (1 << client) != 0 {
                    // It lacks the event only as it was stamped here. So that is what the event was: stamped anew.
                    for client in self.numbering.show(entry.named) {
                        let copy = Copy { client, id: entry.id.clone(), same_id: true };
                        settled.repeated.push(entry.repeated(copy, 0));
                    }
                    continue;
                }
                settled.missed.push(Missed {
                    client,
                    run: entry.run.clone(),
                    id: entry.id.clone(),
                    line: entry.line.clone(),
                    seen_by: entry.seen.count_ones(),
                    after_return_ms: self.clients[client].after_return_ms(first_seen_ms),
                });
            }
        }
        self.close_passed();
        settled
    }

    /// How many events some connected client still lacks. At the end of a soak this is waited for.
    pub(super) fn outstanding(&self) -> usize {
        let connected = self.connected();
        self.open.values().filter(|entry| entry.lacking() & connected != 0).count()
    }

    fn debtors(&self, now_ms: u64) -> u128 {
        self.mask(|client| client.owes_since_ms.is_some_and(|since| since <= now_ms))
    }

    fn connected(&self) -> u128 {
        self.mask(|client| client.connected_since_ms.is_some())
    }

    fn mask(&self, is_meant: impl Fn(&LedgerClient) -> bool) -> u128 {
        self.clients.iter().enumerate().filter(|(_, c)| is_meant(c)).fold(0, |mask, (n, _)| mask | 1 << n)
    }

    /// Closes what every debtor has seen or was said to have missed.
    fn close_passed(&mut self) {
        let passed: HashSet<u64> =
            self.open.iter().filter(|(_, entry)| entry.lacking() == 0).map(|(hash, _)| *hash).collect();
        if passed.is_empty() {
            return;
        }
        // Oldest first, so that the oldest is forgotten first.
        let (passed, open) = std::mem::take(&mut self.order).into_iter().partition(|hash| passed.contains(hash));
        self.order = open;
        for hash in Vec::from(passed) {
            if let Some(entry) = self.open.remove(&hash) {
                self.remember(hash, entry.seen);
            }
        }
    }

    fn evict(&mut self) {
        while self.open.len() > OPEN_MAX {
            let Some(hash) = self.order.pop_front() else { return };
            if let Some(entry) = self.open.remove(&hash) {
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
