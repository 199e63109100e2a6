//! The gateway over a real Redis: the contract as it is over memory, and what goes on across the end of either process.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod backend;
mod keep;
mod loss;
mod outages;
mod process;
mod restarts;
mod server;
mod starts;

/// What the contract's tests share with these.
#[path = "../contract/caller.rs"]
mod caller;
/// The contract's tests themselves.
#[path = "../contract/on_any_store/mod.rs"]
mod on_any_store;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use on_any_store::{calls, chaos, metrics, registry, runs, safety, streams, tenure};
use testkit::{REDIS_SERVER, needing};
use tokio::runtime::Builder;

macro_rules! trials {
    ($($module:ident { $($test:ident $(($threads:literal))?)* })*) => {
        vec![$($(trial(
            concat!(stringify!($module), "::", stringify!($test)),
            [$($threads)?].first().copied(),
            || $module::$test(),
        ),)*)*]
    };
}

/// Trials wait more than they work.
const SIDE_BY_SIDE: usize = 8;

fn main() -> ExitCode {
    let mut args = Arguments::from_args();
    args.test_threads = args.test_threads.or(Some(SIDE_BY_SIDE));
    let without_redis = trials! {
        starts {
            without_its_redis_it_does_not_start_and_says_what_was_tried
            what_is_no_address_of_a_redis_is_said_without_repeating_it
            a_defect_that_would_do_nothing_is_refused
        }
    };
    let on_redis = trials! {
        loss {
            whoever_was_away_misses_what_was_lost_and_the_gateway_goes_on
            a_loss_without_a_restart_is_noticed_too
            ids_go_on_ascending_even_when_both_have_forgotten_everything
        }
        outages {
            runs_and_streams_go_on_across_restarts_of_redis
            while_redis_is_away_the_gateway_says_so
            a_redis_that_answers_nothing_for_a_while_is_away_and_nothing_is_written_twice
            nothing_is_answered_as_done_before_redis_has_it
            no_event_is_handed_out_before_redis_has_it
            both_may_end_at_once
            a_real_redis_is_not_restarted_by_a_call
        }
        restarts {
            runs_and_streams_go_on_across_ends_of_the_process_at_any_moment
            versions_stay_found_and_hash_only_stays_on
            a_stop_is_quick_even_while_redis_is_away_or_answers_nothing
            a_gateway_whose_redis_is_taken_over_closes_and_writes_no_more
            a_busy_gateway_is_taken_over_between_two_events
            gateways_with_prefixes_of_their_own_share_a_redis
        }
        starts {
            what_something_else_has_kept_there_is_left_alone
            defects_are_those_of_the_gateway_with_a_redis_too
        }
    };
    let contract = on_any_store::on_any_store!(trials);
    let on_redis = needing(&[REDIS_SERVER], &args, on_redis.into_iter().chain(contract).collect());
    libtest_mimic::run(&args, without_redis.into_iter().chain(on_redis).collect()).exit_code()
}

/// A trial on a runtime of its own: on its own thread, or on several.
fn trial<F: Future<Output = ()>>(
    name: &str,
    threads: Option<usize>,
    test: impl FnOnce() -> F + Send + 'static,
) -> Trial {
    testkit::trial(name, move || {
        let mut runtime = threads.map_or_else(Builder::new_current_thread, |_| Builder::new_multi_thread());
        if let Some(threads) = threads {
            runtime.worker_threads(threads);
        }
        runtime.enable_all().build()?.block_on(test());
        Ok(())
    })
}
