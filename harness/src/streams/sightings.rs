//! The events of one run that one stream has shown: too few to need a ledger.

use std::collections::HashMap;

use super::{Delivery, DeliveryKind, content_hash, event_hash};

/// Maximum number of events of one run that are remembered. Only the run's record finds a repeat of an event beyond.
const EVENTS_MAX: usize = 4_096;

/// The events that a stream has shown: how often each content came, and the content of each id.
#[derive(Debug, Default)]
pub(super) struct Sightings {
    contents: HashMap<u64, u32>,
    /// The same on this connection, where what was shown before is shown again.
    on_connection: HashMap<u64, u32>,
    begins_again: bool,
    /// By id: the content. An id that comes with two contents is not the event's own.
    ids: HashMap<u64, u64>,
    has_shared_ids: bool,
}

impl Sightings {
    /// Another connection of the stream begins; `begins_again`: what was shown before is shown again.
    pub(super) fn reconnected(&mut self, begins_again: bool) {
        self.begins_again = begins_again;
        self.on_connection.clear();
        if begins_again {
            // Ids, if there are any, are those of the connection.
            self.ids.clear();
        }
    }

    /// Takes in an event. `None` where another connection showed it before, and this one begins again.
    pub(super) fn see(&mut self, got: &Delivery<'_>) -> Option<DeliveryKind> {
        let content = event_hash(got.stamp, content_hash(got.unstamped));
        let before = self.contents.get(&content).copied().unwrap_or(0);
        let has_come = before > 0;
        if !got.id.is_empty() {
            let id = content_hash(got.id);
            match self.ids.get(&id) {
                // A stream that gives no ids goes on with the last one there was.
                Some(named) if *named != content => self.has_shared_ids = true,
                Some(_) if has_come && !self.has_shared_ids => return Some(DeliveryKind::Again { same_id: true }),
                None if self.ids.len() < EVENTS_MAX => drop(self.ids.insert(id, content)),
                _ => {}
            }
        }
        if self.begins_again && (has_come || self.on_connection.len() < EVENTS_MAX) {
            let here = self.on_connection.entry(content).or_default();
            *here += 1;
            if *here <= before {
                return None;
            }
        }
        if has_come || self.contents.len() < EVENTS_MAX {
            *self.contents.entry(content).or_default() += 1;
        }
        Some(if has_come { DeliveryKind::Equal } else { DeliveryKind::New })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sees(sightings: &mut Sightings, id: Option<&str>, message: &str) -> Option<DeliveryKind> {
        let (run, id) = ("7", id.unwrap_or_default());
        let got = Delivery { stamp: "noon", unstamped: message, run, id, kind: "log", message: Some(message) };
        sightings.see(&got)
    }

    #[test]
    fn the_same_id_shows_an_event_again_and_another_id_an_equal_one() {
        let mut sightings = Sightings::default();
        assert_eq!(Some(DeliveryKind::New), sees(&mut sightings, Some("1"), "a"));
        assert_eq!(Some(DeliveryKind::Equal), sees(&mut sightings, Some("2"), "a"));
        assert_eq!(Some(DeliveryKind::Equal), sees(&mut sightings, Some("3"), "a"));
        for id in ["1", "2", "3"] {
            assert_eq!(Some(DeliveryKind::Again { same_id: true }), sees(&mut sightings, Some(id), "a"));
        }
    }

    #[test]
    fn without_ids_an_event_is_equal_to_one_before() {
        let mut sightings = Sightings::default();
        assert_eq!(Some(DeliveryKind::New), sees(&mut sightings, None, "a"));
        assert_eq!(Some(DeliveryKind::Equal), sees(&mut sightings, None, "a"));
        // The last id there was.
        assert_eq!(Some(DeliveryKind::New), sees(&mut sightings, Some("1"), "b"));
        assert_eq!(Some(DeliveryKind::New), sees(&mut sightings, Some("1"), "c"));
        assert_eq!(Some(DeliveryKind::Equal), sees(&mut sightings, Some("1"), "c"));
    }

    #[test]
    fn what_is_shown_again_on_another_connection_is_a_replay_as_often_as_it_was_shown() {
        let mut sightings = Sightings::default();
        sightings.reconnected(false);
        assert_eq!(
            [Some(DeliveryKind::New), Some(DeliveryKind::Equal)],
            [0, 1].map(|_| sees(&mut sightings, None, "a"))
        );
        sightings.reconnected(true);
        let again = [0, 1, 2].map(|_| sees(&mut sightings, None, "a"));
        assert_eq!([None, None, Some(DeliveryKind::Equal)], again);
        sightings.reconnected(true);
        assert_eq!([None; 3], [0, 1, 2].map(|_| sees(&mut sightings, None, "a")));
        assert_eq!(Some(DeliveryKind::New), sees(&mut sightings, None, "b"));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut sightings = Sightings::default();
        for number in 0..=EVENTS_MAX {
            sees(&mut sightings, Some(&number.to_string()), &number.to_string());
        }
        assert_eq!((EVENTS_MAX, EVENTS_MAX), (sightings.contents.len(), sightings.ids.len()));
    }
}
