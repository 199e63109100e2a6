//! The findings that have become certain about the events that clients lack.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    GAPS_MAX, GRACE_MS, Ledger,
    sequence::{Copy, Entry, Owed},
};
use crate::streams::{Missed, Settlement};

impl Ledger {
    /// Says what has become certain by now, and lets go of what everyone has passed. Takes time in proportion to the clients and to
    /// what they lack.
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
            // Most got it less often. It is none of theirs, nor of whoever gets it later.
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
                // It lacks the event only as it was stamped here. So that is what the event was: stamped anew.
                for client in self.numbering.show(entry.named) {
                    let copy = Copy { client, id: entry.id.clone(), same_id: true };
                    settled.repeated.push(entry.repeated(copy, 0));
                }
                continue;
            }
            settled.missed.push(Missed {
                client: *client,
                run: entry.run.clone(),
                id: entry.id.clone(),
                line: entry.line.clone(),
                seen_by: entry.seen_by,
                first_seen_ms: entry.first_seen_ms,
            });
        }
    }

    /// The events that a client should have got by now.
    fn late(&self, client: usize, now_ms: u64) -> Vec<u64> {
        let state = &self.clients[client];
        let Some(connected_since_ms) = state.connected_since_ms else { return Vec::new() };
        let mut late = Vec::new();
        let mut number = state.position;
        while let Some((at, entry)) = self.lacking(client, number) {
            if now_ms < connected_since_ms.max(entry.first_seen_ms).saturating_add(GRACE_MS) {
                break;
            }
            late.push(at);
            number = at + 1;
        }
        late
    }

    /// The first event from a number on that a client owes and has not seen.
    pub(super) fn lacking(&self, client: usize, from: u64) -> Option<(u64, &Entry)> {
        let state = &self.clients[client];
        let owed_from = self.sequence.first_since(state.owes_since_ms?);
        let mut number = from.max(owed_from);
        loop {
            number = state.seen.first_missing(number);
            let entry = self.sequence.entry(number)?;
            if entry.owed == Owed::ByAll {
                return Some((number, entry));
            }
            number += 1;
        }
    }

    /// Lets go of what nobody asks a client any more.
    fn forget(&mut self, client: usize) {
        let state = &mut self.clients[client];
        state.seen.forget_before(self.sequence.first_remembered());
        state.ends.forget_before(self.first_ended);
        state.ends_here.forget_before(self.first_ended);
        state.ids.forget_before(self.numbering.first_remembered());
        // Whatever was forgotten looks new when it comes again, which accuses nobody.
        let first = state.seen.first_of(GAPS_MAX);
        let given_up = self.pass(client, first);
        self.sequence.give_up(given_up);
        let state = &mut self.clients[client];
        state.seen.forget_before(first);
        // What it has seen in one piece needs no second look.
        state.position = state.position.max(self.sequence.first_open());
    }

    /// Whether some client has been connected since before a moment: so long before it that what was sent from then on was sent to it.
    #[must_use]
    pub fn is_witnessed_since(&self, since_ms: u64) -> bool {
        self.connected_longest().is_some_and(|at| at.saturating_add(self.opening_margin_ms) <= since_ms)
    }

    /// Since when a client has been connected, and is owed what was sent.
    #[must_use]
    pub fn witness_since(&self, client: usize) -> Option<u64> {
        let at = self.clients.get(client)?.connected_since_ms?;
        Some(at.saturating_add(self.opening_margin_ms))
    }

    fn connected_longest(&self) -> Option<u64> {
        self.connected.first_key_value().map(|(at, _)| *at)
    }

    /// How many events some connected client still lacks. At the end of a soak this is waited for.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        let connected = (0..self.clients.len()).filter(|client| self.clients[*client].connected_since_ms.is_some());
        let mut lacking = BTreeSet::new();
        for client in connected {
            let mut number = self.clients[client].position;
            while let Some((at, _)) = self.lacking(client, number) {
                lacking.insert(at);
                number = at + 1;
            }
        }
        lacking.len()
    }

    /// Events that were given up because too many were open at once, since the last call.
    pub fn take_evicted(&mut self) -> u64 {
        self.sequence.take_evicted()
    }
}
