//! What one stream has shown of one run: too little to need a ledger.

use std::collections::HashMap;

use crate::gateway::{LogEvent, StreamEvent};

/// Events of one run that are remembered.
const EVENTS_MAX: usize = 2_048;

/// The events that a stream has shown.
#[derive(Debug, Default)]
pub(super) struct Sightings(HashMap<String, Option<String>>);

impl Sightings {
    /// Whether the event was there before, and then whether under the same id.
    pub(super) fn again(&mut self, event: &StreamEvent, log: &LogEvent) -> Option<bool> {
        if let Some(id) = self.0.get(&log.canonical) {
            return Some(*id == event.id);
        }
        if self.0.len() < EVENTS_MAX {
            self.0.insert(log.canonical.clone(), event.id.clone());
        }
        None
    }
}
