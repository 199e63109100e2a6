//! The form of a KPI's row. It has no default: a KPI does not compile until every field is given.

use serde::{Deserialize, Serialize};

use super::{
    call_name::CallName,
    target::{Target, Unit},
};

/// Everything that is fixed about a KPI.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KpiSpec {
    /// The subject of a sentence about it. It reads well before "is".
    pub title: &'static str,
    /// The unit of its values.
    pub unit: Unit,
    /// The key of its target in `[targets]` of the settings, unit and direction last.
    pub target_key: &'static str,
    /// Its target, unless the settings say otherwise.
    pub default_target: Target,
    /// The suites that judge it.
    pub suites: Suites,
    /// The features that the gateway must have: one of each group.
    pub needs: &'static [&'static [Need]],
    /// The requests, as the contract writes them, without which it has no samples. What is read from metrics, probes and
    /// clocks reports its own failures.
    pub routes: &'static [&'static str],
    /// The report's chart that shows its samples.
    pub chart: &'static str,
    /// The name of the line at its target in that chart, if there is one.
    pub chart_limit: Option<&'static str>,
    /// The quantile of its samples that is judged, from 0 to 1; none where it is no quantile.
    pub quantile: Option<f64>,
    /// How a regression against an earlier run is measured.
    pub regression: RegressionBase,
    /// How the end of a gateway process can affect it.
    pub restarts: RestartEffect,
    /// Where its samples come from.
    pub source: SampleSource,
}

/// The suites that judge a KPI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suites {
    /// All of them.
    All,
    /// Those with chaos, which last two hours.
    WithChaos,
}

/// A feature that a gateway must have for a KPI to have samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// A call of the contract.
    Call(CallName),
    /// A metric, by the contract's name.
    Metric(&'static str),
    /// A gateway process that is visible from this machine.
    Process,
}

/// How a regression against an earlier run is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegressionBase {
    /// As a share of the old value, where both values have ranges.
    OfValue,
    /// As a share of the target: the value is a growth, which in a healthy soak is near 0 by chance.
    OfTarget,
}

/// How the end of a gateway process that no chaos event asked for can affect a KPI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestartEffect {
    /// Always: users notice it, however short it was.
    Always,
    /// From then on: what the process forgot is missed when it is looked for.
    Later,
    /// At about that time.
    Near,
}

/// Where the samples of a KPI come from, and what becomes of them where several processes answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SampleSource {
    /// Requests, probes and streams of the session.
    Session,
    /// A histogram of the gateway's metrics. The counts of each process are kept apart.
    MetricsHistogram,
    /// A gauge of the gateway's metrics. The last values of all processes are added up.
    MetricsGauge,
    /// The gateway's processes, or their metrics. Each process is judged by itself.
    ProcessEach,
    /// The gateway's processes, or their metrics. The last values of all are added up.
    ProcessSum,
}

impl SampleSource {
    /// Whether the samples are read from the gateway's processes where these are visible.
    #[must_use]
    pub const fn is_process(self) -> bool {
        matches!(self, Self::ProcessEach | Self::ProcessSum)
    }

    /// Whether the samples come from the gateway's metrics; `process_is_read` where the gateway's processes are visible.
    #[must_use]
    pub const fn is_metrics(self, process_is_read: bool) -> bool {
        match self {
            Self::Session => false,
            Self::MetricsHistogram | Self::MetricsGauge => true,
            Self::ProcessEach | Self::ProcessSum => !process_is_read,
        }
    }
}

/// Declares the KPIs from their rows: the enum, its names, and the specification of each.
macro_rules! kpis {
    ($($(#[$doc:meta])* $variant:ident = $name:literal { $($field:ident: $value:expr),+ $(,)? })+) => {
        crate::catalog::names::named! {
            /// A property of the gateway that is judged.
            Kpi { $($(#[$doc])* $variant = $name,)+ }
        }

        impl Kpi {
            /// Everything that is fixed about it.
            #[must_use]
            pub const fn spec(self) -> &'static KpiSpec {
                match self { $(Self::$variant => &const { KpiSpec { $($field: $value),+ } },)+ }
            }
        }
    };
}
pub(super) use kpis;
