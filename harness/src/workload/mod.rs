//! The workloads that are played at the gateway: one file for each.

mod added_latency;
mod availability;
mod clock_jump;
mod fewest;
mod found_processes;
mod freshness;
#[cfg(test)]
mod fuzz_tests;
mod gateway_process;
#[cfg(test)]
mod gateway_process_tests;
mod heap_intake;
mod heartbeat;
mod injection;
mod instances;
#[cfg(test)]
mod instances_tests;
mod leak;
mod leak_stream;
mod lever;
mod listeners;
mod metrics;
mod newest_runs;
mod own_sockets;
mod place;
mod process;
mod process_table;
mod process_tree;
#[cfg(test)]
mod process_tree_tests;
mod process_watch;
mod readiness;
mod registry_search;
mod restart_effect;
mod restart_reads;
mod round_trips;
mod run;
mod run_stream;
mod scrape;
mod search_patterns;
#[cfg(test)]
mod stream_tests;
mod tally;
mod unended_runs;
mod w1_realistic_runs;
mod w2_sse_churn;
mod w3_registry_pulse;
mod w4_safety_probes;
mod w5_privacy_slice;
mod w6_light_chaos;

use std::sync::Arc;

pub(crate) use found_processes::{Answering, found_processes};
pub(crate) use injection::INJECTIONS;
pub(crate) use w4_safety_probes::personal_data;

use crate::{
    catalog::Suite,
    session::{ResumeState, Worker},
};

/// The workers of a suite, each at the place where the session before left it.
#[must_use]
pub fn workers(suite: Suite, resumed: &ResumeState) -> Vec<Arc<dyn Worker>> {
    let mut workers: Vec<Arc<dyn Worker>> = vec![
        Arc::new(w1_realistic_runs::RealisticRuns::after(resumed)),
        Arc::new(w2_sse_churn::SseChurn::after(resumed)),
        Arc::new(w3_registry_pulse::RegistryPulse::after(resumed)),
        Arc::new(w4_safety_probes::SafetyProbes::after(resumed)),
        Arc::new(w5_privacy_slice::PrivacySlice::after(resumed)),
        Arc::new(availability::Availability::default()),
        Arc::new(metrics::Metrics::default()),
        Arc::new(heartbeat::Heartbeat::default()),
    ];
    if suite.has_chaos() {
        workers.push(Arc::new(w6_light_chaos::LightChaos::after(resumed)));
    }
    workers
}
