//! The checks on the harness itself and on its workloads.

pub(crate) mod harness;
mod load;
pub(crate) mod workload;
