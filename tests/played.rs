//! Soaks as a user plays them: this binary again as the runner, its session, and a gateway in a process of its own. Whatever
//! dies, there is a verdict; and a browser sees the report as it should be.

#[path = "report/mod.rs"]
mod report;
#[path = "unkillable/mod.rs"]
mod unkillable;

use std::process::ExitCode;

use libtest_mimic::Arguments;
use testkit::play_if_asked;
use unkillable::{gateway, panics};

/// Soaks wait more than they work.
const SIDE_BY_SIDE: usize = 10;

fn main() -> ExitCode {
    if let Some(code) = gateway::served().or_else(report::gateways::served) {
        return code;
    }
    if let Some(code) = play_if_asked(gateway::embedded, panics::workers) {
        return code;
    }
    let mut args = Arguments::from_args();
    args.test_threads = args.test_threads.or(Some(SIDE_BY_SIDE));
    // The longest first: the others fit beside them.
    let trials = [unkillable::longest(), report::trials(&args), unkillable::others()];
    libtest_mimic::run(&args, trials.into_iter().flatten().collect()).exit_code()
}
