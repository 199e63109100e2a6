//! The gateway's clock less S2's, from `/health`: Cristian's algorithm, and the resolution of the answer.

use std::collections::VecDeque;

use jiff::Timestamp;
use parking_lot::Mutex;

/// Readings of which the fastest counts.
const READINGS: usize = 8;
/// A sound reading takes no longer than twice the fastest and this.
const ROUND_TRIP_SLACK_US: u64 = 10_000;
/// A sound reading is at least this sure, unless the gateway was never read more surely: on a machine that stands still
/// for a while all readings in a row are slow, and the fastest of them says little. It is two fifths of the default of
/// `clock_drift`, and an offset is wrong by half of it at most.
const UNSURE_MAX_US: u64 = 200_000;
/// The possible resolutions of an answer, microseconds, the coarsest first. RFC 3339 allows a time without fractions.
const STEPS_US: [u64; 7] = [1_000_000, 100_000, 10_000, 1_000, 100, 10, 1];
/// A clock of this or a coarser resolution times no event: these take milliseconds.
const COARSE_US: u64 = 100_000;

/// Known properties of the gateway's clock.
#[derive(Debug, Default)]
pub struct GatewayClock(Mutex<KnownOffset>);

#[derive(Debug, Default)]
struct KnownOffset {
    /// The last readings: how long each took, and the offset, microseconds.
    readings: VecDeque<(u64, i64)>,
    /// Duration of the fastest reading of all; none before the first.
    fastest_us: Option<u64>,
    /// The resolution of the answers; none before the first reading.
    step_us: Option<u64>,
}

/// One reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockReading {
    /// The gateway's clock less S2's, microseconds.
    pub offset_us: i64,
    /// The offset is wrong by at most half of this, microseconds: the round trip and a step of the clock.
    pub unsure_us: u64,
    /// The finest resolution of the answers so far, microseconds.
    pub step_us: u64,
    /// Whether it is sound: it is unknown which half of the way of a slow answer was slow.
    pub is_sound: bool,
}

impl GatewayClock {
    /// Takes in an answer of the gateway's clock, between two moments of S2's.
    pub fn read(&self, told: Timestamp, sent: Timestamp, received: Timestamp) -> ClockReading {
        let (sent_us, received_us) = (sent.as_microsecond(), received.as_microsecond());
        let round_trip_us = u64::try_from(received_us.saturating_sub(sent_us)).unwrap_or(0);
        let mut known = self.0.lock();
        // A time that happens to be whole says nothing; any other shows a finer resolution.
        let told_us = told.as_microsecond();
        let step_us = STEPS_US.into_iter().find(|step_us| told_us.unsigned_abs().is_multiple_of(*step_us)).unwrap_or(1);
        let step_us = step_us.min(known.step_us.unwrap_or(step_us));
        known.step_us = Some(step_us);
        // The answer is the last full step, so that the time is half a step later on average.
        let half_step_us = i64::try_from(step_us / 2).unwrap_or(0);
        let offset_us = told_us.saturating_add(half_step_us).saturating_sub(sent_us.midpoint(received_us));
        let unsure_us = round_trip_us.saturating_add(step_us);
        let is_sound = known.take_in(offset_us, unsure_us);
        ClockReading { offset_us, unsure_us, step_us, is_sound }
    }

    /// The gateway's clock less S2's, microseconds, by the fastest of the last readings; none before the first.
    pub fn offset_us(&self) -> Option<i64> {
        self.0.lock().fastest().map(|(_, offset_us)| offset_us)
    }

    /// The same, where the resolution is fine enough to time the way of an event.
    pub fn fine_offset_us(&self) -> Option<i64> {
        self.offset_us().filter(|_| self.0.lock().step_us.is_some_and(|step_us| step_us < COARSE_US))
    }

    /// Its bounds, by the same reading: it is unknown which half of the way was slow.
    pub fn bounds_us(&self) -> Option<[i64; 2]> {
        self.0.lock().fastest().map(|(unsure_us, offset_us)| {
            let half_us = i64::try_from(unsure_us.div_ceil(2)).unwrap_or(i64::MAX);
            [offset_us.saturating_sub(half_us), offset_us.saturating_add(half_us)]
        })
    }
}

/// Whether a single answer has no fractions of a second.
pub(crate) fn seems_coarse(told: Timestamp) -> bool {
    told.as_microsecond().unsigned_abs().is_multiple_of(STEPS_US[0])
}

impl KnownOffset {
    fn take_in(&mut self, offset_us: i64, unsure_us: u64) -> bool {
        if self.readings.len() == READINGS {
            self.readings.pop_front();
        }
        self.readings.push_back((unsure_us, offset_us));
        let fastest_us = unsure_us.min(self.fastest_us.unwrap_or(unsure_us));
        self.fastest_us = Some(fastest_us);
        let best_us = self.fastest().map_or(0, |(unsure_us, _)| unsure_us);
        let near = |best_us: u64| best_us.saturating_mul(2).saturating_add(ROUND_TRIP_SLACK_US);
        unsure_us <= near(best_us) && unsure_us <= near(fastest_us).max(UNSURE_MAX_US)
    }

    fn fastest(&self) -> Option<(u64, i64)> {
        self.readings.iter().min_by_key(|(unsure_us, _)| *unsure_us).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(us: i64) -> Timestamp {
        Timestamp::from_microsecond(us).unwrap()
    }

    /// A reading by an answer that took so long, of a clock of such an offset.
    fn read(clock: &GatewayClock, offset_us: i64, round_trip_us: i64) -> ClockReading {
        let sent_us = 1_000_000_000;
        clock.read(at(sent_us + round_trip_us / 2 + offset_us), at(sent_us), at(sent_us + round_trip_us))
    }

    #[test]
    fn the_clock_lies_within_half_the_round_trip_and_a_step_of_the_fastest_of_the_last_readings() {
        let clock = GatewayClock::default();
        assert_eq!((None, None), (clock.bounds_us(), clock.fine_offset_us()));
        assert!(read(&clock, -7_000, 3_002).is_sound);
        assert!(!read(&clock, 500_000, 40_000).is_sound);
        assert_eq!((Some(-7_000), Some([-8_502, -5_498])), (clock.fine_offset_us(), clock.bounds_us()));
        for _ in 1..READINGS {
            read(&clock, 900_000, 50_000);
        }
        assert_eq!(Some([479_999, 520_001]), clock.bounds_us(), "the first is too old");
        let extreme = clock.read(Timestamp::MAX, Timestamp::MIN, Timestamp::MAX);
        assert!(!extreme.is_sound && extreme.unsure_us > 0);
    }

    #[test]
    fn a_clock_that_is_told_to_the_second_is_half_a_second_later_on_average_and_times_no_event() {
        let clock = GatewayClock::default();
        for fraction_us in (0..10).map(|n| n * 100_000 + 7) {
            let now_us = 1_000_000_000 + fraction_us;
            let told = at(now_us - fraction_us);
            let reading = clock.read(told, at(now_us - 1_000), at(now_us + 1_000));
            assert_eq!((500_000 - fraction_us, 1_002_000), (reading.offset_us, reading.unsure_us));
            assert_eq!((1_000_000, true), (reading.step_us, reading.is_sound));
            let bounds = clock.bounds_us().unwrap();
            assert!(bounds[0] <= 0 && bounds[1] >= 0, "{bounds:?}");
        }
        assert!(clock.offset_us().is_some() && clock.fine_offset_us().is_none());
    }

    #[test]
    fn a_time_that_happens_to_be_whole_is_no_coarse_clock_once_another_is_not() {
        let clock = GatewayClock::default();
        let read = |told_us| clock.read(at(told_us), at(told_us), at(told_us + 1_000)).step_us;
        assert_eq!([1_000_000, 1_000, 1_000], [read(7_000_000), read(8_123_000), read(9_000_000)]);
        assert!(clock.fine_offset_us().is_some());
    }

    #[test]
    fn slow_readings_in_a_row_are_none_to_go_by_unless_there_were_never_faster_ones() {
        let clock = GatewayClock::default();
        assert!((0..3).all(|_| read(&clock, 0, 4_000).is_sound));
        // Longer than it remembers which was the fastest of the last.
        assert!((0..2 * READINGS).all(|_| !read(&clock, 0, 500_000).is_sound));
        assert!(read(&clock, 0, 4_000).is_sound);
        assert!(
            (0..2 * READINGS).map(|_| read(&clock, 0, 150_000)).last().is_some_and(|last| last.is_sound),
            "a slower way"
        );
        let far = GatewayClock::default();
        assert!((0..2 * READINGS).all(|_| read(&far, 0, 600_000).is_sound), "it is always that far away");
    }
}
