//! What is judged about the harness itself and about its workloads.

pub(in crate::judge) mod harness;
mod load;
pub(in crate::judge) mod workload;
