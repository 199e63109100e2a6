//! Habits of healthy gateways with the connections and the events of their streams.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::{Defect, Faults};
use crate::event::Channel;

/// From a run's end to the end of its own stream.
const CLOSED_AFTER_END: Duration = Duration::from_millis(5);
/// Lifetime of a rotated stream. It is short enough that streams of a compressed soak, which are churned every few seconds,
/// come to that age.
const ROTATED_STREAM_LIFE: Duration = Duration::from_secs(8);
const PING_EVERY: Duration = Duration::from_secs(5);
const SLOW_HEARTBEAT: Duration = Duration::from_secs(90);
/// Which run logs the large line. It is an early one, so that the memory that it takes is part of the warm-up.
const LARGE_LINE_OF_RUN: u32 = 3;

/// How the gateway ends a run's own stream when the run is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterEnd {
    /// It stays open.
    Stays,
    /// It ends in good order after this time.
    Closes(Duration),
    /// Its connection is reset after this time.
    Resets(Duration),
}

/// Runs that have come to the point at which one of them logs a large line.
#[derive(Default)]
pub(super) struct LargeLines(AtomicU32);

impl Faults {
    /// Returns the behaviour of a run's own stream when the run is over.
    pub(crate) fn after_end(&self) -> AfterEnd {
        if self.has(Defect::ClosedAfterEnd) {
            AfterEnd::Closes(CLOSED_AFTER_END)
        } else if self.has(Defect::ResetAfterEnd) {
            AfterEnd::Resets(CLOSED_AFTER_END)
        } else {
            AfterEnd::Stays
        }
    }

    /// Whether a run's own stream is 204 once the run is over.
    pub(crate) fn answers_no_content(&self) -> bool {
        self.has(Defect::NoContentAfterEnd)
    }

    /// Returns the lifetime of a stream that is rotated.
    pub(super) fn rotates_after(&self) -> Option<Duration> {
        self.has(Defect::RotatedStreams).then_some(ROTATED_STREAM_LIFE)
    }

    /// How often a stream carries an event that names no run; it begins with one, too.
    pub(crate) fn pings_every(&self) -> Option<Duration> {
        self.has(Defect::PingEvents).then_some(PING_EVERY)
    }

    /// Whether the events of a run's own stream leave the run's id out.
    pub(crate) fn leaves_run_out(&self) -> bool {
        self.has(Defect::NoRunId)
    }

    /// Whether a run's own stream shows nothing from before it was opened.
    pub(crate) fn replays_no_run(&self) -> bool {
        self.has(Defect::NoReplay)
    }

    pub(super) fn slow_heartbeat(&self, channel: Channel) -> Option<Duration> {
        (channel == Channel::Guard && self.has(Defect::SlowHeartbeat)).then_some(SLOW_HEARTBEAT)
    }

    /// Whether the run that asks logs the large line.
    pub(crate) fn logs_large_line(&self) -> bool {
        self.has(Defect::LargeEvent) && self.large_lines.0.fetch_add(1, Ordering::Relaxed) + 1 == LARGE_LINE_OF_RUN
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::clock;

    #[tokio::test(start_paused = true)]
    async fn a_rotated_stream_ends_in_good_order_at_the_same_age_however_late_it_was_opened() {
        let faults = Faults::new(Defect::RotatedStreams.into(), 7);
        let cut = CancellationToken::new();
        for _ in 0..3 {
            let opened = clock::now();
            faults.ending(&cut).reached().await;
            assert_eq!(opened.elapsed(), ROTATED_STREAM_LIFE);
            sleep(Duration::from_secs(3)).await;
        }
        assert!(!cut.is_cancelled());
    }
}
