//! Injects a chaos event: by a call of the gateway, by a command, or by the fault proxy before it.

use std::time::Duration;

use tokio::process::Command;

use crate::{
    catalog::{CallName, Chaos},
    child::{self, Ran},
    clock,
    journal::clip,
    plan::{Lever, millis},
    proxy::{AddedLatency, FaultProxy},
    session::Context,
};

/// Bytes of each output of a command that are kept; the rest is read and dropped.
const OUTPUT_BYTES_MAX: u64 = 16 * 1024;
/// Duration of a restart by the proxy: connections are cut, and no new ones are accepted.
const DARK_MS: u64 = 2_000;
/// Variables that the runner sets for its children. Commands do not receive them.
const NOT_FOR_COMMANDS: [&str; 4] = ["S2_ROLE", "S2_ATTACH", "S2_SUITE", "NEXTEST_RUN_ID"];

/// The outcome of a pulled lever.
#[derive(Debug)]
pub(super) struct Pulled {
    /// Whether it was done; `None` if it is unknown.
    pub(super) accepted: Option<bool>,
    /// The action, and its result.
    pub(super) answer: String,
}

/// Pulls the lever of an event; `lasts` is the real duration of an added latency.
pub(super) async fn pull(context: &Context, chaos: Chaos, lasts: Duration) -> Pulled {
    match context.levers.get(&chaos).unwrap_or(&Lever::Http) {
        Lever::Http => call(context, chaos, lasts).await,
        Lever::Command { program, arguments, timeout } => {
            let added_ms = millis(context.schedule.plan.scenario.chaos.latency_added);
            let fill = |argument: &String| {
                let delayed = argument.replace("{delay_ms}", &added_ms.to_string());
                delayed.replace("{duration_ms}", &millis(lasts).to_string())
            };
            let arguments: Vec<String> = arguments.iter().map(fill).collect();
            run(program, &arguments, *timeout).await
        }
        Lever::Proxy { jitter } => match context.proxy.as_deref() {
            Some(proxy) => disturb(proxy, context, chaos, millis(*jitter)),
            None => Pulled { accepted: Some(false), answer: "there is no fault proxy".into() },
        },
        Lever::Not(why) => Pulled { accepted: Some(false), answer: format!("not to be done: {why}") },
    }
}

/// Ends an effect that lasts until then.
pub(super) fn release(context: &Context, chaos: Chaos) {
    if let (Some(Lever::Proxy { .. }), Some(proxy)) = (context.levers.get(&chaos), context.proxy.as_deref()) {
        proxy.clear();
    }
}

/// Bytes that the fault proxy has held back so far, if it adds the latency.
pub(super) fn bytes_held_back(context: &Context) -> Option<u64> {
    let is_proxy = matches!(context.levers.get(&Chaos::Latency), Some(Lever::Proxy { .. }));
    context.proxy.as_deref().filter(|_| is_proxy).map(|proxy| proxy.counters().bytes_delayed.get())
}

async fn call(context: &Context, chaos: Chaos, lasts: Duration) -> Pulled {
    let call = CallName::of_chaos(chaos);
    let added_ms = millis(context.schedule.plan.scenario.chaos.latency_added);
    let route = context.calls.client.dialect().route(call);
    match context.calls.client.chaos(call, added_ms, millis(lasts)).await {
        Ok(answer) => {
            Pulled { accepted: Some(context.calls.client.is_yes(call, &answer)), answer: format!("{route}: {answer}") }
        }
        Err(trouble) => Pulled { accepted: None, answer: format!("{route}: {trouble}") },
    }
}

fn disturb(proxy: &FaultProxy, context: &Context, chaos: Chaos, jitter_ms: u64) -> Pulled {
    let answer = match chaos {
        Chaos::Latency => {
            let delay_ms = millis(context.schedule.plan.scenario.chaos.latency_added);
            proxy.delay(AddedLatency { delay_ms, jitter_ms });
            format!("the fault proxy: every answer {delay_ms} ms later, give or take {jitter_ms} ms")
        }
        Chaos::GatewayRestart | Chaos::RedisRestart => {
            let open = proxy.counters().open();
            proxy.go_dark(Duration::from_millis(DARK_MS));
            format!("the fault proxy: {open} connections cut, and none for {DARK_MS} ms")
        }
    };
    Pulled { accepted: Some(true), answer }
}

/// Runs a program without a shell. Its output is evidence.
async fn run(program: &str, arguments: &[String], timeout: Duration) -> Pulled {
    let shown = std::iter::once(program).chain(arguments.iter().map(String::as_str)).collect::<Vec<_>>().join(" ");
    let shown = format!("the command `{}`", clip(&shown));
    let mut command = Command::new(program);
    command.args(arguments);
    for name in NOT_FOR_COMMANDS {
        command.env_remove(name);
    }
    let refused = |answer: String| Pulled { accepted: Some(false), answer };
    let began = clock::now();
    let Ran { ended, stdout, stderr } = match child::run(command, timeout, OUTPUT_BYTES_MAX, false).await {
        Ok(ran) => ran,
        Err(e) => return refused(format!("{shown} did not start: {e}; is it there, and may it be run?")),
    };
    let took_ms = millis(clock::now().saturating_duration_since(began));
    let text = String::from_utf8_lossy(&stdout) + String::from_utf8_lossy(&stderr);
    let said =
        if text.trim().is_empty() { "and said nothing".to_owned() } else { format!("and said: {}", text.trim()) };
    match ended {
        Some(Ok(status)) => Pulled {
            accepted: Some(status.success()),
            answer: format!("{shown} ended after {took_ms} ms with {status}, {said}"),
        },
        Some(Err(e)) => refused(format!("{shown}: {e}, {said}")),
        None => refused(format!("{shown} was not over within {} s and was killed, {said}", timeout.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ran(program: &str, arguments: &[&str], timeout: Duration) -> (Option<bool>, String) {
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let Pulled { accepted, answer } = run(program, &arguments, timeout).await;
        (accepted, answer)
    }

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_command_is_evidence_whatever_comes_of_it() {
        let (accepted, answer) = ran("sh", &["-c", "echo out; echo err >&2"], LONG).await;
        assert!(accepted == Some(true) && answer.contains("exit status: 0, and said: out\nerr"), "{answer}");
        let (accepted, answer) = ran("sh", &["-c", "exit 3"], LONG).await;
        assert!(accepted == Some(false) && answer.contains("exit status: 3, and said nothing"), "{answer}");
        let (accepted, answer) = ran("no-such-program-here", &[], LONG).await;
        assert!(accepted == Some(false) && answer.contains("did not start"), "{answer}");
    }

    #[tokio::test]
    async fn a_command_that_does_not_end_is_killed_and_said_to_be() {
        let (accepted, answer) = ran("sleep", &["1000"], Duration::from_millis(300)).await;
        assert!(accepted == Some(false) && answer.contains("`sleep 1000` was not over within 0 s"), "{answer}");
    }

    #[tokio::test]
    async fn no_shell_reads_the_arguments_and_an_output_without_end_is_bounded() {
        let (_, answer) = ran("echo", &["$HOME; `id` && *"], LONG).await;
        assert!(answer.contains("said: $HOME; `id` && *"), "{answer}");
        let (accepted, answer) = ran("sh", &["-c", "head -c 10000000 /dev/zero | tr '\\0' x"], LONG).await;
        assert!(accepted == Some(true) && (answer.len() as u64) < OUTPUT_BYTES_MAX + 512, "{}", answer.len());
    }

    #[tokio::test]
    async fn a_daemon_that_a_command_leaves_behind_is_not_waited_for() {
        let (accepted, answer) = ran("sh", &["-c", "sleep 30 & echo started"], LONG).await;
        assert!(accepted == Some(true) && answer.contains("said: started"), "{answer}");
    }
}
