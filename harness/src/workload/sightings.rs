//! What one stream has shown of one run: too little to need a ledger.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use crate::gateway::{LogEvent, StreamEvent};

/// Events of one run that are remembered.
const EVENTS_MAX: usize = 2_048;

/// The events that a stream has shown: hashes of their content, and of the id that each came with.
#[derive(Debug, Default)]
pub(super) struct Sightings(HashMap<u64, u64>);

impl Sightings {
    /// Whether the event was there before, and then whether under the same id.
    pub(super) fn again(&mut self, event: &StreamEvent, log: &LogEvent) -> Option<bool> {
        let (content, id) = (hash(&(&log.stamp, &log.unstamped)), hash(&event.id));
        if let Some(before) = self.0.get(&content) {
            return Some(*before == id);
        }
        if self.0.len() < EVENTS_MAX {
            self.0.insert(content, id);
        }
        None
    }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
