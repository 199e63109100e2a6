//! The table `[drift]` of `soak.toml`: when the growth of memory means something, and of which size it is a share.

use std::{ops::RangeInclusive, time::Duration};

use bytesize::ByteSize;

use super::table::{TableReader, format_duration};
use crate::{judge::Targets, plan::SOAK_MAX};

/// Measured, see `s2_harness::judge`: by then Node, Python and a JVM have taken the memory that they need for the load.
const MIN_REAL_TIME: Duration = Duration::from_secs(30 * 60);
const REAL_TIME: RangeInclusive<Duration> = RangeInclusive::new(Duration::ZERO, SOAK_MAX);
const BASE: RangeInclusive<ByteSize> = RangeInclusive::new(ByteSize::b(0), ByteSize::gb(100));

/// When the growth of memory means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drift {
    /// A compressed soak that is shorter than this does not judge the memory of a gateway of yours.
    pub min_real_time: Duration,
}

impl Drift {
    /// Why the growth of memory over a soak is not judged; none where it is. A soak in real time is always judged, however
    /// short: then too few minutes make it unproven.
    #[must_use]
    pub fn why_memory_is_not_judged(self, pace: f64, duration: Duration) -> Option<String> {
        let real_time = duration.div_f64(pace.max(f64::MIN_POSITIVE));
        (pace > 1.0 && real_time < self.min_real_time).then(|| {
            let (real_time, least) = (Duration::from_secs(real_time.as_secs()), self.min_real_time);
            format!(
                "not judged at pace {pace}: the soak takes {} of real time, and in less than {} a runtime is still taking \
                 the memory that it works with; play at a lower pace, or set [drift] min_real_time = \"0s\" for a gateway \
                 whose memory does not warm up",
                format_duration(real_time),
                format_duration(least)
            )
        })
    }
}

/// Reads the table. What it says of sizes is the judge's.
pub(super) fn drift(mut table: TableReader<'_>, targets: &mut Targets) -> Drift {
    let min_real_time = table.duration("min_real_time", REAL_TIME, MIN_REAL_TIME);
    targets.rss_base_min_bytes = table.size("rss_base_min", BASE, targets.rss_base_min_bytes);
    table.done();
    Drift { min_real_time }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO_HOURS: Duration = Duration::from_secs(7_200);

    #[test]
    fn memory_of_a_compressed_soak_is_judged_only_where_it_takes_long_enough() {
        let drift = Drift { min_real_time: Duration::from_secs(1_800) };
        let why = drift.why_memory_is_not_judged(120.0, TWO_HOURS).unwrap();
        assert!(
            why.starts_with("not judged at pace 120: the soak takes 1m of real time, and in less than 30m "),
            "{why}"
        );
        assert_eq!(None, drift.why_memory_is_not_judged(4.0, TWO_HOURS));
        assert_eq!(None, drift.why_memory_is_not_judged(1.0, Duration::from_secs(60)), "real time is always judged");
        assert_eq!(None, Drift { min_real_time: Duration::ZERO }.why_memory_is_not_judged(120.0, TWO_HOURS));
    }
}
