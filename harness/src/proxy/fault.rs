//! What is done to connections, as data; and which of it stands at a moment.

use std::time::Duration;

use tokio::time::Instant;

/// What is done to the connections of a proxy. One of each kind stands at a time, and kinds go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// What the gateway sends arrives later, and what it is sent does not: so +150 ms is +150 ms an answer. So does its
    /// end, be it in good order or a reset. What comes in several flights pays for each: a TLS handshake, a body that
    /// waits for `100 Continue`. Setting up a connection is not delayed, since it ends at the proxy.
    ///
    /// A delay and not a brake: each chunk has its own time of release, and up to [`LINE_BYTES_MAX`] of a connection
    /// are on their way at once.
    ///
    /// [`LINE_BYTES_MAX`]: super::LINE_BYTES_MAX
    Latency {
        /// How much later.
        delay_ms: u64,
        /// Each chunk is up to so much sooner or later than that, evenly, and never sooner than it came or than the
        /// chunk before it.
        jitter_ms: u64,
    },
    /// The gateway cannot be reached, as if its process were gone: open connections are cut, and new ones are reset as soon
    /// as they are made. Both sides see a reset, because an end in good order would make a cut stream look like a finished
    /// one. (New connections are not refused by the kernel, as they would be if nobody listened: nobody could count that, and
    /// another process could take the port.) Takes the place of an outage that stands.
    Dark {
        /// It ends by itself after so long; else when it is cleared.
        lasts_ms: Option<u64>,
    },
}

/// Why a change of the rules can always be waited for.
pub(super) const RULES_OUTLIVE_CONNECTIONS: &str = "the rules are part of what all connections share";

/// The faults that stand, as every connection looks at them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Rules {
    pub(super) latency: Option<AddedLatency>,
    pub(super) dark: Option<Dark>,
    /// How often all connections were cut. One of an earlier count than this is to end.
    pub(super) cuts: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AddedLatency {
    pub(super) delay_ms: u64,
    pub(super) jitter_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dark {
    pub(super) lasts_ms: Option<u64>,
    pub(super) since: Instant,
}

impl Rules {
    pub(super) fn set(&mut self, fault: Fault, now: Instant) {
        match fault {
            Fault::Latency { delay_ms, jitter_ms } => self.latency = Some(AddedLatency { delay_ms, jitter_ms }),
            Fault::Dark { lasts_ms } => {
                self.dark = Some(Dark { lasts_ms, since: now });
                self.cuts += 1;
            }
        }
    }

    /// Nothing stands any more. What was cut stays cut.
    pub(super) fn clear(&mut self) {
        *self = Self { cuts: self.cuts, ..Self::default() };
    }

    /// A darkness is over. One that has taken its place in the meantime is not; whether it is light now that was not.
    pub(super) fn lift(&mut self, dark: Option<Dark>) -> bool {
        self.dark.take_if(|stands| Some(*stands) == dark).is_some()
    }

    /// What stands, in the order of [`Fault`]'s kinds.
    pub(super) fn standing(&self) -> Vec<Fault> {
        let latency = self.latency.map(|AddedLatency { delay_ms, jitter_ms }| Fault::Latency { delay_ms, jitter_ms });
        let dark = self.dark.map(|Dark { lasts_ms, .. }| Fault::Dark { lasts_ms });
        [latency, dark].into_iter().flatten().collect()
    }

    pub(super) fn refuses(&self) -> bool {
        self.dark.is_some()
    }
}

impl Dark {
    /// When it ends by itself.
    pub(super) fn ends_at(&self) -> Option<Instant> {
        self.since.checked_add(Duration::from_millis(self.lasts_ms?))
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

    fn latency(delay_ms: u64) -> Fault {
        Fault::Latency { delay_ms, jitter_ms: 0 }
    }

    #[test]
    fn kinds_go_together_and_one_of_a_kind_takes_the_place_of_another() {
        let mut rules = Rules::default();
        let dark = Fault::Dark { lasts_ms: None };
        for fault in [latency(150), dark, latency(20)] {
            rules.set(fault, clock::now());
        }
        assert_eq!(rules.standing(), [latency(20), dark]);
    }

    #[test]
    fn nothing_stands_once_it_is_cleared_and_what_was_cut_stays_cut() {
        let mut rules = Rules::default();
        rules.set(latency(150), clock::now());
        rules.set(Fault::Dark { lasts_ms: Some(1) }, clock::now());
        rules.set(Fault::Dark { lasts_ms: None }, clock::now());
        rules.clear();
        assert_eq!(rules, Rules { cuts: 2, ..Rules::default() });
    }

    #[test]
    fn a_darkness_that_is_over_ends_and_one_that_took_its_place_does_not() {
        let mut rules = Rules::default();
        let fault = Fault::Dark { lasts_ms: Some(5) };
        rules.set(fault, clock::now());
        let first = rules.dark;
        // The same again, and later.
        rules.set(fault, clock::now() + Duration::from_millis(1));
        assert!(!rules.lift(first));
        assert!(rules.refuses());
        let second = rules.dark;
        assert!(rules.lift(second));
        assert!(!rules.refuses() && !rules.lift(second));
    }
}
