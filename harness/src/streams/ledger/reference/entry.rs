//! An event that not all clients that owe it have seen.

use crate::streams::{
    RepeatedEvent,
    ledger::{numbering::Named, sequence::Copy},
};

/// An event, and who saw it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) first_seen_ms: u64,
    pub(super) run: String,
    pub(super) id: String,
    pub(super) line: String,
    pub(super) named: Named,
    /// Of equal events: which clients got it, under which ids.
    pub(super) copies: Vec<Copy>,
    pub(super) seen: u128,
    pub(super) owed: u128,
    /// Those of whom nothing more is to be said: they missed it, or had it stamped otherwise.
    pub(super) passed: u128,
    /// It came under a known id, and only its timestamp was new: that of an earlier event, if ids are the events' own.
    /// Then what is owed is the earlier one.
    pub(super) is_stamped_anew: bool,
}

impl Entry {
    pub(super) fn lacking(&self) -> u128 {
        self.owed & !self.seen & !self.passed
    }

    pub(super) fn repeated(&self, copy: Copy, others: u32) -> RepeatedEvent {
        let Copy { client, id, same_id } = copy;
        RepeatedEvent { client, run: self.run.clone(), id, line: self.line.clone(), same_id, others }
    }
}
