//! The checks on the harness itself and on its workloads.

pub(in crate::judge) mod harness;
mod load;
pub(in crate::judge) mod workload;
