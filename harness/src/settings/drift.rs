//! The table `[drift]` of `soak.toml`: when the growth of a gauge means something, and of which size of memory it is a
//! share.

use std::{ops::RangeInclusive, time::Duration};

use bytesize::ByteSize;

use super::table::{TableReader, format_duration};
use crate::{catalog::Kpi, judge::Targets, plan::SOAK_MAX};

/// Measured, see `s2_harness::judge`: by then Node, Python and a JVM have taken the memory that they need for the load.
const MIN_REAL_TIME: Duration = Duration::from_secs(30 * 60);
const REAL_TIME: RangeInclusive<Duration> = RangeInclusive::new(Duration::ZERO, SOAK_MAX);
const BASE: RangeInclusive<ByteSize> = RangeInclusive::new(ByteSize::b(0), ByteSize::gb(100));

/// Why a soak in less than `min_real_time` does not judge this KPI; none where it does. A soak in real time always does: too
/// few minutes make it unproven.
pub(super) fn why_not_judged(kpi: Kpi, pace: f64, duration: Duration, min_real_time: Duration) -> Option<String> {
    let (why, of_gateway) = needs_real_time(kpi)?;
    let real_time = duration.div_f64(pace.max(f64::MIN_POSITIVE));
    (pace > 1.0 && real_time < min_real_time).then(|| {
        let real_time = format_duration(Duration::from_secs(real_time.as_secs()));
        let least = format_duration(min_real_time);
        format!(
            "not judged at pace {pace}: the soak takes {real_time} of real time, and in less than {least} {why}; play at a lower \
             pace, or set [drift] min_real_time = \"0s\" for a gateway {of_gateway}"
        )
    })
}

/// A healthy gateway's behaviour that depends on real time, not on the load, so that a compressed soak takes it for
/// growth; and a gateway without it. None for a KPI that does not depend on real time.
const fn needs_real_time(kpi: Kpi) -> Option<(&'static str, &'static str)> {
    match kpi {
        Kpi::RssDrift => {
            Some(("a runtime is still taking the memory that it works with", "whose memory does not warm up"))
        }
        // A proxy has two or three for each stream, and keeps connections to what is behind it for 5 to 90 seconds.
        Kpi::FdDrift => Some((
            "descriptors that a gateway keeps for what is behind it, for as long as its idle limit, cannot be told from a leak",
            "that has one descriptor for each connection",
        )),
        // Many notice a client that has left only when they write to it, with a comment every 15 to 30 seconds.
        Kpi::SseConnectionDrift => Some((
            "streams whose end a gateway notices with its next comment cannot be told from a leak",
            "that notices at once that a client has left",
        )),
        _ => None,
    }
}

/// Reads the table: the real time below which a compressed soak does not judge some KPIs, and a size for the judge's targets.
pub(super) fn drift(table: &mut TableReader<'_>, targets: &mut Targets) -> Duration {
    let min_real_time = table.duration("min_real_time", REAL_TIME, MIN_REAL_TIME);
    targets.rss_base_min_bytes = table.size("rss_base_min", BASE, targets.rss_base_min_bytes);
    min_real_time
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO_HOURS: Duration = Duration::from_secs(7_200);

    #[test]
    fn what_goes_by_real_time_is_judged_in_a_compressed_soak_only_where_it_takes_long_enough() {
        let half_an_hour = Duration::from_secs(1_800);
        for kpi in [Kpi::RssDrift, Kpi::FdDrift, Kpi::SseConnectionDrift] {
            let why = why_not_judged(kpi, 120.0, TWO_HOURS, half_an_hour).unwrap();
            assert!(
                why.starts_with("not judged at pace 120: the soak takes 1m of real time, and in less than 30m "),
                "{why}"
            );
            assert_eq!(None, why_not_judged(kpi, 4.0, TWO_HOURS, half_an_hour));
            assert_eq!(
                None,
                why_not_judged(kpi, 1.0, Duration::from_secs(60), half_an_hour),
                "real time is always judged"
            );
            assert_eq!(None, why_not_judged(kpi, 120.0, TWO_HOURS, Duration::ZERO));
        }
        assert_eq!(
            None,
            why_not_judged(Kpi::QueueDrift, 120.0, TWO_HOURS, half_an_hour),
            "runs wait for workers, not for time"
        );
    }
}
