//! For tests: how many cases are played, and how much memory one may take.

use proptest::prelude::*;

/// As many cases as `PROPTEST_CASES` says, else so many.
pub(crate) fn cases(by_default: u32) -> ProptestConfig {
    let untold = ProptestConfig::default().cases == UNTOLD;
    let cases = if untold { by_default } else { ProptestConfig::default().cases };
    // What was found stands in a test of its own, on literal data.
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// What proptest plays where nobody says how many.
const UNTOLD: u32 = 256;

/// Does something and looks how much memory it held at once: on this thread, above what was held before. A vector that
/// grows counts twice for a moment.
pub(crate) fn within<T>(bytes_max: usize, what: impl FnOnce() -> T) -> Result<T, TestCaseError> {
    let mut done = None;
    let took = allocation_counter::measure(|| done = Some(what()));
    prop_assert!(took.bytes_max <= bytes_max as u64, "{} bytes, and {bytes_max} are allowed", took.bytes_max);
    done.ok_or_else(|| TestCaseError::fail("it was not done"))
}

#[test]
fn more_memory_than_is_allowed_is_seen_and_what_was_held_before_does_not_count() {
    let before = vec![0_u8; 100_000];
    assert!(within(1_000, || drop(before)).is_ok());
    assert!(within(1_000, || vec![0_u8; 1_000]).is_ok());
    assert!(within(1_000, || drop(vec![0_u8; 1_001])).is_err(), "it was freed, and held all the same");
}
