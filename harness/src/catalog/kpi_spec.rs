//! The form of a KPI's row. It has no default: a KPI does not compile until every field is given.

use serde::{Deserialize, Serialize};

use super::{
    call_name::CallName,
    target::{Target, Unit},
};

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct KpiSpec {
    /// The subject of a sentence about it. It reads well before "is".
    pub(crate) title: &'static str,
    pub(crate) unit: Unit,
    /// The key of its target in `[targets]` of the settings, unit and direction last.
    pub(crate) target_key: &'static str,
    pub(crate) default_target: Target,
    pub(crate) suites: Suites,
    /// The features that the gateway must have: one of each group.
    pub(crate) needs: &'static [&'static [Need]],
    /// The requests of the contract without which it has no samples. Metrics, probes and clocks report their failures.
    pub(crate) routes: &'static [&'static str],
    /// The report's chart that shows its samples.
    pub(crate) chart: &'static str,
    /// The name of the line at its target in that chart, if there is one.
    pub(crate) chart_limit: Option<&'static str>,
    /// The quantile of its samples that is judged, from 0 to 1; none where it is no quantile.
    pub(crate) quantile: Option<f64>,
    pub(crate) regression: RegressionBase,
    pub(crate) restarts: RestartEffect,
    pub(crate) source: SampleSource,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Suites {
    All,
    /// The suites with chaos, which last two hours.
    WithChaos,
}

/// A feature that a gateway must have for a KPI to have samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Call(CallName),
    /// A metric, by the contract's name.
    Metric(&'static str),
    /// A gateway process that is visible from this machine.
    Process,
}

/// The base of a regression against an earlier run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RegressionBase {
    /// The old value, where both values have ranges.
    OfValue,
    /// The target: the value is a growth, which in a healthy soak is near 0 by chance.
    OfTarget,
}

/// The effect on a KPI of the end of a gateway process that no chaos event requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RestartEffect {
    /// At any time: users notice it, however short it was.
    Always,
    /// From then on: the data that the process forgot is missed later.
    Later,
    /// At about that time.
    Near,
}

/// The source of the samples of a KPI, and their use where several processes answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum SampleSource {
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
    /// Whether the samples come from metrics; `process_is_read` where the gateway's processes are visible.
    pub(crate) const fn is_metrics(self, process_is_read: bool) -> bool {
        match self {
            Self::Session => false,
            Self::MetricsHistogram | Self::MetricsGauge => true,
            Self::ProcessEach | Self::ProcessSum => !process_is_read,
        }
    }
}

/// Declares the KPIs by their rows: the enum, its names, and the specification of each.
macro_rules! kpis {
    ($($(#[$doc:meta])* $variant:ident = $name:literal { $($field:ident: $value:expr),+ $(,)? })+) => {
        crate::catalog::names::named! {
            /// A property of the gateway that is judged.
            Kpi { $($(#[$doc])* $variant = $name,)+ }
        }

        impl Kpi {
            pub(crate) const fn spec(self) -> &'static KpiSpec {
                match self { $(Self::$variant => &const { KpiSpec { $($field: $value),+ } },)+ }
            }
        }
    };
}
pub(super) use kpis;
