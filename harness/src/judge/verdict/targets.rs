//! The targets of values: one limit per KPI, the limits of the harness's own checks, and an earlier run.

use std::sync::{Arc, LazyLock};

use crate::{
    catalog::{HarnessCheck, Kpi, KpiSpec, Target, Unit},
    history::{SampleLimits, limit_us},
    journal::{Source, Timing},
    judge::Baseline,
};

/// The target that a settings key sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aim {
    /// The target of a KPI.
    Kpi(Kpi),
    /// The target of a check on the harness. [`HarnessCheck::FullDuration`]'s limit is on holes, percent of the plan;
    /// [`HarnessCheck::LoadDelivered`]'s is on the share of planned starts.
    Harness(HarnessCheck),
    /// How late planned starts may be, 99th percentile; the second condition of [`HarnessCheck::LoadDelivered`].
    StartLateness,
}

/// A limit that `[targets]` in the settings may set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TargetKey {
    /// The key, its unit and direction last.
    pub key: &'static str,
    /// The target that it sets.
    pub aim: Aim,
    /// The target by default.
    pub default: Target,
    /// The unit of the limit.
    pub unit: Unit,
}

/// A limit that cannot be set.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TargetError {
    /// No target has that key.
    #[error("there is no target `{key}`; there are {known}")]
    Unknown {
        /// The key that was tried.
        key: String,
        /// Every key there is.
        known: String,
    },
    /// The value makes no sense as that target.
    #[error("`{key} = {value}` cannot be a target: {right} would be right, such as {default}")]
    Value {
        /// The key.
        key: &'static str,
        /// The value that was tried.
        value: f64,
        /// The valid values, in words.
        right: &'static str,
        /// The default.
        default: f64,
    },
}

/// The limits of checks on the harness.
const OF_HARNESS: [TargetKey; 4] = {
    use Target::{AtLeast, AtMost};
    use Unit::Millis;
    [
        harness(HarnessCheck::FullDuration, "holes_percent_max", AtMost(1.0)),
        harness(HarnessCheck::LoadDelivered, "load_delivered_percent_min", AtLeast(99.0)),
        TargetKey { key: "start_lateness_p99_ms_max", aim: Aim::StartLateness, default: AtMost(100.0), unit: Millis },
        harness(HarnessCheck::SelfDrift, "self_drift_percent_max", AtMost(10.0)),
    ]
};

const fn harness(check: HarnessCheck, key: &'static str, default: Target) -> TargetKey {
    TargetKey { key, aim: Aim::Harness(check), default, unit: Unit::Percent }
}

/// Every key, in the order in which KPIs and checks are shown.
static KEYS: LazyLock<Vec<TargetKey>> = LazyLock::new(|| {
    let of_kpi = |kpi: &Kpi| {
        let KpiSpec { target_key: key, default_target: default, unit, .. } = *kpi.spec();
        TargetKey { key, aim: Aim::Kpi(*kpi), default, unit }
    };
    Kpi::ALL.iter().map(of_kpi).chain(OF_HARNESS).collect()
});

/// The allowed growth of a process whose garbage cannot be distinguished from memory in use, divided by the default
/// target of 10 %. Measured for Node, Python, Go and a JVM; see the table in [`crate::judge`].
const RSS_BASE_MIN_BYTES: usize = 160_000_000;

/// The targets of a soak. [`Targets::default`] is what the design calls for; the settings may set each by its key.
#[derive(Debug, Clone, PartialEq)]
pub struct Targets {
    /// In the order of [`Targets::keys`].
    limits: Vec<Target>,
    /// The growth of the gateway's memory is a share of its size, or of this where it is smaller.
    pub rss_base_min_bytes: usize,
    /// An earlier run: what got worse since may be red under its target, too.
    baseline: Option<Arc<Baseline>>,
}

impl Default for Targets {
    fn default() -> Self {
        let limits = KEYS.iter().map(|key| key.default).collect();
        Self { limits, rss_base_min_bytes: RSS_BASE_MIN_BYTES, baseline: None }
    }
}

impl Targets {
    /// Every key that may be set, with its unit and default.
    #[must_use]
    pub fn keys() -> &'static [TargetKey] {
        &KEYS
    }

    /// Sets a limit by its key.
    ///
    /// # Errors
    /// Where there is no such key; where the value is not finite or negative; where it is a percentage above 100; and
    /// where no gateway could miss the target or none could meet it, since a KPI that cannot go red, or green, says
    /// nothing: such a KPI is waived instead.
    pub fn set(&mut self, key: &str, value: f64) -> Result<(), TargetError> {
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

    /// Holds values against an earlier run as well.
    pub fn compare_with(&mut self, baseline: Baseline) {
        self.baseline = Some(Arc::new(baseline));
    }

    /// The earlier run that values are held against, if there is one.
    #[must_use]
    pub fn baseline(&self) -> Option<&Baseline> {
        self.baseline.as_deref()
    }

    /// The target of a KPI, in the KPI's unit.
    #[must_use]
    pub fn target(&self, kpi: Kpi) -> Target {
        self.of(Aim::Kpi(kpi))
    }

    /// The share of the plan that holes may take, percent.
    #[must_use]
    pub fn holes_percent_max(&self) -> f64 {
        self.of(Aim::Harness(HarnessCheck::FullDuration)).limit()
    }

    /// The share of planned starts that must happen, percent.
    #[must_use]
    pub fn load_delivered(&self) -> Target {
        self.of(Aim::Harness(HarnessCheck::LoadDelivered))
    }

    /// How late planned starts may be, 99th percentile, milliseconds.
    #[must_use]
    pub fn start_lateness(&self) -> Target {
        self.of(Aim::StartLateness)
    }

    /// How much the harness's own memory may grow, percent.
    #[must_use]
    pub fn self_drift(&self) -> Target {
        self.of(Aim::Harness(HarnessCheck::SelfDrift))
    }

    /// The limits that these targets put on single samples.
    #[must_use]
    pub fn sample_limits(&self) -> SampleLimits {
        let seconds = |source: &Source| (*source, self.target(kpi_of(*source)).limit() / 1_000.0);
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

/// The KPI that a histogram of the gateway's is read for.
const fn kpi_of(source: Source) -> Kpi {
    match source {
        Source::Judge => Kpi::JudgeP95,
        Source::Shield => Kpi::ShieldP95,
        Source::SseWrite => Kpi::SseWriteP99,
    }
}

/// The limits that targets put on single samples of a timing, microseconds.
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

/// Whether a value may be that target, and what would be right.
fn rule(key: &TargetKey, value: f64) -> (bool, &'static str) {
    match (key.unit, key.default) {
        (Unit::Percent, Target::AtLeast(_)) => {
            (value > 0.0 && value <= 100.0, "a percentage above 0 and not above 100")
        }
        (Unit::Percent, Target::Below(_)) => (value > 0.0 && value <= 100.0, "a percentage above 0 and not above 100"),
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
