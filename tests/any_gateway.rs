//! Gateways as teams have them: of other shapes, each described by a file; and one on a real Redis, both of them restarted by
//! commands. S2 plays the whole two hours, compressed, at each, and every trial is green, or waived with a reason.

#[path = "any_gateway/burrow.rs"]
mod burrow;
#[path = "any_gateway/node.rs"]
mod node;
#[path = "any_gateway/node_cluster.rs"]
mod node_cluster;
#[path = "any_gateway/orchard.rs"]
mod orchard;
#[path = "any_gateway/plant.rs"]
mod plant;
#[path = "any_gateway/real_chaos.rs"]
mod real_chaos;
#[path = "any_gateway/runtime.rs"]
mod runtime;
#[path = "any_gateway/server.rs"]
mod server;
#[path = "any_gateway/shapes.rs"]
mod shapes;
#[path = "any_gateway/weir.rs"]
mod weir;

use std::process::ExitCode;

use libtest_mimic::Arguments;
use s2_harness::workload;
use testkit::{NODE, REDIS_SERVER, needing, no_gateway, play_if_asked, trial};

/// Soaks that have room on two cores. Most take a third of a core, and their gateways as much again; those on Redis and on Node take
/// a tenth. Four of the first kind are too many for a machine with pauses: events arrive late, and the harness's own memory rises.
/// So `main` mixes both kinds.
const SIDE_BY_SIDE: usize = 5;

fn main() -> ExitCode {
    // A command of a soak's has that soak's environment, so these come first.
    let roles = [shapes::served, plant::served, shapes::pulled_lever, plant::pulled_lever];
    if let Some(code) = roles.iter().find_map(|played| played()) {
        return code;
    }
    if let Some(code) = play_if_asked(no_gateway, workload::workers) {
        return code;
    }
    let mut args = Arguments::from_args();
    // Soaks wait more than they work.
    args.test_threads = args.test_threads.or(Some(SIDE_BY_SIDE));
    let on_redis = |trials| needing(&[REDIS_SERVER], &args, trials);
    let on_node = |trials| needing(&[NODE], &args, trials);
    // The longest soaks take two minutes and little processor time. Three of them begin, and the fourth when a shorter one is over.
    let trials = [
        on_node(vec![
            trial(
                "runtime::node_is_green_and_its_memory_is_not_judged_in_two_minutes",
                runtime::node_is_green_and_its_memory_is_not_judged_in_two_minutes,
            ),
            trial(
                "runtime::what_node_retains_is_found_below_its_garbage",
                runtime::what_node_retains_is_found_below_its_garbage,
            ),
        ]),
        on_redis(vec![trial(
            "real_chaos::real_restarts_lose_nothing_that_redis_had",
            real_chaos::real_restarts_lose_nothing_that_redis_had,
        )]),
        on_node(vec![trial("node_cluster::plays_the_two_hours", node_cluster::plays_the_two_hours)]),
        vec![trial("orchard::plays_the_two_hours", shapes::orchard_plays_the_two_hours)],
        on_redis(vec![trial(
            "real_chaos::a_redis_that_loses_its_data_is_found_out",
            real_chaos::a_redis_that_loses_its_data_is_found_out,
        )]),
        vec![
            trial("burrow::plays_the_two_hours", shapes::burrow_plays_the_two_hours),
            trial("weir::plays_the_two_hours", shapes::weir_plays_the_two_hours),
        ],
        on_node(vec![trial("node_cluster::goes_through_preflight", node_cluster::goes_through_preflight)]),
        vec![
            trial("orchard::goes_through_preflight", shapes::orchard_goes_through_preflight),
            trial("burrow::goes_through_preflight", shapes::burrow_goes_through_preflight),
            trial("weir::goes_through_preflight", shapes::weir_goes_through_preflight),
            trial(
                "preflight::it_says_which_line_would_have_to_change",
                shapes::preflight_says_which_line_would_have_to_change,
            ),
            trial(
                "preflight::it_says_what_is_not_told_and_what_is_not_counted",
                shapes::preflight_says_what_is_not_told_and_what_is_not_counted,
            ),
        ],
    ];
    libtest_mimic::run(&args, trials.into_iter().flatten().collect()).exit_code()
}
