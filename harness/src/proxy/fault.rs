//! Faults of connections, as data.

use std::time::Duration;

use tokio::time::Instant;

/// The reason why a wait for a change of the rules cannot fail.
pub(super) const RULES_OUTLIVE_CONNECTIONS: &str = "the rules are part of what all connections share";

/// The present faults of all connections: at most one of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Rules {
    pub(super) latency: Option<AddedLatency>,
    pub(super) dark_until: Option<Instant>,
    /// Number of times that all connections were cut. A connection with an earlier count ends.
    pub(super) cuts: u64,
}

/// A latency of bytes from a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddedLatency {
    pub(crate) delay_ms: u64,
    /// Maximum deviation of a chunk from that delay, evenly distributed. Chunks stay in order.
    pub(crate) jitter_ms: u64,
}

impl Rules {
    pub(super) fn go_dark(&mut self, until: Instant) {
        self.dark_until = Some(until);
        self.cuts += 1;
    }

    /// Ends all faults. Cut connections stay cut.
    pub(super) fn clear(&mut self) {
        *self = Self { cuts: self.cuts, ..Self::default() };
    }

    pub(super) fn refuses(&self, now: Instant) -> bool {
        self.dark_until.is_some_and(|until| now < until)
    }
}

impl AddedLatency {
    /// The longest delay. It bounds the further wait of held bytes when the latency changes.
    pub(super) fn delay_max(&self) -> Duration {
        Duration::from_millis(self.delay_ms.saturating_add(self.jitter_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn nothing_stands_once_it_is_cleared_and_what_was_cut_stays_cut() {
        let latency = Some(AddedLatency { delay_ms: 150, jitter_ms: 0 });
        let mut rules = Rules { latency, ..Rules::default() };
        rules.go_dark(clock::now());
        rules.go_dark(clock::now());
        rules.clear();
        assert_eq!(rules, Rules { cuts: 2, ..Rules::default() });
    }

    #[test]
    fn an_outage_that_is_over_ends_and_one_that_took_its_place_does_not() {
        let mut rules = Rules::default();
        let (start, ms) = (clock::now(), Duration::from_millis);
        rules.go_dark(start + ms(5));
        assert!(rules.refuses(start) && !rules.refuses(start + ms(5)));
        // The same again, and later.
        rules.go_dark(start + ms(6));
        assert!(rules.refuses(start + ms(5)) && !rules.refuses(start + ms(6)));
    }
}
