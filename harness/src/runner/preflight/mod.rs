//! The preflight: each call of the contract is tried once at a gateway of yours, in its dialect, and what was sent, what
//! came, and which line of the dialect would have to change is shown.
//!
//! It is there only where it is asked for (`-- preflight`): among its calls are those that restart things. Trials take
//! turns, in processes of their own too, so that a restart disturbs none of the others.

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

use std::{path::PathBuf, sync::Arc};

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

/// The trials, where arguments ask for them; in a list they are ignored ones.
pub(super) fn trials(args: &Arguments, settings: &Arc<Settings>) -> Vec<Trial> {
    let is_asked_for = args.filter.as_deref().is_some_and(|filter| filter.starts_with(SUITE));
    if !args.list && !is_asked_for {
        return Vec::new();
    }
    // What restarts things comes last.
    let trial = |call: &CallName| {
        let (call, settings) = (*call, Arc::clone(settings));
        let run = move || attempt(call, &settings).map_err(Failed::from);
        Trial::ignorable_test(format!("{SUITE}::{call}"), run).with_ignored_flag(!is_asked_for)
    };
    CallName::ALL.iter().map(trial).collect()
}

/// Whether these trials are among those that will be played.
pub(super) fn is_played(args: &Arguments, settings: &Arc<Settings>) -> bool {
    !args.list && trials(args, settings).iter().any(|trial| !args.is_filtered_out(trial) && !args.is_ignored(trial))
}

/// Tries a call; an error says all that a person needs to mend the dialect.
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
    // One after another, whoever else tries.
    let _turn = Lock::exclusive(&turn(settings)).map_err(|e| e.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| format!("cannot start a runtime: {e}"))?;
    let token = settings.env.token.clone().map(|source| runtime.block_on(Token::open(source)));
    let token = token.transpose().map_err(|e| e.to_string())?;
    let hide = |text: String| token.as_ref().map_or_else(|| text.clone(), |token| token.hide(text.clone()));
    let access = GatewayAccess { token: token.clone(), ..settings.access_for(Suite::Full, gateway.clone()) };
    let told = runtime.block_on(checks::check(call, &access, settings)).map_err(hide)?;
    // The report of a test that passes shows no more than its name; this is for whoever looks.
    eprintln!("{}", hide(told));
    Ok(Completion::Completed)
}

fn turn(settings: &Settings) -> PathBuf {
    settings.env.out.join("preflight.lock")
}

/// Returns the lever of an event that is not injected by this call.
fn other_lever(call: CallName, settings: &Settings) -> Option<&'static str> {
    let chaos = Chaos::ALL.iter().find(|chaos| CallName::of_chaos(**chaos) == call)?;
    match settings.levers.get(chaos)? {
        Lever::Http => None,
        Lever::Command { .. } => Some("a command"),
        Lever::Proxy { .. } => Some("the fault proxy"),
        Lever::Not(_) => Some("none"),
    }
}
