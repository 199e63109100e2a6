//! Gateways that misbehave. Whatever one does, the soak is played to its end, its memory stays bounded, its token shows
//! nowhere, and what it found says what happened.
//!
//! Each trial is a soak of its own, short and compressed, at a hostile server of its own: this binary again as the runner,
//! with all its roles, files and sockets.

#[path = "hostile_gateway/answers.rs"]
mod answers;
#[path = "hostile_gateway/forging.rs"]
mod forging;
#[path = "hostile_gateway/front.rs"]
mod front;
#[path = "hostile_gateway/metrics.rs"]
mod metrics;
#[path = "hostile_gateway/presence.rs"]
mod presence;
#[path = "hostile_gateway/scene.rs"]
mod scene;
#[path = "hostile_gateway/secrets.rs"]
mod secrets;
#[path = "hostile_gateway/streams.rs"]
mod streams;

use std::process::ExitCode;

use libtest_mimic::Arguments;
use s2_harness::workload;
use testkit::{AnyError, CARGO_NEXTEST, again_if_stalled, needing, no_gateway, play_if_asked, trial};

/// Soaks wait more than they work: so many side by side leave a machine of two cores room, also one that stands still now and then.
const SIDE_BY_SIDE: usize = 6;

/// A trial's name, and what it does; it is told its name, under which its soak leaves what it leaves.
type Test = (&'static str, fn(&str) -> Result<(), AnyError>);

macro_rules! tests {
    ($($room:ident { $($test:ident)* })*) => {
        const TESTS: &[Test] = &[$($((concat!(stringify!($room), "::", stringify!($test)), $room::$test),)*)*];
    };
}

// The longest first: the others fit beside them.
tests! {
    answers {
        one_byte_a_second_is_given_up_in_time
        a_429_is_heeded_and_every_one_is_counted
        an_answer_of_100_mb_is_not_read_to_its_end
        garbage_is_said_to_be_no_http
        a_page_of_html_is_said_to_be_no_json
        half_a_json_is_said_to_be_none
        an_answer_that_is_not_utf_8_is_shown_with_marks
        an_answer_that_breaks_off_is_said_to
        a_status_of_999_is_told_as_it_is
        endless_redirects_are_told_and_not_followed
    }
    forging {
        no_line_of_the_log_or_the_report_is_the_gateways
    }
    secrets {
        a_gateway_that_repeats_the_token_brings_it_nowhere
    }
    presence {
        one_that_is_absent_is_said_within_20_s
        one_that_accepts_and_never_answers_is_said_within_60_s
        one_that_dies_half_way_is_played_to_the_end
        one_whose_clock_jumps_a_day_is_said_to
        a_well_gateway_is_green_and_sets_the_measure
    }
    streams {
        a_line_of_100_mb_is_cut_and_so_is_an_event_of_lines_without_end
        a_line_that_is_not_utf_8_is_shown_with_marks
        one_of_another_content_type_is_none
        events_of_garbage_are_said_to_be_none
        lines_that_end_in_cr_are_lines
        lines_that_end_in_crlf_are_lines
        events_in_single_bytes_are_events
        a_byte_order_mark_is_no_part_of_the_first_line
        fields_that_nobody_knows_are_passed_over
        a_stream_that_trickles_brings_all_it_has
        a_retry_without_an_event_is_heeded
    }
    metrics {
        metrics_of_50_mb_are_not_read_to_their_end
        a_hundred_thousand_series_are_bounded
        numbers_that_are_none_and_series_that_come_twice_are_said_to
    }
}

fn main() -> ExitCode {
    if let Some(code) = play_if_asked(no_gateway, workload::workers) {
        return code;
    }
    let mut args = Arguments::from_args();
    args.test_threads = args.test_threads.or(Some(SIDE_BY_SIDE));
    let trials =
        TESTS.iter().map(|(name, test)| trial(*name, || again_if_stalled(&scene::folder(name), || test(name))));
    let junit = "forging::no_element_of_the_junit_file_is_the_gateways";
    let junit = trial(junit, move || forging::no_element_of_the_junit_file_is_the_gateways(junit));
    let trials = trials.chain(needing(&[CARGO_NEXTEST], &args, vec![junit]));
    libtest_mimic::run(&args, trials.collect()).exit_code()
}
