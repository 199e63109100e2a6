//! Scenario time and pace. The only file that reads time.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// Maps real time to scenario time: a scenario second takes `1 / pace` real seconds.
///
/// What belongs to the wire (timeouts, reconnect delays, latencies) is real time and never goes through here.
#[derive(Debug, Clone)]
pub struct Clock {
    origin: Instant,
    origin_wall: Timestamp,
    pace: f64,
}

impl Clock {
    /// A clock whose scenario begins now.
    #[must_use]
    pub fn start(pace: f64) -> Self {
        Self { origin: now(), origin_wall: wall_now(), pace }
    }

    /// The clock of a scenario that began in a process that is no more: at `started_at` by the wall clock, and at
    /// `started_monotonic_ms` by [`monotonic_ms`], which counts where it is known.
    #[must_use]
    pub fn take_over(started_at: Timestamp, started_monotonic_ms: Option<u64>, pace: f64) -> Self {
        let by_monotonic = started_monotonic_ms.and_then(|began| monotonic_ms().checked_sub(began));
        let by_wall = || Duration::try_from(wall_now().duration_since(started_at)).unwrap_or_default();
        let elapsed = by_monotonic.map_or_else(by_wall, Duration::from_millis);
        let now = now();
        Self { origin: now.checked_sub(elapsed).unwrap_or(now), origin_wall: started_at, pace }
    }

    /// How far the wall clock is from where it would be if nobody had set it since the scenario began, milliseconds.
    #[must_use]
    pub fn own_shift_ms(&self) -> f64 {
        let elapsed_us = i64::try_from(micros(now().saturating_duration_since(self.origin))).unwrap_or(i64::MAX);
        let unset_us = self.origin_wall.as_microsecond().saturating_add(elapsed_us);
        wall_now().as_microsecond().saturating_sub(unset_us) as f64 / 1_000.0
    }

    /// When the scenario began, by the wall clock.
    #[must_use]
    pub const fn started_at(&self) -> Timestamp {
        self.origin_wall
    }

    /// Scenario seconds in a real second.
    #[must_use]
    pub const fn pace(&self) -> f64 {
        self.pace
    }

    /// Scenario milliseconds since the start.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.at_ms(now())
    }

    /// The scenario millisecond of a real moment.
    #[must_use]
    pub fn at_ms(&self, instant: Instant) -> u64 {
        (instant.saturating_duration_since(self.origin).as_secs_f64() * 1_000.0 * self.pace) as u64
    }

    /// The real moment at which a scenario moment comes.
    #[must_use]
    pub fn instant(&self, at_ms: u64) -> Instant {
        self.origin + self.real(at_ms)
    }

    /// How much real time some scenario time takes.
    #[must_use]
    pub fn real(&self, scenario_ms: u64) -> Duration {
        Duration::from_millis(scenario_ms).div_f64(self.pace)
    }

    /// Waits until a scenario moment has come.
    pub async fn until(&self, at_ms: u64) {
        tokio::time::sleep_until(self.instant(at_ms)).await;
    }
}

/// Now, on the clock that never goes back.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one home of reading time")]
pub fn now() -> Instant {
    Instant::now()
}

/// Now, on the machine's clock that never goes back and is the same for every process; milliseconds since some moment.
#[must_use]
pub fn monotonic_ms() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let (seconds, nanos) = (u64::try_from(now.tv_sec).unwrap_or(0), u64::try_from(now.tv_nsec).unwrap_or(0));
    seconds.saturating_mul(1_000).saturating_add(nanos / 1_000_000)
}

/// Now, on the wall clock.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one home of reading time")]
pub fn wall_now() -> Timestamp {
    Timestamp::now()
}

/// `2026-11-23T10-00-00`: the wall clock's time as file names carry it, UTC.
#[must_use]
pub fn file_stamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H-%M-%S").to_string()
}

/// Microseconds of a duration, saturating.
#[must_use]
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
