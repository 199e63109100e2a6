//! The catalog: suites, workloads, calls of the contract, chaos events, phases, checks on the harness, and KPIs.
//!
//! All fixed properties of a KPI are in its row of the table of KPIs. [`crate::plan`] computes the number of its
//! expected samples, and [`crate::judge`] judges them.

mod call_name;
mod kpi_spec;
mod kpis;
mod names;
mod target;

pub use call_name::CallName;
pub(crate) use kpi_spec::{KpiSpec, Need, RegressionBase, RestartEffect, SampleSource};
pub use kpis::Kpi;
pub(crate) use names::named;
pub use names::{Chaos, HarnessCheck, Phase, Suite, Workload};
pub(crate) use target::{Target, Unit};
