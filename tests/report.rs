//! What a soak looks like: a real browser opens the reports of soaks at real gateways, and the page of one that goes on.
//! Every chart is drawn with its data, links lead where they say, nothing is asked for from anywhere, nothing goes wrong
//! on the page's console, and what a gateway says is text.

#[path = "report/browser.rs"]
mod browser;
#[path = "report/gateways.rs"]
mod gateways;
#[path = "report/looks.rs"]
mod looks;
#[path = "report/markup.rs"]
mod markup;
#[path = "report/sight.rs"]
mod sight;

use std::process::ExitCode;

use libtest_mimic::Arguments;
use s2_harness::workload;
use testkit::{CHROMEDRIVER, CHROMIUM, needing, no_gateway, play_if_asked, trial};

fn main() -> ExitCode {
    if let Some(code) = gateways::served() {
        return code;
    }
    if let Some(code) = play_if_asked(no_gateway, workload::workers) {
        return code;
    }
    let mut args = Arguments::from_args();
    // Soaks wait more than they work; browsers do not.
    args.test_threads = args.test_threads.or(Some(3));
    // A soak without a look at its report would prove little, so all of them need the browser.
    let trials = vec![
        trial("a_healthy_soak_is_seen_while_it_goes_on_and_afterwards", looks::a_healthy_soak),
        trial("three_defects_are_seen_with_since_when", looks::three_defects),
        trial("what_a_gateway_says_is_text", markup::what_a_gateway_says),
        trial("what_goes_wrong_on_a_page_is_seen", sight::what_goes_wrong),
    ];
    libtest_mimic::run(&args, needing(&[CHROMIUM, CHROMEDRIVER], &args, trials)).exit_code()
}
