//! Effect, frequency and size of each defect. Defects of streams are in `streams` and `telling`, further ones in `lapses`.
//! The code of a behaviour asks for its defect in one line. Without defects every answer is the healthy one, and nothing is drawn.

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
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::habits::LargeLines;
use super::heap::{Heap, HeapReading};
use super::lapses::Past;
use super::leaks::Leaks;
use super::processes::{MaybeWorker, Turns};
use super::streams::Writes;
use super::{Defect, Defects};
use crate::chaos::{Chaos, LATENCY_DURATION_MAX};
use crate::clock;

const UNREADY_SHARE: f64 = 0.005;
const RUNS_FAIL_SHARE: f64 = 0.08;
const SLOW_START_TAIL_SHARE: f64 = 0.03;
const SLOW_JUDGE_SHARE: f64 = 0.08;
const SLOW_SHIELD_SHARE: f64 = 0.08;
const API_ERRORS_SHARE: f64 = 0.02;
const CHAOS_ERRORS_SHARE: f64 = 0.08;
const LEAK_DESCRIPTORS_SHARE: f64 = 0.2;
const LEAK_QUEUE_SHARE: f64 = 0.2;

const SLOW_START_TAIL: Duration = Duration::from_millis(2_500);
const SLOW_START: Duration = Duration::from_millis(1_500);
const SLOW_JUDGE: Duration = Duration::from_millis(600);
const SLOW_SHIELD: Duration = Duration::from_millis(400);

const CHAOS_ERRORS_AFTER: Duration = Duration::from_secs(1);
const SLOW_INDEX: Duration = Duration::from_secs(12);
/// Between two pulses of a registry workload, even when a smoke test is compressed thirtyfold.
const FORGET_VERSIONS_AFTER: Duration = Duration::from_secs(18);
const CLOCK_DRIFT: f64 = 0.02;
const CLOCK_JUMP: Duration = Duration::from_secs(2);
const CLOCK_JUMP_AFTER: Duration = Duration::from_secs(30);
const SLOW_RECOVERY: Duration = Duration::from_secs(3);
const METRICS_FROZEN_AFTER: Duration = Duration::from_secs(5);
/// In the name of every histogram, and of nothing else.
const HISTOGRAM_MARK: &str = "_duration_seconds";

const STEADY_FIRST_LINE: Duration = Duration::from_millis(900);
const STEADY_JUDGE: Duration = Duration::from_millis(250);
const STEADY_SHIELD: Duration = Duration::from_millis(150);
const STEADY_INDEX: Duration = Duration::from_secs(8);
const LATE_START_ANSWER: Duration = Duration::from_millis(50);

/// The gateway's defects at work.
pub(crate) struct Faults {
    defects: Defects,
    pub(super) born: Instant,
    pub(super) choices: Mutex<Choices>,
    pub(super) writes: Mutex<Writes>,
    frozen_metrics: OnceLock<String>,
    pub(super) leaks: Leaks,
    pub(super) past: Past,
    pub(super) turns: Turns,
    pub(super) worker: MaybeWorker,
    pub(super) large_lines: LargeLines,
}

pub(super) struct Choices {
    pub(super) random: StdRng,
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

/// Input of a run, in places where it should not show.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Slips {
    pub(crate) log: Option<String>,
    pub(crate) output: Option<String>,
    pub(crate) guard: Option<String>,
    /// The whole input, for as long as the run has not ended.
    pub(crate) input: Option<String>,
    /// The whole input, from when its workspace keeps plain text again.
    pub(crate) hidden: Option<String>,
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
            past: Past::default(),
            turns: Turns::default(),
            worker: MaybeWorker::default(),
            large_lines: LargeLines::default(),
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
    pub(super) fn strikes(&self, defect: Defect, share: f64) -> bool {
        if !self.has(defect) {
            return false;
        }
        let Choices { random, turns } = &mut *self.choices.lock().expect("no holder panics");
        turns[defect as usize].strikes(share, || random.random_range(0.0..1.0))
    }

    pub(super) fn draw(&self) -> f64 {
        self.choices.lock().expect("no holder panics").random.random_range(0.0..1.0)
    }

    // Calls.

    pub(crate) fn is_unready(&self) -> bool {
        self.strikes(Defect::Unready, UNREADY_SHARE) || self.flaps()
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
        wall + drift + self.swing(age) + if jumped { CLOCK_JUMP } else { Duration::ZERO }
    }

    /// The metrics' text as it is given; none when there is no such call.
    pub(crate) fn exposition(&self, text: impl FnOnce() -> String) -> Option<String> {
        if self.has(Defect::NoMetrics) {
            return None;
        }
        if self.has(Defect::MetricsFrozen) && self.born.elapsed() >= METRICS_FROZEN_AFTER {
            return Some(self.frozen_metrics.get_or_init(text).clone());
        }
        let text = self.respell(text() + &self.last_message());
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
        let late_by = self.first_line_late_by();
        if !late_by.is_zero() {
            sleep(late_by).await;
        }
    }

    /// Returns the time that the judge takes. Without defects it is `healthy`.
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
            self.remember(message);
            let base64 = || self.has(Defect::LeakCanaryBase64).then(|| STANDARD.encode(message));
            Slips {
                log: plain(Defect::LeakCanaryLog).or_else(base64).or_else(|| self.in_hex(message)),
                output: None,
                guard: plain(Defect::LeakCanaryGuard),
                input: plain(Defect::LeakCanaryInput),
                hidden: plain(Defect::HideWhileHashOnly),
            }
        } else {
            let guard = plain(Defect::LeakPiiGuard);
            Slips { log: plain(Defect::LeakPii), output: plain(Defect::LeakPiiOutput), guard, ..Slips::default() }
        }
    }

    /// A run ends, and may leave something behind.
    pub(crate) fn leak_after_run(&self) {
        if self.has(Defect::LeakMemory) || self.leaks_by_now() {
            self.leaks.leak_memory();
        }
        if self.strikes(Defect::LeakDescriptors, LEAK_DESCRIPTORS_SHARE) {
            self.leaks.leak_descriptor();
        }
        if self.has(Defect::WorkerLeak) {
            self.worker_leaks(self.strikes(Defect::WorkerLeak, LEAK_DESCRIPTORS_SHARE));
        }
        if self.strikes(Defect::LeakQueue, LEAK_QUEUE_SHARE) {
            self.leaks.waiting.increment();
        }
    }

    /// Runs that are counted as waiting, and are none.
    pub(crate) fn waiting_for_ever(&self) -> usize {
        self.leaks.waiting.get()
    }

    pub(super) const fn heap(&self) -> &Heap {
        &self.leaks.heap
    }

    /// The heap of the gateway's runtime, where it shows one.
    pub(crate) fn heap_reading(&self) -> Option<HeapReading> {
        self.leaks.heap.read()
    }

    // Registry.

    pub(crate) fn accepts_tampered(&self) -> bool {
        self.has(Defect::AcceptTampered)
    }

    pub(crate) fn index_delay(&self, healthy: Duration) -> Duration {
        if self.has(Defect::SlowIndex) {
            SLOW_INDEX
        } else if self.has(Defect::SlowButSteady) {
            STEADY_INDEX
        } else {
            healthy
        }
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

    /// Returns the duration of latency that was asked for; none if it is not applied at all.
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

    #[tokio::test(start_paused = true)]
    async fn metrics_freeze_five_seconds_after_the_start() {
        let faults = faults(Defect::MetricsFrozen);
        let told = |text: &str| faults.exposition(|| text.to_owned()).unwrap();
        assert_eq!((told("a"), told("b")), ("a".to_owned(), "b".to_owned()));
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!((told("c"), told("d")), ("c".to_owned(), "c".to_owned()));
    }

    #[tokio::test(start_paused = true)]
    async fn three_percent_of_first_lines_are_late() {
        let faults = faults(Defect::SlowStartTail);
        let begun = clock::now();
        for _ in 0..100 {
            faults.hold_first_line().await;
        }
        let late = begun.elapsed().div_duration_f64(SLOW_START_TAIL).round();
        assert!((2.0..=4.0).contains(&late), "{late} of 100");
    }
}
