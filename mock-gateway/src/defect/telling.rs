//! Effects of defects on the order, the reach and the words of the events on streams.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{Defect, Faults};
use crate::event::Event;

const UNORDERED_EVENTS_SHARE: f64 = 0.01;
const END_BEFORE_LAST_LOG_SHARE: f64 = 0.1;
const LOSE_FOR_ALL_SHARE: f64 = 0.03;
/// One log line of so many is on no stream of its workspace.
const LOST_ON_WORKSPACE_STREAMS: u64 = 4;
const TRUNCATED_DATA_SHARE: f64 = 0.005;
const ODD_END_SHARE: f64 = 0.1;
const MIXED_RUNS_SHARE: f64 = 0.2;

const SILENT_STREAMS_FROM: Duration = Duration::from_secs(30);
const UNSEEN_WRITE: Duration = Duration::from_millis(400);

/// Events that a stream hears beyond those that it was opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    Own,
    /// A stream of one run, and every other run of its workspace.
    EveryRun,
    EveryWorkspace,
}

impl Faults {
    /// The reach of a stream that is opened for a run or, without one, for a workspace.
    pub(crate) fn reach(&self, run: Option<&str>) -> Reach {
        match run {
            None if self.has(Defect::ForeignEvents) => Reach::EveryWorkspace,
            Some(_) if self.strikes(Defect::MixedRuns, MIXED_RUNS_SHARE) => Reach::EveryRun,
            _ => Reach::Own,
        }
    }

    /// Whether a resumed stream tells the event once more that it was resumed after.
    pub(super) fn begins_again(&self, sequence: u64) -> bool {
        sequence > 0 && self.has(Defect::ResumeOneAgain)
    }

    /// Whether a stream's replay lacks its first event.
    pub(crate) fn resumes_short(&self, is_resumed: bool) -> bool {
        is_resumed && self.has(Defect::ResumeOneShort)
    }

    /// Whether a stream carries comments where there would be events.
    pub(crate) fn is_mute(&self, opened: Instant, is_of_run: bool) -> bool {
        let silent_from = self.born + SILENT_STREAMS_FROM;
        let is_silent =
            self.has(Defect::SilentStreams) && opened < silent_from && silent_from.elapsed() > Duration::ZERO;
        is_silent || (self.has(Defect::SilentAfterRestart) && !is_of_run && self.since_restart().is_some())
    }

    /// Returns the duration of a write by the histogram.
    pub(crate) fn told_write(&self, took: Duration) -> Duration {
        let is_a_lie = self.has(Defect::LyingHistogram) || self.has(Defect::StallingWrites);
        if is_a_lie { Duration::ZERO } else { took }
    }

    /// Waits until an event is really written that was counted as written.
    pub(crate) async fn hold_write_unseen(&self, since: Instant) {
        if self.has(Defect::LyingHistogram) {
            sleep_until(since + UNSEEN_WRITE).await;
        }
        self.stand_still().await;
    }

    /// Whether a restart empties the event log.
    pub(crate) fn forgets_events(&self) -> bool {
        self.has(Defect::RestartLosesEvents)
    }

    /// Whether an event is told after the next one.
    pub(crate) fn holds_back(&self) -> bool {
        self.strikes(Defect::UnorderedEvents, UNORDERED_EVENTS_SHARE)
    }

    /// Whether no stream is told of this.
    pub(crate) fn swallows(&self, kind: &str) -> bool {
        kind == "log" && self.strikes(Defect::LoseForAll, LOSE_FOR_ALL_SHARE)
    }

    /// Whether a stream passes over an event: the same on every stream of the workspace, also where it is resumed.
    pub(crate) fn passes_over(&self, event: &Event, is_of_run: bool) -> bool {
        self.has(Defect::LoseOnWorkspaceStreams)
            && !is_of_run
            && event.kind() == "log"
            && event.sequence.is_multiple_of(LOST_ON_WORKSPACE_STREAMS)
    }

    /// An event's data as it is written.
    pub(crate) fn written(&self, mut data: String) -> String {
        if self.strikes(Defect::TruncatedData, TRUNCATED_DATA_SHARE) {
            data.truncate(data.floor_char_boundary(data.len() / 2));
        }
        data
    }

    /// The status that the end event of a completed run tells.
    pub(crate) fn end_says(&self) -> &'static str {
        if self.strikes(Defect::OddEnd, ODD_END_SHARE) { "done" } else { "completed" }
    }

    /// Whether a run's end is told before its last log line.
    pub(crate) fn ends_first(&self) -> bool {
        self.strikes(Defect::EndBeforeLastLog, END_BEFORE_LAST_LOG_SHARE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[tokio::test(start_paused = true)]
    async fn streams_of_the_first_half_minute_fall_silent_and_later_ones_do_not() {
        let faults = Faults::new(Defect::SilentStreams.into(), 7);
        let early = clock::now();
        assert!(!faults.is_mute(early, false));
        tokio::time::advance(SILENT_STREAMS_FROM + Duration::from_millis(1)).await;
        assert!(faults.is_mute(early, false) && faults.is_mute(early, true));
        assert!(!faults.is_mute(clock::now(), false));
    }
}
