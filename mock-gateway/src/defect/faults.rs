//! What each defect does, how often and how much. Asked by one line where the behaviour is; without defects every
//! answer is the healthy one, and nothing is drawn.

use std::future::pending;
#[cfg(test)]
use std::sync::Arc;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::leaks::Leaks;
use super::{Defect, Defects};
use crate::chaos::{Chaos, LATENCY_DURATION_MAX};
use crate::clock;
use crate::events::Channel;

const UNREADY_SHARE: f64 = 0.005;
const RUNS_FAIL_SHARE: f64 = 0.08;
const SLOW_START_TAIL_SHARE: f64 = 0.03;
const SLOW_JUDGE_SHARE: f64 = 0.08;
const SLOW_SHIELD_SHARE: f64 = 0.08;
const SLOW_WRITE_TAIL_SHARE: f64 = 0.03;
const REFUSE_RESUME_SHARE: f64 = 0.3;
const DUPLICATE_EVENTS_SHARE: f64 = 0.01;
const REDELIVER_NEW_ID_SHARE: f64 = 0.005;
const LOSE_EVENTS_SHARE: f64 = 0.005;
const API_ERRORS_SHARE: f64 = 0.02;
const CHAOS_ERRORS_SHARE: f64 = 0.3;
const LEAK_DESCRIPTORS_SHARE: f64 = 0.2;
const LEAK_STREAMS_SHARE: f64 = 0.3;
const LEAK_QUEUE_SHARE: f64 = 0.2;

const SLOW_START_TAIL: Duration = Duration::from_millis(2_500);
const SLOW_START: Duration = Duration::from_millis(1_500);
const SLOW_JUDGE: Duration = Duration::from_millis(600);
const SLOW_SHIELD: Duration = Duration::from_millis(400);
const SLOW_WRITE: Duration = Duration::from_millis(400);
/// From here on a write is late.
const LATE_WRITE: Duration = Duration::from_millis(200);

/// Mean life of a stream: 5 % of them end each second.
const DROPPED_STREAM_LIFE: Duration = Duration::from_secs(20);
const CHAOS_ERRORS_AFTER: Duration = Duration::from_secs(1);
const SLOW_INDEX: Duration = Duration::from_secs(12);
/// Between two pulses of a registry workload, even when a smoke test is compressed thirtyfold.
const FORGET_VERSIONS_AFTER: Duration = Duration::from_secs(18);
const CLOCK_DRIFT: f64 = 0.02;
const CLOCK_JUMP: Duration = Duration::from_secs(2);
const CLOCK_JUMP_AFTER: Duration = Duration::from_secs(30);
const SLOW_RECOVERY: Duration = Duration::from_secs(35);
const METRICS_FROZEN_AFTER: Duration = Duration::from_secs(5);
/// In the name of every histogram, and of nothing else.
const HISTOGRAM_MARK: &str = "_duration_seconds";

const ID_HOLE_MAX: u64 = 6;
const BURST_INTERVAL: Duration = Duration::from_millis(100);
const STEADY_FIRST_LINE: Duration = Duration::from_secs(1);
const STEADY_JUDGE: Duration = Duration::from_millis(250);
const STEADY_SHIELD: Duration = Duration::from_millis(150);
const FREQUENT_KEEP_ALIVE: Duration = Duration::from_secs(1);
const LATE_START_ANSWER: Duration = Duration::from_millis(50);
const HOURLY_CLOSE_AFTER: Duration = Duration::from_secs(30);

/// The gateway's defects at work.
pub(crate) struct Faults {
    defects: Defects,
    born: Instant,
    choices: Mutex<Choices>,
    writes: Mutex<Writes>,
    frozen_metrics: OnceLock<String>,
    leaks: Leaks,
}

struct Choices {
    random: StdRng,
    turns: [Turn; Defect::ALL.len()],
}

/// When a defect strikes next. Of every 1 / share times it strikes at one, and chance chooses which: so few samples see
/// the share they should.
#[derive(Clone, Copy, Default)]
struct Turn {
    /// Times so far, multiplied with the share.
    progress: f64,
    due: Option<f64>,
}

impl Turn {
    fn strikes(&mut self, share: f64, mut draw: impl FnMut() -> f64) -> bool {
        let due = *self.due.get_or_insert_with(&mut draw);
        self.progress += share;
        if self.progress < due {
            return false;
        }
        self.due = Some(due.floor() + 1.0 + draw());
        true
    }
}

/// Events written to streams, and those of them that were late.
#[derive(Default)]
struct Writes {
    all: u64,
    late: u64,
}

/// What becomes of an event on its way to the streams that hear it.
pub(crate) struct Delivery {
    /// How often each of them gets it.
    pub(crate) copies: usize,
    /// The one of them that does not.
    pub(crate) passed_over: Option<u64>,
    /// Whether it is told once more, as if it were another event.
    pub(crate) is_repeated: bool,
}

impl Delivery {
    pub(crate) const HEALTHY: Self = Self { copies: 1, passed_over: None, is_repeated: false };
}

/// What a run was given, where it should not show.
#[derive(Default)]
pub(crate) struct Slips {
    pub(crate) log: Option<String>,
    pub(crate) output: Option<String>,
}

/// When the gateway itself ends a stream, if at all.
pub(crate) struct Ending {
    at: Option<Instant>,
    /// What is cut then; without it, the stream ends in good order.
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
    pub(crate) fn new(defects: Defects, seed: u64) -> Self {
        // A sequence of its own: what a healthy gateway chooses is not shifted by what a defect draws.
        let random = StdRng::seed_from_u64(seed.wrapping_add(1));
        Self {
            defects,
            born: clock::now(),
            choices: Mutex::new(Choices { random, turns: [Turn::default(); _] }),
            writes: Mutex::default(),
            frozen_metrics: OnceLock::new(),
            leaks: Leaks::default(),
        }
    }

    /// Those of a healthy gateway.
    #[cfg(test)]
    pub(crate) fn none() -> Arc<Self> {
        Arc::new(Self::new(Defects::default(), 0))
    }

    pub(super) fn has(&self, defect: Defect) -> bool {
        self.defects.contains(defect)
    }

    /// Whether a defect strikes this time, as it does at this share of all times.
    fn strikes(&self, defect: Defect, share: f64) -> bool {
        if !self.has(defect) {
            return false;
        }
        let Choices { random, turns } = &mut *self.choices.lock().expect("no holder panics");
        turns[defect as usize].strikes(share, || random.random_range(0.0..1.0))
    }

    fn draw(&self) -> f64 {
        self.choices.lock().expect("no holder panics").random.random_range(0.0..1.0)
    }

    // Calls.

    pub(crate) fn is_unready(&self) -> bool {
        self.strikes(Defect::Unready, UNREADY_SHARE)
    }

    /// Whether a call answers 500 for no reason of its own.
    pub(crate) fn fails_call(&self, method: &Method, path: &str, chaos: &Chaos) -> bool {
        if !path.starts_with("/api/") || path.starts_with("/api/chaos/") {
            return false;
        }
        let in_chaos = self.has(Defect::ChaosErrors) && chaos.is_recent(CHAOS_ERRORS_AFTER);
        (in_chaos && self.strikes(Defect::ChaosErrors, CHAOS_ERRORS_SHARE))
            || (method == Method::POST && self.strikes(Defect::ApiErrors, API_ERRORS_SHARE))
    }

    pub(crate) async fn hold_start_answer(&self) {
        if self.has(Defect::LogBeforeAnswer) {
            sleep(LATE_START_ANSWER).await;
        }
    }

    /// The clock as the gateway tells it.
    pub(crate) fn wall(&self, wall: Timestamp) -> Timestamp {
        let age = self.born.elapsed();
        let drift = if self.has(Defect::ClockDrift) { age.mul_f64(CLOCK_DRIFT) } else { Duration::ZERO };
        let jumped = self.has(Defect::ClockJump) && age >= CLOCK_JUMP_AFTER;
        wall + drift + if jumped { CLOCK_JUMP } else { Duration::ZERO }
    }

    /// The metrics' text as it is given; none when there is no such call.
    pub(crate) fn exposition(&self, text: impl FnOnce() -> String) -> Option<String> {
        if self.has(Defect::NoMetrics) {
            return None;
        }
        if self.has(Defect::MetricsFrozen) && self.born.elapsed() >= METRICS_FROZEN_AFTER {
            return Some(self.frozen_metrics.get_or_init(text).clone());
        }
        let text = text();
        if !self.has(Defect::NoHistograms) {
            return Some(text);
        }
        Some(text.split_inclusive('\n').filter(|line| !line.contains(HISTOGRAM_MARK)).collect())
    }

    // Runs.

    pub(crate) fn fails_run(&self) -> bool {
        self.strikes(Defect::RunsFail, RUNS_FAIL_SHARE)
    }

    pub(crate) async fn hold_first_line(&self) {
        if self.has(Defect::SlowStart) {
            sleep(SLOW_START).await;
        } else if self.strikes(Defect::SlowStartTail, SLOW_START_TAIL_SHARE) {
            sleep(SLOW_START_TAIL).await;
        } else if self.has(Defect::SlowButSteady) {
            sleep(STEADY_FIRST_LINE).await;
        }
    }

    /// How long the judge takes that would have taken `healthy`.
    pub(crate) fn judge_takes(&self, healthy: Duration) -> Duration {
        let steady = if self.has(Defect::SlowButSteady) { STEADY_JUDGE } else { healthy };
        if self.strikes(Defect::SlowJudge, SLOW_JUDGE_SHARE) { SLOW_JUDGE } else { steady }
    }

    /// The same of the shield.
    pub(crate) fn shield_takes(&self, healthy: Duration) -> Duration {
        let steady = if self.has(Defect::SlowButSteady) { STEADY_SHIELD } else { healthy };
        if self.strikes(Defect::SlowShield, SLOW_SHIELD_SHARE) { SLOW_SHIELD } else { steady }
    }

    pub(crate) fn accepts_injections(&self) -> bool {
        self.has(Defect::AcceptInjections)
    }

    /// Where the message of a run shows as it was given.
    pub(crate) fn slips(&self, message: &str, is_hash_only: bool) -> Slips {
        let plain = |defect| self.has(defect).then(|| message.to_owned());
        if is_hash_only {
            let base64 = || self.has(Defect::LeakCanaryBase64).then(|| STANDARD.encode(message));
            Slips { log: plain(Defect::LeakCanaryLog).or_else(base64), output: None }
        } else {
            Slips { log: plain(Defect::LeakPii), output: plain(Defect::LeakPiiOutput) }
        }
    }

    /// A run ends, and may leave something behind.
    pub(crate) fn leak_after_run(&self) {
        if self.has(Defect::LeakMemory) {
            self.leaks.leak_memory();
        }
        if self.strikes(Defect::LeakDescriptors, LEAK_DESCRIPTORS_SHARE) {
            self.leaks.leak_descriptor();
        }
        if self.strikes(Defect::LeakQueue, LEAK_QUEUE_SHARE) {
            self.leaks.waiting.increment();
        }
    }

    /// Runs that are counted as waiting, and are none.
    pub(crate) fn waiting_for_ever(&self) -> usize {
        self.leaks.waiting.get()
    }

    // Streams.

    pub(crate) fn refuses_resume(&self) -> bool {
        self.strikes(Defect::RefuseResume, REFUSE_RESUME_SHARE)
    }

    /// Where a resumed stream goes on, that said it had everything up to `sequence`; none is from now on.
    pub(crate) fn resumes_after(&self, sequence: u64) -> Option<u64> {
        if self.has(Defect::IgnoreLastEventId) {
            return None;
        }
        Some(if self.has(Defect::ReplayFromStart) { 0 } else { sequence })
    }

    /// The ending of a stream that opens now, over the connection that `cut` cuts.
    pub(crate) fn ending(&self, cut: &CancellationToken) -> Ending {
        let now = clock::now();
        if self.has(Defect::DropStreams) {
            // Lives without memory: as many end in every second, however old.
            let life = DROPPED_STREAM_LIFE.mul_f64(-(1.0 - self.draw()).ln());
            return Ending { at: Some(now + life), cut: Some(cut.clone()) };
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

    pub(crate) fn keep_alive(&self, healthy: Duration) -> Duration {
        if self.has(Defect::KeepAliveOnly) { healthy.min(FREQUENT_KEEP_ALIVE) } else { healthy }
    }

    /// A stream closes, and may go on being counted.
    pub(crate) fn miscount_closed_stream(&self) {
        if self.strikes(Defect::LeakStreams, LEAK_STREAMS_SHARE) {
            self.leaks.streams.increment();
        }
    }

    /// Streams that are counted as open, and are closed.
    pub(crate) fn open_for_ever(&self) -> usize {
        self.leaks.streams.get()
    }

    // Events.

    /// Whether nothing is told on this channel.
    pub(crate) fn silences(&self, channel: Channel) -> bool {
        channel == Channel::Guard && self.has(Defect::KeepAliveOnly)
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
        let strikers = [Defect::DuplicateEvents, Defect::RedeliverNewId, Defect::LoseEvents];
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
        Delivery {
            copies: if self.strikes(Defect::DuplicateEvents, DUPLICATE_EVENTS_SHARE) { 2 } else { 1 },
            passed_over: loses.then(|| hearers[(self.draw() * hearers.len() as f64) as usize]),
            is_repeated: self.strikes(Defect::RedeliverNewId, REDELIVER_NEW_ID_SHARE),
        }
    }

    // Registry.

    pub(crate) fn accepts_tampered(&self) -> bool {
        self.has(Defect::AcceptTampered)
    }

    pub(crate) fn index_delay(&self, healthy: Duration) -> Duration {
        if self.has(Defect::SlowIndex) { SLOW_INDEX } else { healthy }
    }

    /// Whether a search no longer finds what it could find for so long.
    pub(crate) fn forgets(&self, findable_for: Duration) -> bool {
        self.has(Defect::ForgetVersions) && findable_for >= FORGET_VERSIONS_AFTER
    }

    // Chaos.

    pub(crate) fn ignores_restarts(&self) -> bool {
        self.has(Defect::RestartNotDone)
    }

    pub(crate) fn downtime(&self, healthy: Duration) -> Duration {
        if self.has(Defect::SlowRecovery) { SLOW_RECOVERY } else { healthy }
    }

    /// How long latency lasts that was asked for; none when it is not applied at all.
    pub(crate) fn latency_lasts(&self, asked: Duration) -> Option<Duration> {
        if self.has(Defect::LatencyNotApplied) {
            return None;
        }
        Some(if self.has(Defect::NeverHeals) { LATENCY_DURATION_MAX } else { asked })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(defect: Defect) -> Faults {
        Faults::new(defect.into(), 7)
    }

    #[test]
    fn a_defect_strikes_at_its_share_and_no_other_does() {
        for (share, times) in [(0.005, 200), (0.03, 1_000), (0.3, 1_000)] {
            let faults = faults(Defect::RunsFail);
            let strikes = (0..times).filter(|_| faults.strikes(Defect::RunsFail, share)).count() as f64;
            assert!((strikes - share * f64::from(times)).abs() <= 1.0, "{strikes} of {times} at {share}");
            assert!(!(0..times).any(|_| faults.strikes(Defect::SlowJudge, 1.0)));
        }
    }

    #[test]
    fn the_same_seed_strikes_at_the_same_times() {
        let times = |seed| {
            let faults = Faults::new(Defect::RunsFail.into(), seed);
            (0..200).map(|_| faults.fails_run()).collect::<Vec<_>>()
        };
        assert_eq!(times(3), times(3));
        assert_ne!(times(3), times(4));
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
    async fn clocks_drift_and_jump() {
        let ahead = |faults: &Faults| {
            let wall = Timestamp::UNIX_EPOCH;
            faults.wall(wall).duration_since(wall).as_millis()
        };
        let (healthy, drifting) = (Faults::new(Defects::default(), 0), faults(Defect::ClockDrift));
        let jumping = faults(Defect::ClockJump);
        tokio::time::advance(Duration::from_secs(29)).await;
        assert_eq!(ahead(&jumping), 0);
        tokio::time::advance(Duration::from_secs(31)).await;
        assert_eq!((ahead(&healthy), ahead(&drifting), ahead(&jumping)), (0, 1_200, 2_000));
    }
}
