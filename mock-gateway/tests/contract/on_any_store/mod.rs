//! The tests that hold over any store: here over memory, and in another test binary over Redis. A test is an `async fn`; one that is
//! not in the list below is dead code to the compiler.

pub(crate) mod calls;
pub(crate) mod chaos;
pub(crate) mod metrics;
pub(crate) mod registry;
pub(crate) mod runs;
pub(crate) mod safety;
pub(crate) mod streams;
pub(crate) mod tenure;

/// Calls a macro with all tests, by module. A number is that of the threads that a test needs.
macro_rules! on_any_store {
    ($tests:ident) => {
        $tests! {
            calls {
                a_call_that_the_gateway_is_without_is_not_found_and_the_others_are
            }
            chaos {
                a_gateway_restart_drops_connections_refuses_new_ones_and_comes_back_with_its_state
                a_gateway_restarts_again_and_again
                added_latency_delays_every_answer_and_ends
            }
            metrics {
                streams_are_counted_while_they_are_open
                the_histograms_are_those_of_the_events
                runs_are_counted_where_they_are
                the_process_is_told_as_the_system_sees_it
            }
            registry {
                a_published_version_is_found_from_another_workspace_and_stays_found
                a_tampered_manifest_is_refused_and_never_found
                the_demo_agents_exist_and_others_do_not
            }
            runs {
                a_run_is_created_then_under_way_then_completed
                a_run_is_created_once_and_started_once
                what_is_malformed_is_refused_with_an_error
                to_another_workspace_a_run_does_not_exist
                runs_beyond_the_workers_are_queued_until_there_is_one
                a_run_that_nobody_starts_is_canceled_and_waits_no_more
                no_more_runs_live_than_allowed_and_only_the_last_ended_are_kept
            }
            safety {
                an_injection_is_refused_and_the_refusal_is_told
                personal_data_is_nowhere_in_a_run_its_logs_or_its_streams
                a_hash_only_workspace_keeps_hashes_until_it_is_toggled_back
            }
            streams {
                the_stream_of_a_run_opened_before_its_start_tells_it_all
                a_workspace_stream_carries_its_workspace_and_no_other
                a_stream_without_a_run_or_with_a_foreign_id_is_refused
                a_client_that_comes_and_goes_gets_every_event_once_and_in_order(2)
                an_idle_stream_is_kept_alive_by_comments
                no_more_streams_are_open_than_allowed
                a_stream_that_lags_is_disconnected_and_loses_nothing_by_coming_back(2)
            }
            tenure {
                with_a_token_only_its_bearer_gets_in
                a_body_that_is_too_large_is_refused_before_it_is_read
                a_workspace_gets_its_plan
                a_shutdown_ends_streams_in_good_order_and_frees_the_port
                an_address_that_is_taken_is_a_clear_error
            }
        }
    };
}
pub(crate) use on_any_store;
