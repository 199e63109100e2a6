//! Parts of a plan that recur: moments, churns, pulses. Each is computed from its number, so that a journal's header
//! does not grow with the soak. Journals of earlier versions hold lists, which are kept as they are.

use std::fmt::Debug;

use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::{PlannedChurn, PlannedPulse, dice::dice};

/// Keeps the dice of churns the same when others draw more or fewer.
const CHURN_SALT: u64 = 0x6368_7572;

/// Recurring items of one kind, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    bound(
        serialize = "R: Serialize, R::Item: Serialize",
        deserialize = "R: Deserialize<'de>, R::Item: Deserialize<'de>"
    )
)]
pub enum Recurring<R: Rule> {
    /// As an earlier version wrote them.
    Listed(Vec<R::Item>),
    /// Computed.
    Computed(R),
}

/// How the items of a sequence are computed.
pub trait Rule {
    /// An item.
    type Item: Debug + Clone + PartialEq + Eq;

    /// When.
    fn when(&self) -> Regular;

    /// An item by its number, due at a moment.
    fn item(&self, number: u64, at_ms: u64) -> Self::Item;

    /// When an item is due, scenario milliseconds.
    fn at_ms(item: &Self::Item) -> u64;
}

impl<R: Rule> Recurring<R> {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        match self {
            Self::Listed(items) => items.len() as u64,
            Self::Computed(rule) => rule.when().count,
        }
    }

    /// An item by its number.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<R::Item> {
        match self {
            Self::Listed(items) => items.get(usize::try_from(number).ok()?).cloned(),
            Self::Computed(rule) => {
                let when = rule.when();
                (number < when.count).then(|| rule.item(number, when.at_ms(number)))
            }
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = R::Item> {
        (0..self.count()).filter_map(|number| self.get(number))
    }

    /// How many are due from a moment on and before another one, scenario milliseconds.
    #[must_use]
    pub fn within(&self, from_ms: u64, to_ms: u64) -> u64 {
        match self {
            Self::Listed(items) => {
                items.iter().filter(|item| (from_ms..to_ms).contains(&R::at_ms(item))).count() as u64
            }
            Self::Computed(rule) => rule.when().within(from_ms, to_ms),
        }
    }

    /// The latest moment at which one is due; `None` if there is none.
    #[must_use]
    pub fn latest_ms(&self) -> Option<u64> {
        match self {
            Self::Listed(items) => items.iter().map(R::at_ms).max(),
            Self::Computed(rule) => rule.when().count.checked_sub(1).map(|last| rule.when().at_ms(last)),
        }
    }

    /// The time from one to the next if they are computed, milliseconds.
    pub(super) fn every_ms(&self) -> Option<u64> {
        match self {
            Self::Listed(_) => None,
            Self::Computed(rule) => Some(rule.when().every_ms),
        }
    }
}

/// Moments at even distances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Regular {
    /// The first, scenario milliseconds.
    pub(super) first_ms: u64,
    /// From one to the next.
    pub(super) every_ms: u64,
    /// How many there are.
    pub(super) count: u64,
}

impl Regular {
    /// The moments from the first one on and before `end_ms`.
    pub(super) fn before(first_ms: u64, every_ms: u64, end_ms: u64) -> Self {
        let every_ms = every_ms.max(1);
        Self { first_ms, every_ms, count: end_ms.saturating_sub(first_ms).div_ceil(every_ms) }
    }

    fn at_ms(self, number: u64) -> u64 {
        self.first_ms.saturating_add(number.saturating_mul(self.every_ms))
    }

    pub(super) fn within(self, from_ms: u64, to_ms: u64) -> u64 {
        let before = |at_ms: u64| Self::before(self.first_ms, self.every_ms, at_ms).count.min(self.count);
        before(to_ms).saturating_sub(before(from_ms))
    }
}

impl Rule for Regular {
    type Item = u64;

    fn when(&self) -> Regular {
        *self
    }

    fn item(&self, _: u64, at_ms: u64) -> u64 {
        at_ms
    }

    fn at_ms(item: &u64) -> u64 {
        *item
    }
}

/// Churns: each closes other streams than the one before, so that all take their turn. The streams are shuffled by the
/// seed and the number of the turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChurnRule {
    pub(super) when: Regular,
    pub(super) seed: u64,
    /// How many streams there are.
    pub(super) streams: u32,
    /// How many of them a churn closes.
    pub(super) closed: u32,
}

impl Rule for ChurnRule {
    type Item = PlannedChurn;

    fn when(&self) -> Regular {
        self.when
    }

    fn item(&self, number: u64, at_ms: u64) -> PlannedChurn {
        let churns_in_turn = u64::from(self.streams.checked_div(self.closed).unwrap_or(0).max(1));
        let mut order: Vec<u32> = (0..self.streams).collect();
        order.shuffle(&mut dice(self.seed, CHURN_SALT, number / churns_in_turn));
        let closed = self.closed as usize;
        let before = usize::try_from(number % churns_in_turn).unwrap_or(0) * closed;
        let mut streams: Vec<u32> = order.into_iter().skip(before).take(closed).collect();
        streams.sort_unstable();
        PlannedChurn { at_ms, streams }
    }

    fn at_ms(item: &PlannedChurn) -> u64 {
        item.at_ms
    }
}

impl Recurring<ChurnRule> {
    /// How many streams are closed from a moment on and before another one, scenario milliseconds.
    #[must_use]
    pub fn closed_within(&self, from_ms: u64, to_ms: u64) -> u64 {
        match self {
            Self::Listed(churns) => {
                let within = churns.iter().filter(|churn| (from_ms..to_ms).contains(&churn.at_ms));
                within.map(|churn| churn.streams.len() as u64).sum()
            }
            Self::Computed(rule) => rule.when.within(from_ms, to_ms).saturating_mul(u64::from(rule.closed)),
        }
    }
}

/// Pulses: each `tampered_every`-th comes with a tampered manifest, beginning with the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PulseRule {
    pub(super) when: Regular,
    pub(super) tampered_every: u64,
}

impl Rule for PulseRule {
    type Item = PlannedPulse;

    fn when(&self) -> Regular {
        self.when
    }

    fn item(&self, number: u64, at_ms: u64) -> PlannedPulse {
        PlannedPulse { at_ms, tampered: number.is_multiple_of(self.tampered_every.max(1)) }
    }

    fn at_ms(item: &PlannedPulse) -> u64 {
        item.at_ms
    }
}

impl Recurring<PulseRule> {
    /// How many come with a tampered manifest.
    #[must_use]
    pub fn tampered(&self) -> u64 {
        match self {
            Self::Listed(pulses) => pulses.iter().filter(|pulse| pulse.tampered).count() as u64,
            Self::Computed(rule) => rule.when.count.div_ceil(rule.tampered_every.max(1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fuzzing::cases;

    fn listed<R: Rule>(rule: R) -> (Recurring<R>, Recurring<R>) {
        let computed = Recurring::Computed(rule);
        (Recurring::Listed(computed.iter().collect()), computed)
    }

    prop_compose! {
        fn moments()(first_ms in 0..500_u64, every_ms in 1..300_u64, end_ms in 0..3_000_u64) -> (Regular, u64) {
            (Regular::before(first_ms, every_ms, end_ms), end_ms)
        }
    }

    proptest! {
        #![proptest_config(cases(200))]

        #[test]
        fn what_is_counted_is_what_is_listed(
            (when, end_ms) in moments(), (from_ms, to_ms) in (0..3_500_u64, 0..3_500_u64),
            (seed, streams, closed, tampered_every) in (any::<u64>(), 1..40_u32, 0..12_u32, 1..6_u64),
        ) {
            let (listed_moments, computed) = listed(when);
            prop_assert_eq!(listed_moments.count(), computed.count());
            prop_assert_eq!(listed_moments.latest_ms(), computed.latest_ms());
            prop_assert!(computed.latest_ms().is_none_or(|latest_ms| latest_ms < end_ms));
            prop_assert_eq!(listed_moments.within(from_ms, to_ms), computed.within(from_ms, to_ms));
            let (listed_churns, computed) = listed(ChurnRule { when, seed, streams, closed: closed.min(streams - 1) });
            prop_assert_eq!(listed_churns.closed_within(from_ms, to_ms), computed.closed_within(from_ms, to_ms));
            let (listed_pulses, computed) = listed(PulseRule { when, tampered_every });
            prop_assert_eq!(listed_pulses.tampered(), computed.tampered());
        }

        #[test]
        fn every_stream_takes_its_turn(seed: u64, streams in 2..40_u32, closed in 1..12_u32) {
            let closed = closed.min(streams - 1);
            let churns = Recurring::Computed(ChurnRule { when: Regular::before(0, 10, 10_000), seed, streams, closed });
            let in_turn = u64::from(streams / closed);
            for turn in 0..3 {
                let mut all: Vec<u32> =
                    (turn * in_turn..(turn + 1) * in_turn).flat_map(|n| churns.get(n).unwrap().streams).collect();
                all.sort_unstable();
                prop_assert!(all.windows(2).all(|pair| pair[0] < pair[1]), "one is closed twice in a turn: {all:?}");
                prop_assert_eq!(u64::from(closed) * in_turn, all.len() as u64);
            }
        }
    }

    #[test]
    fn a_list_of_an_earlier_version_stays_a_list() {
        let text = r#"[{"at_ms":300000,"streams":[1,7]},{"at_ms":600000,"streams":[3]}]"#;
        let churns: Recurring<ChurnRule> = serde_json::from_str(text).unwrap();
        assert_eq!((2, 2, 3), (churns.count(), churns.closed_within(0, 600_000), churns.closed_within(0, 600_001)));
        assert_eq!(text, serde_json::to_string(&churns).unwrap());
        let moments: Recurring<Regular> = serde_json::from_str("[1,20,5]").unwrap();
        assert_eq!((Some(20), Some(5), None), (moments.latest_ms(), moments.get(2), moments.get(3)));
    }
}
