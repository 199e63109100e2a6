//! The catalog: suites, workloads, calls of the contract, chaos events, phases, checks on the harness, and KPIs.
//!
//! All fixed properties of a KPI are in its row of the table of KPIs. Others depend on a plan or on a record:
//! [`crate::plan`] computes how many samples are expected, and [`crate::judge`] judges them.

mod call_name;
mod kpi_spec;
mod kpis;
mod names;
mod target;

pub use call_name::CallName;
pub use kpi_spec::{KpiSpec, Need, RegressionBase, RestartEffect, SampleSource, Suites};
pub use kpis::Kpi;
pub(crate) use names::named;
pub use names::{Chaos, HarnessCheck, Phase, Suite, Workload};
pub use target::{Target, Unit};
