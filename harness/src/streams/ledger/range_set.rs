//! A set of numbers that mostly come in order.

use std::ops::Range;

/// A set of numbers as ranges, ascending. Numbers that come in order take one range, and constant time each.
#[derive(Debug, Default, Clone)]
pub(super) struct RangeSet {
    /// The last range; empty where the set is.
    last: Range<u64>,
    /// The ranges before it, ascending. None of two touch.
    before: Vec<Range<u64>>,
}

impl RangeSet {
    /// Whether a number is in the set.
    pub(super) fn contains(&self, number: u64) -> bool {
        self.first_missing(number) != number
    }

    /// Adds a number. Says whether it is new.
    pub(super) fn insert(&mut self, number: u64) -> bool {
        if self.last.is_empty() {
            self.last = number..number;
        }
        if number == self.last.end {
            self.last.end += 1;
        } else if number > self.last.end {
            self.before.push(std::mem::replace(&mut self.last, number..number + 1));
        } else if self.contains(number) {
            return false;
        } else {
            self.fill(number);
        }
        true
    }

    /// Adds a number that lies before the end and is not there.
    fn fill(&mut self, number: u64) {
        // With the last range in the list, neighbours are found in one way.
        self.before.push(std::mem::take(&mut self.last));
        let at = self.before.partition_point(|range| range.end <= number);
        let touches_before = at > 0 && self.before[at - 1].end == number;
        let touches_next = self.before[at].start == number + 1;
        match (touches_before, touches_next) {
            (true, true) => {
                self.before[at - 1].end = self.before[at].end;
                self.before.remove(at);
            }
            (true, false) => self.before[at - 1].end += 1,
            (false, true) => self.before[at].start = number,
            (false, false) => self.before.insert(at, number..number + 1),
        }
        self.last = self.before.pop().unwrap_or_default();
    }

    /// The first number from this one on that is not in the set.
    pub(super) fn first_missing(&self, from: u64) -> u64 {
        let range = if from >= self.last.start {
            Some(&self.last)
        } else {
            self.before.get(self.before.partition_point(|range| range.end <= from))
        };
        range.filter(|range| range.contains(&from)).map_or(from, |range| range.end)
    }

    /// Forgets the ranges that end before a number.
    pub(super) fn forget_before(&mut self, number: u64) {
        let over = self.before.partition_point(|range| range.end <= number);
        self.before.drain(..over);
        if self.before.is_empty() {
            self.before = Vec::new();
        }
    }

    /// The first number of the last `ranges_max` ranges; 0 where there are no more.
    pub(super) fn first_of(&self, ranges_max: usize) -> u64 {
        let at = self.ranges().saturating_sub(ranges_max);
        if at == 0 { 0 } else { self.before.get(at).map_or(self.last.start, |range| range.start) }
    }

    /// The number of ranges.
    pub(super) fn ranges(&self) -> usize {
        self.before.len() + usize::from(!self.last.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::fuzzing::cases;

    proptest! {
        #![proptest_config(cases(1_000))]

        #[test]
        fn it_holds_the_numbers_that_were_added(numbers in prop::collection::vec(0..40_u64, 0..60), floor in 0..40_u64) {
            let (mut set, mut model) = (RangeSet::default(), BTreeSet::new());
            for number in numbers {
                prop_assert_eq!(model.insert(number), set.insert(number));
            }
            let first_missing = |from: u64| (from..).find(|number| !model.contains(number));
            for number in 0..42 {
                prop_assert_eq!(model.contains(&number), set.contains(number));
                prop_assert_eq!(first_missing(number), Some(set.first_missing(number)));
            }
            let gaps = model.iter().filter(|number| !model.contains(&(**number + 1))).count();
            prop_assert_eq!(gaps, set.ranges());
            set.forget_before(floor);
            prop_assert!((floor..42).all(|number| model.contains(&number) == set.contains(number)));
        }
    }

    #[test]
    fn the_last_ranges_begin_somewhere() {
        let mut set = RangeSet::default();
        [0, 1, 4, 7, 10].iter().for_each(|number| _ = set.insert(*number));
        assert_eq!([10, 7, 4, 0, 0], [1, 2, 3, 4, 5].map(|ranges_max| set.first_of(ranges_max)));
        assert_eq!(0, RangeSet::default().first_of(1));
    }

    #[test]
    fn numbers_in_order_take_one_range() {
        let mut set = RangeSet::default();
        assert!((7..100_000).all(|number| set.insert(number)));
        assert_eq!((1, 100_000), (set.ranges(), set.first_missing(7)));
    }
}
