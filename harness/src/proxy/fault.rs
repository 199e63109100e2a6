//! Faults of connections, as data, and the faults that stand at a moment.

use std::time::Duration;

use tokio::time::Instant;

/// Why a change of the rules can always be waited for.
pub(super) const RULES_OUTLIVE_CONNECTIONS: &str = "the rules are part of what all connections share";

/// The faults that stand, as every connection looks at them. One of each kind stands at a time, and kinds go together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Rules {
    pub(super) latency: Option<AddedLatency>,
    pub(super) dark_until: Option<Instant>,
    /// How often all connections were cut. One of an earlier count than this is to end.
    pub(super) cuts: u64,
}

/// A latency that is added to what a gateway sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddedLatency {
    /// How much later.
    pub delay_ms: u64,
    /// Maximum deviation of a chunk from that delay, evenly distributed. No chunk leaves before it came or before the chunk
    /// ahead of it.
    pub jitter_ms: u64,
}

impl Rules {
    pub(super) fn go_dark(&mut self, until: Instant) {
        self.dark_until = Some(until);
        self.cuts += 1;
    }

    /// Nothing stands any more. What was cut stays cut.
    pub(super) fn clear(&mut self) {
        *self = Self { cuts: self.cuts, ..Self::default() };
    }

    pub(super) fn refuses(&self, now: Instant) -> bool {
        self.dark_until.is_some_and(|until| now < until)
    }
}

impl AddedLatency {
    /// The longest delay, which is what was held back may still wait when the latency changes.
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
