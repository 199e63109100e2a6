//! The preflight: each call of the contract is tried once at a gateway of yours, in its dialect. It shows the request,
//! the answer, and the line of the dialect that would have to change.
//!
//! It runs only if it is asked for (`-- preflight`), because some calls restart the gateway. Trials take turns, also
//! across processes, so that a restart disturbs no other trial.

mod as_a_browser;
mod attempt;
mod checks;
mod codes;
mod disturb;
mod effects;
mod hints;
mod lines;
mod processes;
mod registry;
mod safety;
mod stream_habits;
#[cfg(test)]
mod stream_habits_tests;
mod streams;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use super::lock::Lock;
use crate::{
    catalog::{CallName, Chaos, Suite},
    gateway::{GatewayAccess, Token},
    plan::Lever,
    settings::Settings,
};

/// Prefix of each trial's name.
const SUITE: &str = "preflight";

/// The trials, if the arguments ask for them; in a list they are ignored ones. They have the order of [`CallName::ALL`], in which the
/// calls that restart something come last.
pub(super) fn trials(args: &Arguments, settings: &Arc<Settings>) -> Vec<Trial> {
    let is_asked_for = args.filter.as_deref().is_some_and(|filter| filter.starts_with(SUITE));
    if !args.list && !is_asked_for {
        return Vec::new();
    }
    let trial = |call: &CallName| {
        let (call, settings) = (*call, Arc::clone(settings));
        let run = move || attempt(call, &settings).map_err(Failed::from);
        Trial::ignorable_test(format!("{SUITE}::{call}"), run).with_ignored_flag(!is_asked_for)
    };
    CallName::ALL.iter().map(trial).collect()
}

/// Whether the arguments play any of these trials.
pub(super) fn is_played(args: &Arguments, settings: &Arc<Settings>) -> bool {
    !args.list && trials(args, settings).iter().any(|trial| !args.is_filtered_out(trial) && !args.is_ignored(trial))
}

/// Tries a call. An error has all that is needed to correct the dialect.
fn attempt(call: CallName, settings: &Settings) -> Result<Completion, String> {
    let Some(gateway) = &settings.env.gateway else {
        return Err("S2_GATEWAY_URL is not set: the preflight tries a gateway of yours, so say where it is".into());
    };
    if let Some(why) = settings.dialect.absence(call) {
        return Ok(Completion::ignored_with(format!("the dialect {} has none: {why}", settings.dialect.name)));
    }
    if !settings.dialect.has(call) {
        return Ok(Completion::ignored_with("a run that is created is started, too"));
    }
    if let Some(lever) = other_lever(call, settings) {
        return Ok(Completion::ignored_with(format!("the lever of this event is {lever}")));
    }
    let _turn = Lock::exclusive(&settings.env.out.join("preflight.lock")).map_err(|e| e.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| format!("cannot start a runtime: {e}"))?;
    let token = settings.env.token.clone().map(|source| runtime.block_on(Token::open(source)));
    let token = token.transpose().map_err(|e| e.to_string())?;
    let access = GatewayAccess { token, ..settings.access_for(Suite::Full, gateway.clone()) };
    let hide = |text| match &access.token {
        Some(token) => token.hide(text),
        None => text,
    };
    let passed = runtime.block_on(checks::check(call, &access, settings)).map_err(hide)?;
    // The test report shows only the name of a trial that passes.
    eprintln!("{}", hide(passed));
    Ok(Completion::Completed)
}

/// Returns the lever of this call's event, if the call is not its lever.
fn other_lever(call: CallName, settings: &Settings) -> Option<&'static str> {
    let chaos = Chaos::ALL.iter().find(|chaos| CallName::of_chaos(**chaos) == call)?;
    match settings.levers.get(chaos)? {
        Lever::Http => None,
        Lever::Command { .. } => Some("a command"),
        Lever::Proxy { .. } => Some("the fault proxy"),
        Lever::Not(_) => Some("none"),
    }
}
