//! What a soak looks like: a real browser opens the reports of soaks at real gateways, and the page of one that goes on.
//! Every chart is drawn with its data, links lead where they say, nothing is asked for from anywhere, nothing goes wrong
//! on the page's console, and what a gateway says is text.

#[path = "report/browser.rs"]
mod browser;
#[path = "support/end.rs"]
mod end;
#[path = "support/gateway.rs"]
mod gateway_process;
#[path = "report/gateways.rs"]
mod gateways;
#[path = "report/looks.rs"]
mod looks;
#[path = "report/markup.rs"]
mod markup;
#[path = "support/reds.rs"]
mod reds;
#[path = "report/sight.rs"]
mod sight;
#[path = "support/soak.rs"]
mod soak;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use s2_harness::{runner::StartingGateway, workload};
use soak::AnyError;

fn main() -> ExitCode {
    if let Some(code) = gateways::served() {
        return code;
    }
    // There is no gateway but the one that the environment names.
    let gateway = || -> StartingGateway { Box::pin(async { Err("there is one already".to_owned()) }) };
    if let Some(code) = soak::played(gateway, workload::workers) {
        return code;
    }
    let mut args = Arguments::from_args();
    // Soaks wait more than they work; browsers do not.
    args.test_threads = args.test_threads.or(Some(3));
    let trial = |name: &str, test: fn() -> Result<(), AnyError>| {
        Trial::test(name, move || test().map_err(|error| Failed::from(error.to_string())))
    };
    let trials = vec![
        trial("a_healthy_soak_is_seen_while_it_goes_on_and_afterwards", looks::a_healthy_soak),
        trial("three_defects_are_seen_with_since_when", looks::three_defects),
        trial("what_a_gateway_says_is_text", markup::what_a_gateway_says),
        trial("what_goes_wrong_on_a_page_is_seen", sight::what_goes_wrong),
    ];
    libtest_mimic::run(&args, trials).exit_code()
}
