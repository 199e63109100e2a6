//! Whether the gateway's clock has jumped: what drifts, drifts by less from one reading to the next.

/// A clock that has moved against ours by more than this since it was last read has jumped: none drifts that fast.
const JUMP_US: i64 = 1_000_000;

/// Returns the distance that a clock has jumped from one reading to the next, in words. None unless it is more than a
/// slow answer, or a clock that is reported in large steps, can feign.
pub(super) fn jump(before_us: i64, offset_us: i64, unsure_us: u64) -> Option<String> {
    let moved_us = offset_us.saturating_sub(before_us);
    let feigned_us = i64::try_from(unsure_us).unwrap_or(i64::MAX);
    if moved_us.saturating_abs() <= JUMP_US.saturating_add(feigned_us) {
        return None;
    }
    let way = if moved_us > 0 { "ahead" } else { "back" };
    Some(format!("{way} by {} s against ours", moved_us.saturating_abs().saturating_add(500_000) / 1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_jumps_by_more_than_a_second_and_more_than_a_slow_answer_can_feign() {
        let second = 1_000_000;
        assert_eq!(None, jump(0, second, 0));
        assert_eq!(None, jump(-500, 29 * second, 30_000_000));
        assert_eq!(Some("ahead by 86400 s against ours"), jump(3, 86_400 * second, 900).as_deref());
        assert_eq!(Some("back by 2 s against ours"), jump(second, -second, 900).as_deref());
        assert!(jump(i64::MIN, i64::MAX, 0).is_some());
    }
}
