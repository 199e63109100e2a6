//! What a gateway's histogram gained from one scrape to the next, for each process that answers.

use crate::journal::Buckets;

/// Processes told apart. Of one that comes on top, the one that has not answered for longest is forgotten.
const PROCESSES_MAX: usize = 16;

/// A histogram of each process that answers: several may do so in turn behind one address.
#[derive(Debug, Default)]
pub(super) struct Tallies(Vec<(Option<u64>, Tally)>);

impl Tallies {
    /// Takes in a scrape of the process that started then, where that is known. What one that began within the soak has
    /// counted was all gained in it.
    pub(super) fn take_in(
        &mut self,
        started_s: Option<f64>,
        is_of_soak: bool,
        cumulative: &[(f64, f64)],
    ) -> Option<Buckets> {
        let process = started_s.map(f64::to_bits);
        let known = self.0.iter().position(|(other, _)| *other == process);
        let mut tally = known.map_or_else(Tally::default, |at| self.0.remove(at).1);
        // The first to answer was there before we asked, whatever the clocks say.
        if known.is_none() && is_of_soak && !self.0.is_empty() {
            let _ = tally.take_in(&cumulative.iter().map(|(bound, _)| (*bound, 0.0)).collect::<Vec<_>>());
        }
        let gained = tally.take_in(cumulative);
        if self.0.len() == PROCESSES_MAX {
            self.0.remove(0);
        }
        self.0.push((process, tally));
        gained
    }
}

/// A histogram as it stood at the last scrape: cumulative counts by upper bound.
#[derive(Debug, Default)]
pub(super) struct Tally {
    last: Option<Vec<(f64, f64)>>,
}

impl Tally {
    /// Takes in a scrape; says what was gained since the last. `None` at the first, which holds what was before the
    /// soak. A histogram that fell was reset by a restart that did not show: all it holds was gained since.
    pub(super) fn take_in(&mut self, cumulative: &[(f64, f64)]) -> Option<Buckets> {
        let last = self.last.replace(cumulative.to_vec())?;
        let same_bounds = last.len() == cumulative.len() && last.iter().zip(cumulative).all(|(a, b)| a.0 == b.0);
        let fell = !same_bounds || last.iter().zip(cumulative).any(|(before, now)| now.1 < before.1);
        let base = |n: usize| if fell { 0.0 } else { last[n].1 };
        let mut gained = Buckets::default();
        let mut below = 0.0;
        for (n, (bound, count)) in cumulative.iter().enumerate() {
            let up_to_here = count - base(n);
            // The last alone has no bound. A bound that makes no sense is kept, so that the whole is seen to make none.
            if *bound < f64::INFINITY {
                gained.bounds_seconds.push(*bound);
            }
            // Buckets that are not cumulative are a gateway's mistake: what would be negative is none.
            gained.counts.push(whole(up_to_here - below));
            below = up_to_here;
        }
        if gained.counts.len() == gained.bounds_seconds.len() {
            gained.counts.push(0);
        }
        Some(gained)
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what fits")]
fn whole(count: f64) -> u64 {
    count.clamp(0.0, 1e15) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(gained: Option<Buckets>) -> Option<u64> {
        gained.map(|gained| gained.total())
    }

    fn counted(count: f64) -> [(f64, f64); 2] {
        [(0.1, count), (f64::INFINITY, count)]
    }

    #[test]
    fn what_several_processes_counted_is_kept_apart() {
        let mut tallies = Tallies::default();
        let (one, other) = (Some(100.0), Some(200.5));
        assert_eq!(None, total(tallies.take_in(one, false, &counted(1_000.0))), "that was before the soak");
        assert_eq!(None, total(tallies.take_in(other, false, &counted(5.0))), "and so was that");
        assert_eq!(Some(3), total(tallies.take_in(one, false, &counted(1_003.0))));
        assert_eq!(Some(2), total(tallies.take_in(other, false, &counted(7.0))));
        assert_eq!(Some(0), total(tallies.take_in(one, false, &counted(1_003.0))));
    }

    #[test]
    fn all_that_a_process_counted_which_began_within_the_soak_is_of_the_soak() {
        let mut tallies = Tallies::default();
        assert_eq!(None, total(tallies.take_in(Some(100.0), false, &counted(9.0))));
        assert_eq!(Some(4), total(tallies.take_in(Some(300.0), true, &counted(4.0))));
        assert_eq!(Some(1), total(tallies.take_in(Some(300.0), true, &counted(5.0))));
    }

    #[test]
    fn a_histogram_that_fell_was_reset_where_nobody_says_which_process_it_is() {
        let mut tallies = Tallies::default();
        assert_eq!(None, total(tallies.take_in(None, false, &counted(9.0))));
        assert_eq!(Some(4), total(tallies.take_in(None, false, &counted(4.0))));
    }

    #[test]
    fn ever_new_processes_take_no_more_memory() {
        let mut tallies = Tallies::default();
        for started_s in 0..1_000 {
            let _ = tallies.take_in(Some(f64::from(started_s)), false, &counted(1.0));
        }
        assert_eq!(PROCESSES_MAX, tallies.0.len());
        assert_eq!(Some(0), total(tallies.take_in(Some(999.0), false, &counted(1.0))), "the latest are known");
    }
}
