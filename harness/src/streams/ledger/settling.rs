//! The findings that have become certain about the events that clients lack.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    GAPS_MAX, GRACE_MS, Ledger,
    sequence::{Copy, Entry},
};
use crate::streams::{Missed, Settlement};

impl Ledger {
    /// Gives the findings that have become certain, and lets go of events that all clients have passed. Takes time in
    /// proportion to the clients and to the events that they lack.
    pub fn settle(&mut self, now_ms: u64) -> Settlement {
        let mut settled = Settlement::default();
        let mut late: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for client in 0..self.clients.len() {
            self.forget(client);
            for number in self.late(client, now_ms) {
                late.entry(number).or_default().push(client);
            }
        }
        for (number, clients) in late {
            self.settle_late(number, &clients, &mut settled);
        }
        self.sequence.close_passed();
        settled
    }

    /// Settles an event that these clients should have got by now.
    fn settle_late(&mut self, number: u64, clients: &[usize], settled: &mut Settlement) {
        for client in clients {
            self.pass(*client, number + 1);
        }
        let others = u32::try_from(clients.len()).unwrap_or(u32::MAX);
        let Some(entry) = self.sequence.entry(number) else { return };
        if !entry.copies.is_empty() && entry.seen_by <= others {
            // Most clients got it less often. So none of them owes it, nor does a client that gets it later.
            for copy in self.sequence.make_void(number) {
                let entry = self.sequence.entry(number);
                settled.repeated.extend(entry.map(|entry| entry.repeated(copy, others)));
            }
            return;
        }
        // If ids begin anew, it is an event of its own after all.
        let is_stamped_anew = entry.is_stamped_anew && self.numbering.is_for_good();
        for client in clients {
            if is_stamped_anew || self.numbering.has_had(&self.clients[*client].ids, entry.named) {
                // It lacks the event only with this timestamp: so the event was stamped anew.
                for client in self.numbering.show(entry.named) {
                    let copy = Copy { client, id: entry.id.clone(), same_id: true };
                    settled.repeated.push(entry.repeated(copy, 0));
                }
                continue;
            }
            let Entry { run, id, line, seen_by, .. } = entry;
            let (run, id, line) = (run.clone(), id.clone(), line.clone());
            let after_return_ms = self.clients[*client].after_return_ms(entry.first_seen_ms);
            settled.missed.push(Missed { client: *client, run, id, line, seen_by: *seen_by, after_return_ms });
        }
    }

    /// The events that a client should have got by now.
    fn late(&self, client: usize, now_ms: u64) -> Vec<u64> {
        let Some(connected_since_ms) = self.clients[client].connected_since_ms else { return Vec::new() };
        let is_late = |entry: &Entry| now_ms >= connected_since_ms.max(entry.first_seen_ms).saturating_add(GRACE_MS);
        self.lacking(client).take_while(|(_, entry)| is_late(entry)).map(|(number, _)| number).collect()
    }

    /// The events that a client owes and has neither seen nor missed, with their numbers, oldest first.
    pub(super) fn lacking(&self, client: usize) -> impl Iterator<Item = (u64, &Entry)> {
        let state = &self.clients[client];
        let owed_from = state.owes_since_ms.map_or(u64::MAX, |since_ms| self.sequence.first_since(since_ms));
        let mut from = state.position.max(owed_from);
        let unseen = std::iter::from_fn(move || {
            let number = state.seen.first_missing(from);
            from = number.saturating_add(1);
            Some((number, self.sequence.entry(number)?))
        });
        unseen.filter(|(_, entry)| entry.is_owed)
    }

    /// Lets go of events and ids of a client that have no use any more.
    fn forget(&mut self, client: usize) {
        let state = &mut self.clients[client];
        state.seen.forget_before(self.sequence.first);
        state.ends.forget_before(self.first_ended);
        state.ends_here.forget_before(self.first_ended);
        state.ids.forget_before(self.numbering.first_remembered());
        // A forgotten event looks new when it comes again, which accuses no client.
        let first = state.seen.first_of(GAPS_MAX);
        self.sequence.evicted += self.pass(client, first);
        let state = &mut self.clients[client];
        state.seen.forget_before(first);
        // What it has seen in one piece needs no second look.
        state.position = state.position.max(self.sequence.first_open());
    }

    /// Whether some client has been connected since long enough before a moment to be sent everything from then on.
    pub fn is_witnessed_since(&self, since_ms: u64) -> bool {
        let longest = self.connected.first_key_value();
        longest.is_some_and(|(at, _)| at.saturating_add(self.opening_margin_ms) <= since_ms)
    }

    /// Since when a client has been connected, and is owed what was sent.
    pub fn witness_since(&self, client: usize) -> Option<u64> {
        let at = self.clients.get(client)?.connected_since_ms?;
        Some(at.saturating_add(self.opening_margin_ms))
    }

    /// The number of events that some connected client still lacks. The end of a soak waits for them.
    pub fn outstanding(&self) -> usize {
        let connected = (0..self.clients.len()).filter(|client| self.clients[*client].connected_since_ms.is_some());
        connected.flat_map(|client| self.lacking(client)).map(|(number, _)| number).collect::<BTreeSet<_>>().len()
    }

    /// Events that were given up because too many were open at once, since the last call.
    pub fn take_evicted(&mut self) -> u64 {
        std::mem::take(&mut self.sequence.evicted)
    }
}
