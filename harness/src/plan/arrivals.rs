//! The arrivals of W1: arrival *n* is computed from the seed and *n*.
//!
//! Slot *n* of `per_minute` slots a minute lasts from `n · 60,000 / per_minute` ms to `(n + 1) · 60,000 / per_minute`
//! ms, and arrival *n* is in its middle half. So every rate is exact, and moments are not evenly spaced. Agents and own
//! streams are dealt from decks: a deck holds its cards in their shares; the seed and *h* shuffle hand *h*.
//!
//! Journals of earlier versions hold a list of the arrivals, which is kept as it is.

use std::ops::Range;

use rand::{RngExt, seq::SliceRandom};
use serde::{Deserialize, Serialize};

use super::{PlannedRun, RunLoad, dice::dice};

/// Salts keep the dice of one purpose the same when another draws more or fewer.
const MOMENTS_SALT: u64 = 0x6d6f_6d65;
const AGENTS_SALT: u64 = 0x6167_656e;
const STREAMS_SALT: u64 = 0x7374_7265;

const MINUTE_MS: u64 = 60_000;
/// The shares of all agents together: a deck holds no more cards.
pub(super) const SHARES_MAX: u64 = 100_000;

/// The arrivals of W1, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Arrivals {
    /// As an earlier version wrote them.
    Listed(Vec<PlannedRun>),
    /// Computed.
    Drawn(DrawnArrivals),
}

/// The parameters that arrivals are computed from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrawnArrivals {
    seed: u64,
    per_minute: u32,
    count: u64,
    /// Agents with their shares.
    agents: Vec<(String, u32)>,
    own_stream_percent: u32,
}

impl Arrivals {
    /// The arrivals of a soak of this length.
    pub(super) fn draw(load: &RunLoad, duration_ms: u64, seed: u64) -> Self {
        let count = u128::from(duration_ms) * u128::from(load.per_minute) / u128::from(MINUTE_MS);
        Self::Drawn(DrawnArrivals {
            seed,
            per_minute: load.per_minute,
            count: u64::try_from(count).unwrap_or(u64::MAX),
            agents: load.agents.iter().filter(|(_, share)| *share > 0).cloned().collect(),
            own_stream_percent: load.own_stream_percent.min(100),
        })
    }

    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> u64 {
        match self {
            Self::Listed(runs) => runs.len() as u64,
            Self::Drawn(drawn) => drawn.count,
        }
    }

    /// The shares of all agents together.
    pub(super) fn shares(&self) -> u64 {
        match self {
            Self::Listed(_) => 0,
            Self::Drawn(drawn) => drawn.agents.iter().map(|(_, share)| u64::from(*share)).sum(),
        }
    }

    /// An arrival by its number.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<PlannedRun> {
        match self {
            Self::Listed(runs) => runs.get(usize::try_from(number).ok()?).cloned(),
            Self::Drawn(drawn) => (number < drawn.count).then(|| drawn.arrival(number)),
        }
    }

    /// All of them. A soak may have millions.
    pub fn iter(&self) -> impl Iterator<Item = PlannedRun> {
        (0..self.count()).filter_map(|number| self.get(number))
    }

    /// How many arrive before a moment.
    #[must_use]
    pub fn before(&self, at_ms: u64) -> u64 {
        match self {
            Self::Listed(runs) => runs.partition_point(|run| run.at_ms < at_ms) as u64,
            Self::Drawn(drawn) => drawn.before(at_ms),
        }
    }

    /// How many of these arrivals, by number, have a stream of their own.
    #[must_use]
    pub fn own_streams(&self, numbers: Range<u64>) -> u64 {
        match self {
            Self::Listed(runs) => {
                let of = |number: u64| usize::try_from(number).unwrap_or(usize::MAX).min(runs.len());
                runs[of(numbers.start)..of(numbers.end)].iter().filter(|run| run.own_stream).count() as u64
            }
            Self::Drawn(drawn) => drawn.streams().count(numbers, |own_stream| *own_stream),
        }
    }

    /// How many are of an agent.
    #[must_use]
    pub fn of_agent(&self, agent: &str) -> u64 {
        match self {
            Self::Listed(runs) => runs.iter().filter(|run| run.agent == agent).count() as u64,
            Self::Drawn(drawn) => drawn.agents().count(0..drawn.count, |name| *name == agent),
        }
    }

    /// The moment of the last arrival; `None` if there is none.
    #[must_use]
    pub fn last_ms(&self) -> Option<u64> {
        match self {
            Self::Listed(runs) => runs.iter().map(|run| run.at_ms).max(),
            Self::Drawn(drawn) => drawn.count.checked_sub(1).map(|last| drawn.at_ms(last)),
        }
    }
}

impl DrawnArrivals {
    fn arrival(&self, number: u64) -> PlannedRun {
        PlannedRun {
            at_ms: self.at_ms(number),
            agent: self.agents().card(number).unwrap_or_default().to_owned(),
            own_stream: self.streams().card(number).unwrap_or_default(),
        }
    }

    fn at_ms(&self, number: u64) -> u64 {
        let (from_ms, to_ms) = (self.slot_ms(number), self.slot_ms(number + 1));
        let length_ms = to_ms - from_ms;
        from_ms + length_ms / 4 + dice(self.seed, MOMENTS_SALT, number).random_range(0..=length_ms / 2)
    }

    /// When a slot begins.
    fn slot_ms(&self, number: u64) -> u64 {
        let ms = u128::from(number) * u128::from(MINUTE_MS) / u128::from(self.per_minute.max(1));
        u64::try_from(ms).unwrap_or(u64::MAX)
    }

    fn before(&self, at_ms: u64) -> u64 {
        // Moments are in order, and none is out of its slot.
        let slot = u128::from(at_ms) * u128::from(self.per_minute) / u128::from(MINUTE_MS);
        let slot = u64::try_from(slot).unwrap_or(u64::MAX).min(self.count);
        let earlier = slot.saturating_sub(1);
        earlier + (earlier..self.count.min(slot + 2)).take_while(|number| self.at_ms(*number) < at_ms).count() as u64
    }

    fn agents(&self) -> Deck<&str> {
        Deck::new(self.seed ^ AGENTS_SALT, self.agents.iter().map(|(agent, share)| (agent.as_str(), *share)))
    }

    fn streams(&self) -> Deck<bool> {
        let own = self.own_stream_percent;
        Deck::new(self.seed ^ STREAMS_SALT, [(true, own), (false, 100 - own.min(100))])
    }
}

/// Cards in their shares, dealt to the last before they are shuffled again. Ten hands of 70/15/15 hold seven, one or
/// two, and one or two; a die would give five or nine.
struct Deck<T> {
    seed: u64,
    cards: Vec<T>,
}

impl<T: Copy> Deck<T> {
    fn new(seed: u64, shares: impl IntoIterator<Item = (T, u32)>) -> Self {
        let shares: Vec<(T, u32)> = shares.into_iter().filter(|(_, share)| *share > 0).collect();
        let divisor = shares.iter().map(|(_, share)| *share).fold(0, greatest_common_divisor).max(1);
        let cards = shares.into_iter().flat_map(|(card, share)| std::iter::repeat_n(card, (share / divisor) as usize));
        Self { seed, cards: cards.collect() }
    }

    /// The n-th card that is dealt; `None` of an empty deck.
    fn card(&self, number: u64) -> Option<T> {
        let (_, hand, dealt) = self.hand(number);
        hand.get(dealt).copied()
    }

    /// How many of these cards are meant.
    fn count(&self, numbers: Range<u64>, is_meant: impl Fn(&T) -> bool) -> u64 {
        let meant = |cards: &[T]| cards.iter().filter(|card| is_meant(card)).count() as u64;
        let before = |number: u64| {
            let (hands, hand, dealt) = self.hand(number);
            hands * meant(&self.cards) + meant(&hand[..dealt])
        };
        before(numbers.end).saturating_sub(before(numbers.start))
    }

    /// The hands that are dealt before a card, the hand that it is in, and its place there.
    fn hand(&self, number: u64) -> (u64, Vec<T>, usize) {
        let size = self.cards.len().max(1) as u64;
        let mut hand = self.cards.clone();
        hand.shuffle(&mut dice(self.seed, 0, number / size));
        (number / size, hand, (number % size) as usize)
    }
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{fuzzing::cases, plan::Scenario};

    fn load(per_minute: u32, own_stream_percent: u32) -> RunLoad {
        RunLoad { per_minute, own_stream_percent, ..Scenario::default().runs }
    }

    proptest! {
        #![proptest_config(cases(200))]

        #[test]
        fn what_is_counted_is_what_arrives(
            per_minute in prop_oneof![1..200_u32, Just(7_919), Just(120_000)],
            percent in 0..=100_u32,
            duration_ms in 0..5_000_u64,
            seed: u64,
            moments in prop::collection::vec(0..6_000_u64, 8),
        ) {
            let arrivals = Arrivals::draw(&load(per_minute, percent), duration_ms, seed);
            prop_assert_eq!(duration_ms * u64::from(per_minute) / MINUTE_MS, arrivals.count());
            let all: Vec<PlannedRun> = arrivals.iter().collect();
            prop_assert!(all.windows(2).all(|pair| pair[0].at_ms <= pair[1].at_ms));
            prop_assert!(all.iter().all(|run| run.at_ms < duration_ms));
            prop_assert_eq!(all.last().map(|run| run.at_ms), arrivals.last_ms());
            let listed = Arrivals::Listed(all);
            for (n, at_ms) in moments.iter().enumerate() {
                prop_assert_eq!(listed.before(*at_ms), arrivals.before(*at_ms), "before {}", at_ms);
                let numbers = arrivals.before(moments[n / 2])..arrivals.before(*at_ms);
                if numbers.start <= numbers.end {
                    prop_assert_eq!(listed.own_streams(numbers.clone()), arrivals.own_streams(numbers));
                }
            }
            for (agent, _) in &Scenario::default().runs.agents {
                prop_assert_eq!(listed.of_agent(agent), arrivals.of_agent(agent));
            }
        }

        #[test]
        fn every_rate_is_exact(per_minute in 1..=120_000_u32, minutes in 1..10_000_u64) {
            let arrivals = Arrivals::draw(&load(per_minute, 30), minutes * MINUTE_MS, 7);
            for minute in [0, minutes / 2, minutes - 1] {
                let of_minute = arrivals.before((minute + 1) * MINUTE_MS) - arrivals.before(minute * MINUTE_MS);
                prop_assert_eq!(u64::from(per_minute), of_minute);
            }
        }
    }

    #[test]
    fn what_is_written_does_not_grow_with_what_is_planned() {
        let written = |minutes: u64, per_minute: u32| {
            serde_json::to_string(&Arrivals::draw(&load(per_minute, 30), minutes * MINUTE_MS, u64::MAX)).unwrap()
        };
        let (small, large) = (written(15, 3), written(7 * 24 * 60, 120_000));
        assert!(large.len() < small.len() + 20 && large.len() < 300, "{large}");
        let read: Arrivals = serde_json::from_str(&large).unwrap();
        assert_eq!(Arrivals::draw(&load(120_000, 30), 7 * 24 * 60 * MINUTE_MS, u64::MAX), read);
    }

    #[test]
    fn a_list_of_an_earlier_version_stays_a_list() {
        let text = r#"[{"at_ms":5,"agent":"a","own_stream":true},{"at_ms":9,"agent":"b","own_stream":false}]"#;
        let arrivals: Arrivals = serde_json::from_str(text).unwrap();
        assert_eq!((2, Some(9), 1), (arrivals.count(), arrivals.last_ms(), arrivals.before(9)));
        assert_eq!((1, 0, 1), (arrivals.own_streams(0..2), arrivals.own_streams(1..9), arrivals.of_agent("b")));
        assert_eq!(text, serde_json::to_string(&arrivals).unwrap());
    }
}
