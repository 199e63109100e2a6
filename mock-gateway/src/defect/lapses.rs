//! Effects of defects on runs, the registry, privacy, clocks and restarts, beyond failures and slowness.

use std::fmt::Write;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{Defect, Faults};
use crate::{clock, safety};

const SLOW_CREATE_SHARE: f64 = 0.04;
const FLICKERING_SEARCH_SHARE: f64 = 0.2;
const RUNS_STUCK_SHARE: f64 = 0.02;
const EMPTY_RUNS_SHARE: f64 = 0.08;
const ERROR_IN_200_SHARE: f64 = 0.02;

/// Of latency, for every second of the gateway's life: 1.6 s in a minute.
const GROWING_LATENCY: f64 = 1.6 / 60.0;
const COLD_FIRST_LINE: Duration = Duration::from_millis(2_500);
const COLD_AFTER_RESTART: Duration = Duration::from_secs(4);
const HIDDEN_OUTAGE: Duration = Duration::from_secs(5);
const NOT_UP_AFTER_RESTART: Duration = Duration::from_secs(5);
/// Since a restart: later than the streams that it dropped are back, and a harness has taken the gateway for well.
const FLAPPING: Range<Duration> = Duration::from_secs(3)..Duration::from_secs(4);
const SLOW_CREATE: Duration = Duration::from_secs(3);
const LATE_TOGGLE: Duration = Duration::from_secs(4);
const LEAK_FROM: Duration = Duration::from_secs(30);
const SWING: Duration = Duration::from_millis(1_500);
const SWING_EVERY: Duration = Duration::from_secs(2);
const FROZEN_CLOCK_AFTER: Duration = Duration::from_secs(10);

const DRAIN_FIRST: Duration = Duration::from_secs(8);

/// Digits of a signature that are compared.
const SIGNATURE_DIGITS: usize = 8;
/// Hits on a page of a search.
const PAGE_HITS: usize = 10;
/// Characters that a version lacks.
const VERSION_LACKS: usize = 3;
/// Of 64 KiB each.
const CHAOS_LEAKS: usize = 64;
const CHAOS_LEAKED_SOCKETS: usize = 4;

/// State that a gateway with defects remembers.
#[derive(Default)]
pub(super) struct Past {
    restarted: Mutex<Option<Instant>>,
    message: Mutex<Option<String>>,
    frozen_clock: OnceLock<Timestamp>,
    was_ready: AtomicBool,
}

impl Faults {
    // Runs.

    /// How much later a run's first line is.
    pub(super) fn first_line_late_by(&self) -> Duration {
        if self.has(Defect::GrowingLatency) {
            return self.born.elapsed().mul_f64(GROWING_LATENCY);
        }
        let is_cold =
            self.has(Defect::SlowAfterRestart) && self.since_restart().is_some_and(|s| s < COLD_AFTER_RESTART);
        if is_cold { COLD_FIRST_LINE } else { Duration::ZERO }
    }

    pub(crate) async fn hold_creation(&self) {
        if self.strikes(Defect::SlowCreate, SLOW_CREATE_SHARE) {
            sleep(SLOW_CREATE).await;
        }
    }

    /// Whether a run that was under way stays so.
    pub(crate) fn leaves_stuck(&self) -> bool {
        self.strikes(Defect::RunsStuck, RUNS_STUCK_SHARE)
    }

    pub(crate) fn logs_nothing(&self) -> bool {
        self.strikes(Defect::EmptyRuns, EMPTY_RUNS_SHARE)
    }

    pub(crate) fn respell_status(&self, status: &mut Value) {
        if self.has(Defect::OddStatus) && *status == "running" {
            *status = "processing".into();
        }
    }

    // Safety and privacy.

    pub(crate) fn runs_refused(&self) -> bool {
        self.has(Defect::RunRefused)
    }

    /// The message of a hash-only run, remembered for the metrics.
    pub(super) fn remember(&self, message: &str) {
        if self.has(Defect::LeakCanaryMetrics) {
            *self.past.message.lock().expect("no holder panics") = Some(message.to_owned());
        }
    }

    /// Returns the remembered message, as a metric.
    pub(super) fn last_message(&self) -> String {
        let message = self.past.message.lock().expect("no holder panics");
        message.as_ref().map_or_else(String::new, |message| format!("run_last_info{{message={message:?}}} 1\n"))
    }

    pub(super) fn in_hex(&self, message: &str) -> Option<String> {
        self.has(Defect::LeakCanaryHex).then(|| {
            message.bytes().fold(String::new(), |mut hex, byte| {
                write!(hex, "{byte:02x}").expect("a String takes all that is written");
                hex
            })
        })
    }

    /// Whether a run is refused for the personal data in its message.
    pub(crate) fn refuses_personal(&self, message: &str) -> bool {
        self.has(Defect::PiiRefused) && safety::has_personal_numbers(message)
    }

    pub(crate) fn toggle_delay(&self, healthy: Duration) -> Duration {
        if self.has(Defect::LateToggle) { LATE_TOGGLE } else { healthy }
    }

    pub(crate) fn forgets_privacy(&self) -> bool {
        self.has(Defect::ForgetPrivacy)
    }

    // Registry.

    /// Whether a wrong signature passes for the right one.
    pub(crate) fn takes_for_signature(&self, signature: &str, expected: &str) -> bool {
        self.has(Defect::ShortSignature) && signature.get(..SIGNATURE_DIGITS) == expected.get(..SIGNATURE_DIGITS)
    }

    pub(crate) fn publishes_rejected(&self) -> bool {
        self.has(Defect::PublishRejected)
    }

    /// Whether a version is refused for its form.
    pub(crate) fn refuses_version(&self, version: &str) -> bool {
        // A number without leading zeros is written as it is read.
        let is_number = |part: &str| part.parse::<i32>().is_ok_and(|number| number >= 0 && number.to_string() == part);
        let is_strict = version.split('.').count() == 3 && version.split('.').all(is_number);
        self.has(Defect::StrictVersions) && !is_strict
    }

    /// Hits that a search shows at once; none where it shows all.
    pub(crate) fn page_hits(&self) -> Option<usize> {
        self.has(Defect::PagedSearch).then_some(PAGE_HITS)
    }

    pub(crate) fn finds_nothing(&self) -> bool {
        self.strikes(Defect::FlickeringSearch, FLICKERING_SEARCH_SHARE)
    }

    /// Whether a search overlooks a version that is, or is not, the newest of its agent, and that the searching workspace
    /// did, or did not, publish.
    pub(crate) fn overlooks(&self, is_newest: bool, is_own: bool) -> bool {
        (!is_newest && self.has(Defect::NewestOnly)) || (!is_own && self.has(Defect::SearchOwnOnly))
    }

    /// A version as a search gives it.
    pub(crate) fn spells_version(&self, version: &str) -> String {
        let lacks = if self.has(Defect::WrongVersion) { VERSION_LACKS } else { 0 };
        version[..version.floor_char_boundary(version.len().saturating_sub(lacks))].to_owned()
    }

    pub(crate) fn forgets_registry(&self) -> bool {
        self.has(Defect::EmptyRegistry)
    }

    // Clocks and leaks.

    pub(super) fn swing(&self, age: Duration) -> Duration {
        let is_ahead = self.has(Defect::SwingingClock) && age.div_duration_f64(SWING_EVERY) as u64 % 2 == 1;
        if is_ahead { SWING } else { Duration::ZERO }
    }

    /// The clock as /health tells it.
    pub(super) fn health_clock(&self, wall: Timestamp) -> Timestamp {
        if self.has(Defect::FrozenClock) && self.born.elapsed() >= FROZEN_CLOCK_AFTER {
            return *self.past.frozen_clock.get_or_init(|| wall);
        }
        self.wall(wall)
    }

    pub(super) fn leaks_by_now(&self) -> bool {
        self.has(Defect::LeakSecondHour) && self.born.elapsed() >= LEAK_FROM
    }

    /// Chaos is asked for, and may leave something behind.
    pub(crate) fn leak_at_chaos(&self) {
        if self.has(Defect::LeakAtChaos) {
            (0..CHAOS_LEAKS).for_each(|_| self.leaks.leak_memory());
        }
        if self.has(Defect::DescriptorsAtChaos) {
            (0..CHAOS_LEAKED_SOCKETS).for_each(|_| self.leaks.leak_descriptor());
        }
    }

    // Calls and chaos.

    /// Whether a call is answered with an error that its status does not tell.
    pub(crate) fn fails_softly(&self, path: &str) -> bool {
        let is_one = path.starts_with("/api/") && !path.starts_with("/api/chaos/") && !path.ends_with("/stream");
        is_one && self.strikes(Defect::ErrorIn200, ERROR_IN_200_SHARE)
    }

    /// Whether injected latency is that of this call, too.
    pub(crate) fn slows(&self, path: &str) -> bool {
        path == "/ready" || !self.has(Defect::LatencyReadyOnly)
    }

    /// Returns the time from the acceptance of a restart of the gateway to its beginning.
    pub(crate) fn restart_delay(&self, healthy: Duration) -> Duration {
        if self.has(Defect::DrainFirst) { DRAIN_FIRST } else { healthy }
    }

    /// Whether a restart of the store is over before anybody could see it.
    pub(crate) fn hides_store_restart(&self) -> bool {
        self.has(Defect::UnnoticedRestart)
    }

    /// Returns the time for which the store is away when it restarts; `healthy` unless only the API shows the outage.
    pub(crate) fn store_downtime(&self, healthy: Duration) -> Duration {
        if self.hides_outage() { HIDDEN_OUTAGE } else { healthy }
    }

    /// Whether readiness and streams do not show that the store is away.
    pub(crate) fn hides_outage(&self) -> bool {
        self.has(Defect::HiddenOutage)
    }

    pub(crate) fn note_restart(&self) {
        *self.past.restarted.lock().expect("no holder panics") = Some(clock::now());
    }

    /// Since the last restart of the gateway was asked for.
    pub(super) fn since_restart(&self) -> Option<Duration> {
        self.past.restarted.lock().expect("no holder panics").map(|at| at.elapsed())
    }

    /// Whether a gateway that can serve says this time that it cannot.
    pub(super) fn flaps(&self) -> bool {
        let is_due =
            self.has(Defect::FlapAfterRestart) && self.since_restart().is_some_and(|since| FLAPPING.contains(&since));
        is_due && !self.past.was_ready.fetch_not(Ordering::Relaxed)
    }

    /// Whether the API does not answer yet of a gateway that is ready.
    pub(crate) fn is_back_too_early(&self) -> bool {
        self.has(Defect::ReadyTooEarly) && self.since_restart().is_some_and(|since| since < NOT_UP_AFTER_RESTART)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(defect: Defect) -> Faults {
        Faults::new(defect.into(), 7)
    }

    async fn pass(seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn first_lines_are_later_and_later() {
        let (healthy, growing) = (faults(Defect::Unready), faults(Defect::GrowingLatency));
        let held = |faults: &Faults| faults.first_line_late_by().as_millis();
        assert_eq!((held(&healthy), held(&growing)), (0, 0));
        pass(30).await;
        assert_eq!((held(&healthy), held(&growing)), (0, 800));
        pass(30).await;
        assert_eq!((held(&healthy), held(&growing)), (0, 1_600));
    }

    #[tokio::test(start_paused = true)]
    async fn a_restarted_gateway_is_slow_for_a_while_and_only_then() {
        let faults = faults(Defect::SlowAfterRestart);
        assert_eq!(faults.first_line_late_by(), Duration::ZERO);
        faults.note_restart();
        assert_eq!(faults.first_line_late_by(), COLD_FIRST_LINE);
        pass(5).await;
        assert_eq!(faults.first_line_late_by(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_restarted_gateway_flaps_for_a_while_after_it_was_ready() {
        let (healthy, flapping) = (faults(Defect::Unready), faults(Defect::FlapAfterRestart));
        let is_ready = |faults: &Faults| [(); 4].map(|()| !faults.flaps());
        pass(3).await;
        assert_eq!(is_ready(&flapping), [true; 4], "nobody restarted it");
        flapping.note_restart();
        healthy.note_restart();
        pass(2).await;
        assert_eq!(is_ready(&flapping), [true; 4]);
        pass(1).await;
        assert_eq!(is_ready(&flapping), [false, true, false, true]);
        assert_eq!(is_ready(&healthy), [true; 4]);
        pass(1).await;
        assert_eq!(is_ready(&flapping), [true; 4]);
    }

    #[tokio::test(start_paused = true)]
    async fn clocks_swing_and_stand_still() {
        let (swinging, frozen) = (faults(Defect::SwingingClock), faults(Defect::FrozenClock));
        let wall = Timestamp::UNIX_EPOCH;
        let mut ahead = Vec::new();
        for second in 0..12 {
            let now = wall + Duration::from_secs(second);
            ahead.push(swinging.health_clock(now).duration_since(now).as_millis());
            pass(1).await;
        }
        assert_eq!(ahead, [0, 0, 1_500, 1_500, 0, 0, 1_500, 1_500, 0, 0, 1_500, 1_500]);
        let stands = frozen.health_clock(wall);
        pass(1).await;
        assert_eq!(frozen.health_clock(wall + Duration::from_secs(1)), stands);
    }

    #[tokio::test(start_paused = true)]
    async fn a_leak_of_the_second_hour_is_none_in_the_first() {
        let faults = faults(Defect::LeakSecondHour);
        pass(29).await;
        assert!(!faults.leaks_by_now());
        pass(1).await;
        assert!(faults.leaks_by_now());
    }

    #[test]
    fn chaos_leaves_memory_or_sockets_behind() {
        for (defect, left) in [(Defect::LeakAtChaos, (64, 0)), (Defect::DescriptorsAtChaos, (0, 4))] {
            let faults = faults(defect);
            faults.leak_at_chaos();
            assert_eq!(faults.leaks.sizes(), left, "{defect:?}");
        }
    }
}
