//! The targets of values: one limit per KPI, the limits of the harness's own checks, and an earlier run.

use std::sync::{Arc, LazyLock};

use crate::{
    catalog::{HarnessCheck, Kpi, KpiSpec, Target, Unit},
    history::{SampleLimits, limit_us},
    journal::{Source, Timing},
    judge::Baseline,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aim {
    Kpi(Kpi),
    /// [`HarnessCheck::FullDuration`]'s limit is on holes, percent of the plan; [`HarnessCheck::LoadDelivered`]'s is on
    /// the share of planned starts.
    Harness(HarnessCheck),
    /// The lateness of planned starts, 99th percentile; the second condition of [`HarnessCheck::LoadDelivered`].
    StartLateness,
}

/// A limit that `[targets]` in the settings may set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct TargetKey {
    /// The key, its unit and direction last.
    pub(crate) key: &'static str,
    pub(crate) aim: Aim,
    pub(crate) default: Target,
    pub(crate) unit: Unit,
}

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum TargetError {
    #[error("there is no target `{key}`; there are {known}")]
    Unknown { key: String, known: String },
    /// `right` are the valid values, in words.
    #[error("`{key} = {value}` cannot be a target: {right} would be right, such as {default}")]
    Value { key: &'static str, value: f64, right: &'static str, default: f64 },
}

/// Every key, in the order in which KPIs and checks are shown.
static KEYS: LazyLock<Vec<TargetKey>> = LazyLock::new(|| {
    let of_kpi = |kpi: &Kpi| {
        let KpiSpec { target_key: key, default_target: default, unit, .. } = *kpi.spec();
        TargetKey { key, aim: Aim::Kpi(*kpi), default, unit }
    };
    let of_check = |check, key, default| TargetKey { key, aim: Aim::Harness(check), default, unit: Unit::Percent };
    let (default, unit) = (Target::AtMost(100.0), Unit::Millis);
    let of_harness = [
        of_check(HarnessCheck::FullDuration, "holes_percent_max", Target::AtMost(1.0)),
        of_check(HarnessCheck::LoadDelivered, "load_delivered_percent_min", Target::AtLeast(99.0)),
        TargetKey { key: "start_lateness_p99_ms_max", aim: Aim::StartLateness, default, unit },
        of_check(HarnessCheck::SelfDrift, "self_drift_percent_max", Target::AtMost(10.0)),
    ];
    Kpi::ALL.iter().map(of_kpi).chain(of_harness).collect()
});

/// The allowed growth of a process whose garbage cannot be distinguished from memory in use, divided by the default
/// target of 10 %. Measured for Node, Python, Go and a JVM; see the table in [`crate::judge`].
const RSS_BASE_MIN_BYTES: usize = 160_000_000;

/// The targets of a soak. The settings may set each by its key.
#[derive(Debug, Clone, PartialEq)]
pub struct Targets {
    /// In the order of [`Targets::keys`].
    limits: Vec<Target>,
    /// The growth of the gateway's memory is a share of its size, or of this where it is smaller.
    pub(crate) rss_base_min_bytes: usize,
    /// An earlier run: a KPI that is worse since may be red although its target is met.
    baseline: Option<Arc<Baseline>>,
}

impl Default for Targets {
    fn default() -> Self {
        let limits = KEYS.iter().map(|key| key.default).collect();
        Self { limits, rss_base_min_bytes: RSS_BASE_MIN_BYTES, baseline: None }
    }
}

impl Targets {
    pub(crate) fn keys() -> &'static [TargetKey] {
        &KEYS
    }

    /// Sets a limit by its key.
    ///
    /// # Errors
    /// An unknown key; a value that is not finite, or negative; a percentage above 100; and a target that no gateway
    /// could miss or meet, since a KPI that cannot go red, or green, proves nothing: such a KPI is waived instead.
    pub(crate) fn set(&mut self, key: &str, value: f64) -> Result<(), TargetError> {
        let Some(at) = KEYS.iter().position(|known| known.key == key) else {
            let known: Vec<&str> = KEYS.iter().map(|known| known.key).collect();
            return Err(TargetError::Unknown { key: key.to_owned(), known: known.join(", ") });
        };
        let known = &KEYS[at];
        let (is_right, right) = rule(known, value);
        if !(value.is_finite() && is_right) {
            return Err(TargetError::Value { key: known.key, value, right, default: known.default.limit() });
        }
        self.limits[at] = known.default.with_limit(value);
        Ok(())
    }

    pub(crate) fn compare_with(&mut self, baseline: Baseline) {
        self.baseline = Some(Arc::new(baseline));
    }

    /// The earlier run that values are compared with, if there is one.
    pub(crate) fn baseline(&self) -> Option<&Baseline> {
        self.baseline.as_deref()
    }

    pub(crate) fn target(&self, kpi: Kpi) -> Target {
        self.of(Aim::Kpi(kpi))
    }

    /// The share of the plan that holes may take, percent.
    pub(crate) fn holes_percent_max(&self) -> f64 {
        self.of(Aim::Harness(HarnessCheck::FullDuration)).limit()
    }

    pub(crate) fn load_delivered(&self) -> Target {
        self.of(Aim::Harness(HarnessCheck::LoadDelivered))
    }

    /// The greatest lateness of planned starts, 99th percentile, milliseconds.
    pub(crate) fn start_lateness(&self) -> Target {
        self.of(Aim::StartLateness)
    }

    pub(crate) fn self_drift(&self) -> Target {
        self.of(Aim::Harness(HarnessCheck::SelfDrift))
    }

    /// The limits that these targets put on single samples.
    #[must_use]
    pub fn sample_limits(&self) -> SampleLimits {
        let seconds = |source: &Source| {
            let kpi = match source {
                Source::Judge => Kpi::JudgeP95,
                Source::Shield => Kpi::ShieldP95,
                Source::SseWrite => Kpi::SseWriteP99,
            };
            (*source, self.target(kpi).limit() / 1_000.0)
        };
        SampleLimits {
            timings_us: Timing::ALL.iter().map(|timing| (*timing, limits_us(self, *timing))).collect(),
            sources_seconds: Source::ALL.iter().map(seconds).collect(),
        }
    }

    fn of(&self, aim: Aim) -> Target {
        let at = KEYS.iter().position(|key| key.aim == aim);
        self.limits[at.expect("every KPI, and each check that has a limit, has a key")]
    }
}

fn limits_us(targets: &Targets, timing: Timing) -> Vec<u64> {
    let of = |kpi| limit_us(targets.target(kpi).limit());
    match timing {
        Timing::StartToLog => vec![of(Kpi::StartToLogP95), of(Kpi::StartToLogP99)],
        Timing::JudgeEvent => vec![of(Kpi::JudgeP95)],
        Timing::ShieldEvent => vec![of(Kpi::ShieldP95)],
        Timing::EventDelivery | Timing::LineFirstShown | Timing::EndFirstShown | Timing::ShownAsABrowser => {
            vec![of(Kpi::SseWriteP99)]
        }
        Timing::PublishToSearch => vec![limit_us(targets.target(Kpi::PublishSearchDelay).limit() * 1_000.0)],
        Timing::StartLateness | Timing::ReadLateness => vec![limit_us(targets.start_lateness().limit())],
        Timing::RunDuration | Timing::Request | Timing::ReadyRoundTrip | Timing::StreamAge | Timing::StreamAway => {
            Vec::new()
        }
    }
}

/// Whether a value may be that target, and the valid values.
fn rule(key: &TargetKey, value: f64) -> (bool, &'static str) {
    match (key.unit, key.default) {
        (Unit::Percent, Target::AtLeast(_) | Target::Below(_)) => {
            (value > 0.0 && value <= 100.0, "a percentage above 0 and not above 100")
        }
        (Unit::Percent, Target::AtMost(_)) => {
            ((0.0..100.0).contains(&value), "a percentage not below 0 and less than 100")
        }
        (Unit::Millis, _) => (value > 0.0, "milliseconds above 0"),
        (Unit::Seconds, _) => (value > 0.0, "seconds above 0"),
        (Unit::Count | Unit::YesNo, _) => (value >= 0.0, "a count, 0 or more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_another_name() {
        for key in Targets::keys() {
            assert_eq!(1, KEYS.iter().filter(|other| other.key == key.key).count(), "{}", key.key);
        }
    }

    #[test]
    fn every_default_may_be_set_and_keeps_its_direction() {
        let mut targets = Targets::default();
        for key in Targets::keys() {
            targets.set(key.key, key.default.limit()).unwrap();
        }
        assert_eq!(Targets::default(), targets);
        targets.set("availability_percent_min", 99.0).unwrap();
        assert_eq!(Target::AtLeast(99.0), targets.target(Kpi::Availability));
    }

    #[test]
    fn what_makes_no_sense_is_refused_and_nothing_is_changed() {
        let mut targets = Targets::default();
        for key in Targets::keys() {
            for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0] {
                assert!(targets.set(key.key, value).is_err(), "{} = {value}", key.key);
            }
            if key.unit == Unit::Percent {
                assert!(targets.set(key.key, 100.5).is_err(), "{}", key.key);
            }
        }
        assert_eq!(Targets::default(), targets);
    }

    #[test]
    fn a_target_that_nothing_could_miss_or_meet_is_refused() {
        let mut targets = Targets::default();
        for (key, value) in [
            ("availability_percent_min", 0.0),
            ("error_rate_steady_percent_max", 100.0),
            ("sse_reconnect_rate_percent_below", 0.0),
            ("start_to_log_p95_ms_max", 0.0),
        ] {
            assert!(targets.set(key, value).is_err(), "{key} = {value}");
        }
    }

    #[test]
    fn a_refusal_says_what_would_be_right() {
        let mut targets = Targets::default();
        assert_eq!(
            "`availability_percent_min = 999` cannot be a target: a percentage above 0 and not above 100 would be \
             right, such as 99.9",
            targets.set("availability_percent_min", 999.0).unwrap_err().to_string()
        );
        let unknown = targets.set("availability", 99.0).unwrap_err().to_string();
        assert!(unknown.contains("availability_percent_min"), "{unknown}");
    }
}
