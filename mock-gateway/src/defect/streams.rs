//! Effects of defects on streams and on the events on them.

use std::future::pending;
use std::time::Duration;

use rand::RngExt;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{Defect, Faults};
use crate::clock;
use crate::event::Channel;

const SLOW_WRITE_TAIL_SHARE: f64 = 0.03;
const REFUSE_RESUME_SHARE: f64 = 0.05;
const DUPLICATE_EVENTS_SHARE: f64 = 0.01;
const REDELIVER_NEW_ID_SHARE: f64 = 0.005;
const LOSE_EVENTS_SHARE: f64 = 0.005;
const LEAK_STREAMS_SHARE: f64 = 0.3;

const SLOW_WRITE: Duration = Duration::from_millis(400);
/// From here on a write is late.
const LATE_WRITE: Duration = Duration::from_millis(200);
/// Mean life of a stream: 5 % of them end each second.
const DROPPED_STREAM_LIFE: Duration = Duration::from_secs(20);

const ID_HOLE_MAX: u64 = 6;
/// Duration of every write of a gateway that is slow but steady.
const STEADY_WRITE: Duration = Duration::from_millis(120);
const BURST_INTERVAL: Duration = Duration::from_millis(100);
const FREQUENT_KEEP_ALIVE: Duration = Duration::from_secs(1);
const CLOSED_STREAM_LIFE: Duration = Duration::from_secs(9);
const HOURLY_CLOSE_AFTER: Duration = Duration::from_secs(30);

/// Events written to streams, and those of them that were late.
#[derive(Default)]
pub(super) struct Writes {
    all: u64,
    late: u64,
}

/// Treatment of an event on its way to the streams that hear it.
pub(crate) struct Delivery {
    /// How often each of them gets it.
    pub(crate) copies: usize,
    /// The one of them that does not.
    pub(crate) passed_over: Option<u64>,
    /// The only one of them that does.
    pub(crate) only: Option<u64>,
    /// Whether it is told once more, as if it were another event.
    pub(crate) is_repeated: bool,
    /// To which of them then; none is all.
    pub(crate) repeated_to: Option<u64>,
}

impl Delivery {
    pub(crate) const HEALTHY: Self =
        Self { copies: 1, passed_over: None, only: None, is_repeated: false, repeated_to: None };
}

/// When the gateway itself ends a stream, if at all.
pub(crate) struct Ending {
    at: Option<Instant>,
    /// The connection that is cut then; without it, the stream ends in good order.
    cut: Option<CancellationToken>,
}

impl Ending {
    /// Returns when the stream is to end in good order; a stream that is cut goes without a return.
    pub(crate) async fn reached(&self) {
        let Some(at) = self.at else { return pending().await };
        sleep_until(at).await;
        if let Some(cut) = &self.cut {
            cut.cancel();
            pending::<()>().await;
        }
    }
}

impl Faults {
    pub(crate) fn refuses_resume(&self) -> bool {
        self.strikes(Defect::RefuseResume, REFUSE_RESUME_SHARE)
    }

    /// Where a resumed stream goes on, that said it had everything up to `sequence`; none is from now on.
    pub(crate) fn resumes_after(&self, sequence: u64) -> Option<u64> {
        if self.has(Defect::IgnoreLastEventId) {
            return None;
        }
        Some(if self.has(Defect::ReplayFromStart) { 0 } else { sequence - u64::from(self.begins_again(sequence)) })
    }

    /// The ending of a stream that opens now, over the connection that `cut` cuts.
    pub(crate) fn ending(&self, cut: &CancellationToken) -> Ending {
        let now = clock::now();
        if self.has(Defect::DropStreams) {
            // Lives without memory: as many end in every second, however old.
            let life = DROPPED_STREAM_LIFE.mul_f64(-(1.0 - self.draw()).ln());
            return Ending { at: Some(now + life), cut: Some(cut.clone()) };
        }
        if self.has(Defect::CloseStreams) {
            return Ending { at: Some(now + CLOSED_STREAM_LIFE), cut: None };
        }
        if let Some(life) = self.rotates_after() {
            return Ending { at: Some(now + life), cut: None };
        }
        let close = self.born + HOURLY_CLOSE_AFTER;
        Ending { at: (self.has(Defect::HourlyClose) && now < close).then_some(close), cut: None }
    }

    /// Waits until an event is written that has been waiting since `since`.
    pub(crate) async fn hold_write(&self, since: Instant) {
        if self.has(Defect::BurstEvents) {
            let bursts = (since - self.born).div_duration_f64(BURST_INTERVAL).ceil();
            sleep_until(self.born + BURST_INTERVAL.mul_f64(bursts)).await;
        }
        if self.has(Defect::SlowButSteady) {
            sleep_until(since + STEADY_WRITE).await;
        }
        if self.has(Defect::SlowWriteTail) && self.is_write_held(since) {
            sleep(SLOW_WRITE).await;
        }
    }

    /// A held write delays those behind it, too. So the share is kept by counting what was late, not by drawing.
    fn is_write_held(&self, since: Instant) -> bool {
        let mut writes = self.writes.lock().expect("no holder panics");
        writes.all += 1;
        let is_late = since.elapsed() >= LATE_WRITE;
        let is_held = !is_late && (writes.late as f64) < SLOW_WRITE_TAIL_SHARE * writes.all as f64;
        writes.late += u64::from(is_late || is_held);
        is_held
    }

    pub(crate) fn keep_alive(&self, healthy: Duration, channel: Channel) -> Duration {
        if let Some(slow) = self.slow_heartbeat(channel) {
            return slow;
        }
        if self.has(Defect::KeepAliveOnly) { healthy.min(FREQUENT_KEEP_ALIVE) } else { healthy }
    }

    /// A stream closes, and may go on being counted.
    pub(crate) fn miscount_closed_stream(&self) {
        if self.strikes(Defect::LeakStreams, LEAK_STREAMS_SHARE) {
            self.leaks.streams.increment();
        }
        if self.has(Defect::UndercountStreams) {
            self.leaks.gone.increment();
        }
    }

    /// How many streams are counted when so many are open.
    pub(crate) fn counted(&self, open: usize) -> usize {
        (open + self.leaks.streams.get()).saturating_sub(self.leaks.gone.get())
    }

    // Events.

    /// Whether nothing is told on this channel.
    pub(crate) fn silences(&self, channel: Channel) -> bool {
        channel == Channel::Guard && self.has(Defect::KeepAliveOnly)
    }

    /// Whether every connection numbers its events anew.
    pub(crate) fn numbers_connections(&self) -> bool {
        self.has(Defect::IdsPerConnection)
    }

    /// From one event's number to the next one's.
    pub(crate) fn id_step(&self) -> u64 {
        if !self.has(Defect::SparseIds) {
            return 1;
        }
        1 + self.choices.lock().expect("no holder panics").random.random_range(0..=ID_HOLE_MAX)
    }

    /// How an event is delivered to those that hear it. One that nobody hears is none to strike at.
    pub(crate) fn delivery(&self, hearers: impl FnOnce() -> Vec<u64>) -> Delivery {
        let strikers = [Defect::DuplicateEvents, Defect::RedeliverNewId, Defect::RedeliverToOne, Defect::LoseEvents];
        if !strikers.iter().any(|defect| self.has(*defect)) {
            return Delivery::HEALTHY;
        }
        let mut hearers = hearers();
        if hearers.is_empty() {
            return Delivery::HEALTHY;
        }
        // In an order that depends on nothing but the seed.
        hearers.sort_unstable();
        let loses = self.strikes(Defect::LoseEvents, LOSE_EVENTS_SHARE);
        let repeats_to_one = self.strikes(Defect::RedeliverToOne, REDELIVER_NEW_ID_SHARE);
        let mut one = || hearers[(self.draw() * hearers.len() as f64) as usize];
        Delivery {
            copies: if self.strikes(Defect::DuplicateEvents, DUPLICATE_EVENTS_SHARE) { 2 } else { 1 },
            passed_over: loses.then(&mut one),
            only: None,
            is_repeated: repeats_to_one || self.strikes(Defect::RedeliverNewId, REDELIVER_NEW_ID_SHARE),
            repeated_to: repeats_to_one.then(&mut one),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(defect: Defect) -> Faults {
        Faults::new(defect.into(), 7)
    }

    #[tokio::test(start_paused = true)]
    async fn late_writes_are_kept_at_their_share_whatever_waits_behind_them() {
        let faults = faults(Defect::SlowWriteTail);
        // Thirty events a second on one stream, written one after the other.
        let begun = clock::now();
        let mut late = 0;
        for event in 0..3_000 {
            let created = begun + Duration::from_secs(1) * event / 30;
            sleep_until(created).await;
            faults.hold_write(created).await;
            late += u32::from(created.elapsed() >= LATE_WRITE);
        }
        assert!((80..=110).contains(&late), "{late}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_written_at_once_and_never_waits_for_the_next() {
        let faults = faults(Defect::BurstEvents);
        tokio::time::advance(Duration::from_millis(130)).await;
        let created = clock::now();
        faults.hold_write(created).await;
        assert!(created.elapsed() <= Duration::from_millis(72));
        let written = clock::now();
        faults.hold_write(created).await;
        assert_eq!(clock::now(), written);
    }

    #[tokio::test(start_paused = true)]
    async fn every_stream_of_the_first_half_minute_is_closed_once() {
        let faults = faults(Defect::HourlyClose);
        let cut = CancellationToken::new();
        let early = faults.ending(&cut);
        early.reached().await;
        assert!(faults.ending(&cut).at.is_none());
        assert!(!cut.is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn every_stream_is_closed_again_and_again() {
        let faults = faults(Defect::CloseStreams);
        let cut = CancellationToken::new();
        for _ in 0..3 {
            let opened = clock::now();
            faults.ending(&cut).reached().await;
            assert_eq!(opened.elapsed(), CLOSED_STREAM_LIFE);
        }
        assert!(!cut.is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn streams_are_cut_at_five_percent_a_second() {
        let faults = faults(Defect::DropStreams);
        let within_a_second = clock::now() + Duration::from_secs(1);
        let cut = CancellationToken::new();
        let early = (0..4_000).filter(|_| faults.ending(&cut).at.is_some_and(|at| at < within_a_second)).count();
        assert!((150..=250).contains(&early), "{early} of 4,000");
    }
}
