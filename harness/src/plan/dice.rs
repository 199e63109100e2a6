//! The dice of a plan: the draw for one number does not depend on the draws for others.

use rand::SeedableRng;
use rand_pcg::Pcg64;

/// Consecutive numbers are spread over all seeds: the golden ratio, as in SplitMix64.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// The dice of the n-th draw.
pub(super) fn dice(seed: u64, salt: u64, number: u64) -> Pcg64 {
    Pcg64::seed_from_u64(seed ^ salt ^ number.wrapping_mul(SPREAD))
}
