//! Durations of operations.

use std::time::Duration;

use tokio::time::Instant;

use super::{EXEMPLARS_MAX, Recorder};
use crate::{
    clock::{self, micros},
    journal::{Counter, Exemplar, Interval, LatencyHistogram, Timing, TimingRecord, clip},
    session::StartPoint,
};

impl Recorder {
    /// Records and gives the time since a mark, less the absences of S2.
    pub fn time(&self, timing: Timing, since: StartPoint, subject: &str) -> Duration {
        let took = self.between(since.at, clock::now());
        self.time_of(timing, took, since, subject);
        took
    }

    /// Records a duration.
    pub fn time_of(&self, timing: Timing, took: Duration, since: StartPoint, subject: &str) {
        self.time_in(&mut self.interval(since), timing, took, 1, subject);
    }

    /// Records the lateness of a task, due at `due`, on the threads that read the workspace streams: once for each
    /// event that streams delivered since the previous call.
    pub(in crate::session) fn read_late(&self, due: Instant) {
        let late = self.between(due, clock::now());
        let mut state = self.state.lock();
        let events = std::mem::take(&mut state.events_since_look);
        if events > 0 {
            self.time_in(state.interval(self.phase()), Timing::ReadLateness, late, events, "workspace streams");
        }
    }

    /// Counts an event that a stream delivered, and records its delivery time if known; also as `first_shown`.
    pub fn delivered(&self, since: StartPoint, took: Option<Duration>, first_shown: Option<Timing>, subject: &str) {
        let mut state = self.state.lock();
        // Events without a known delay count, too: first log lines are timed in any case.
        state.events_since_look += 1;
        let phase = self.phase_of(since);
        let interval = state.interval(phase);
        *interval.counters.entry(Counter::EventsDelivered).or_default() += 1;
        let Some(took) = took else { return };
        for timing in [Some(Timing::EventDelivery), first_shown].into_iter().flatten() {
            self.time_in(interval, timing, took, 1, subject);
        }
    }

    /// The samples of a timing in the steady phase, rising, each with their number; microseconds.
    #[cfg(test)]
    pub(in crate::session) fn recorded(&self, timing: Timing) -> Vec<(u64, u64)> {
        let mut state = self.state.lock();
        let record = state.interval(crate::catalog::Phase::Steady).timings.get(&timing);
        record.map(|record| record.histogram.recorded()).unwrap_or_default()
    }

    fn time_in(&self, interval: &mut Interval, timing: Timing, took: Duration, n: u64, subject: &str) {
        let value_us = micros(took);
        let record = interval.timings.entry(timing);
        let record = record.or_insert_with(|| TimingRecord { histogram: LatencyHistogram::new(), worst: Vec::new() });
        record.histogram.record_n(value_us, n);
        let worst = &mut record.worst;
        if worst.len() < EXEMPLARS_MAX || worst.last().is_some_and(|least| least.value_us < value_us) {
            let place = worst.partition_point(|other| other.value_us >= value_us);
            let (at_ms, subject) = (self.clock.now_ms(), clip(&self.hide(subject)));
            worst.insert(place, Exemplar { at_ms, value_us, subject });
            worst.truncate(EXEMPLARS_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;
    use crate::session::tests::{config, context, short};

    #[tokio::test(start_paused = true)]
    async fn each_event_was_read_as_late_as_a_task_ran_that_was_due_meanwhile() {
        let out = tempfile::tempdir().unwrap();
        let recorder = context(&config(out.path(), "http://127.0.0.1:9", &short(2))).recorder.clone();
        let recorded = || recorder.recorded(Timing::ReadLateness);
        let due = clock::now();
        recorder.read_late(due);
        assert_eq!(0, recorded().len(), "nothing was read");
        (0..3).for_each(|_| recorder.delivered(recorder.mark(), None, None, "run"));
        advance(Duration::from_millis(150)).await;
        recorder.read_late(due);
        recorder.read_late(due);
        assert_eq!(vec![(150_000, 3)], recorded());
    }
}
