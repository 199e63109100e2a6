//! Unkillable: whatever dies, what was measured is still there, and there is a verdict.
//!
//! Each trial is a soak as a user plays it: this binary again as the runner, its session, and a mock gateway. What dies is
//! killed by its pid, and what is waited for is a condition: a moment of the scenario, a process that is gone.

mod flat;
pub(crate) mod gateway;
mod machine;
mod orphans;
pub(crate) mod panics;
mod scene;
mod set_back;
mod signals;
mod stopped;
mod takeover;

use libtest_mimic::{Completion, Failed, Trial};
use testkit::{AnyError, trial};

/// The trials that take longest: two minutes each.
pub(crate) fn longest() -> Vec<Trial> {
    vec![
        trial(
            "flat::a_day_leaves_memory_and_descriptors_as_they_were",
            flat::a_day_leaves_memory_and_descriptors_as_they_were,
        ),
        trial("takeover::kills_turn_no_kpi_of_the_gateway_red", takeover::kills_turn_no_kpi_of_the_gateway_red),
        trial("takeover::a_kill_in_the_middle_of_chaos", takeover::a_kill_in_the_middle_of_chaos),
    ]
}

/// The other trials.
pub(crate) fn others() -> Vec<Trial> {
    let trials = vec![
        trial("takeover::trials_in_processes_of_their_own", takeover::trials_in_processes_of_their_own),
        trial("takeover::after_ten_takeovers_it_gives_up", takeover::after_ten_takeovers_it_gives_up),
        trial("orphans::nothing_outlives_the_runner", orphans::nothing_outlives_the_runner),
        trial("signals::an_interrupt_ends_in_good_order", || signals::ends_in_good_order(signals::INTERRUPT)),
        trial("signals::a_termination_ends_in_good_order", || signals::ends_in_good_order(signals::TERMINATE)),
        trial("signals::a_second_interrupt_leaves_at_once", signals::a_second_interrupt_leaves_at_once),
        trial(
            "set_back::a_clock_that_is_set_back_turns_nothing_red",
            set_back::a_clock_that_is_set_back_turns_nothing_red,
        ),
        trial("stopped::a_session_that_stood_still_blames_itself", stopped::a_session_that_stood_still_blames_itself),
        trial("panics::every_worker_may_panic_once", panics::every_worker_may_panic_once),
    ];
    let of_machine = [
        may_be_ignored(
            "machine::a_full_disk_leaves_an_end_and_results",
            machine::a_full_disk_leaves_an_end_and_results,
        ),
        may_be_ignored(
            "machine::a_folder_that_is_read_only_is_said_at_the_start",
            machine::a_folder_that_is_read_only_is_said_at_the_start,
        ),
        may_be_ignored(
            "machine::a_folder_that_becomes_read_only_leaves_the_record_and_the_verdicts",
            machine::a_folder_that_becomes_read_only_leaves_the_record_and_the_verdicts,
        ),
        may_be_ignored(
            "machine::streams_without_descriptors_are_refused_at_the_start",
            machine::streams_without_descriptors_are_refused_at_the_start,
        ),
        may_be_ignored(
            "machine::descriptors_that_are_used_up_are_no_fault_of_the_gateways",
            machine::descriptors_that_are_used_up_are_no_fault_of_the_gateways,
        ),
    ];
    let five_times = panics::WORKERS.iter().map(|worker| {
        let name = format!("panics::a_worker_that_panics_five_times::{worker}");
        trial(name, move || panics::a_worker_that_panics_five_times(worker))
    });
    trials.into_iter().chain(of_machine).chain(five_times).collect()
}

/// A trial that cannot be played everywhere says so.
fn may_be_ignored(name: &str, holds: fn() -> Result<Completion, AnyError>) -> Trial {
    Trial::ignorable_test(name, move || holds().map_err(|error| Failed::from(error.to_string())))
}
