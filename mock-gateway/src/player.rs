//! Plays a run: from its start to its end, with all that its streams tell.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::sleep;

use crate::clock;
use crate::core::Core;
use crate::defect::Slips;
use crate::events::Channel;
use crate::runs::{LogLine, Status};

/// Characters of a message that a log line quotes.
const QUOTED_CHARS_MAX: usize = 256;

/// What the player has to know of a run.
struct Part {
    run: Arc<str>,
    workspace: Arc<str>,
    agent: String,
    message: String,
    slips: Slips,
    shield_action: &'static str,
}

/// Plays a queued run, until it is completed or the gateway closes.
pub(crate) async fn play(core: Arc<Core>, run: Arc<str>) {
    let closing = core.closing.clone();
    closing.run_until_cancelled(perform(&core, run)).await;
}

async fn perform(core: &Core, run: Arc<str>) {
    let _worker = core.workers.acquire().await.expect("the semaphore is never closed");
    let part = core.runs.change(&run, |kept| {
        kept.status = Status::Running;
        kept.started_at = Some(clock::wall());
        Part {
            run: Arc::clone(&kept.id),
            workspace: Arc::clone(&kept.workspace),
            agent: kept.agent.clone(),
            message: kept.message.clone(),
            slips: kept.slips.clone(),
            shield_action: kept.shield_action,
        }
    });
    let Some(part) = part else { return };

    let (untold, (), ()) = tokio::join!(log(core, &part), shield(core, &part), judge(core, &part));
    if core.faults.leaves_stuck() {
        return;
    }

    // Completed before the streams hear of it: who heard the end and looks, finds the run ended.
    let handled = quoted(part.slips.output.as_deref().unwrap_or(&part.message));
    let output = json!({ "agent": part.agent, "summary": format!("{} handled: {handled}", part.agent) });
    core.faults.leak_after_run();
    if core.faults.fails_run() {
        core.runs.finish(&part.run, Status::Failed, None);
        tell(core, &part, Channel::Logs, "end", [("status", "failed".into())]);
        return;
    }
    core.runs.finish(&part.run, Status::Completed, Some(output));
    tell(core, &part, Channel::Logs, "end", [("status", core.faults.end_says().into())]);
    if let Some(line) = untold {
        write_line(core, &part, line);
    }
}

/// Log lines, the first at once and the last when the run's duration is over. Gives the last one back when it is not to
/// be told yet.
async fn log(core: &Core, part: &Part) -> Option<String> {
    let duration = core.choose(&core.config.run_duration);
    let steps = u32::try_from(core.config.log_lines.max(2) - 1).unwrap_or(u32::MAX);
    let given = part.slips.log.as_deref().unwrap_or(&part.message);
    if core.faults.logs_nothing() {
        sleep(duration).await;
        return None;
    }
    core.faults.hold_first_line().await;
    write_line(core, part, format!("{} starts", part.agent));
    for step in 1..=steps {
        sleep(duration / steps).await;
        let line = match step {
            1 => format!("{} was given: {}", part.agent, quoted(given)),
            _ if step == steps => format!("{} has its answer", part.agent),
            _ => format!("{} is at step {step} of {steps}", part.agent),
        };
        if step == steps && core.faults.ends_first() {
            return Some(line);
        }
        write_line(core, part, line);
    }
    None
}

async fn judge(core: &Core, part: &Part) {
    let duration = measured(core.faults.judge_takes(core.choose(&core.config.judge_duration))).await;
    core.metrics.judge.observe(duration);
    let groundedness = (0.75 + 0.25 * core.choose_share()).min(1.0);
    let fields = [("groundedness", groundedness.into()), ("duration_ms", millis(duration))];
    tell(core, part, Channel::Guard, "judge.verdict", fields);
}

async fn shield(core: &Core, part: &Part) {
    let duration = measured(core.faults.shield_takes(core.choose(&core.config.shield_duration))).await;
    core.metrics.shield.observe(duration);
    let fields = [("action", part.shield_action.into()), ("duration_ms", millis(duration))];
    match part.slips.guard.as_deref() {
        None => tell(core, part, Channel::Guard, "shield.decision", fields),
        Some(message) => {
            let [action, duration] = fields;
            tell(core, part, Channel::Guard, "shield.decision", [action, duration, ("matched", message.into())]);
        }
    }
}

fn write_line(core: &Core, part: &Part, message: String) {
    let level = "info";
    let fields = [("level", level.into()), ("message", message.as_str().into())];
    core.runs.change(&part.run, |run| run.logs.push(LogLine { level, message: message.clone() }));
    tell(core, part, Channel::Logs, "log", fields);
}

fn tell<const N: usize>(
    core: &Core,
    part: &Part,
    channel: Channel,
    kind: &'static str,
    fields: [(&'static str, Value); N],
) {
    let fields: Map<_, _> = fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    core.tell((&part.workspace, &part.run), channel, kind, fields);
}

/// Waits, and says how long it really took: on a busy machine that is more.
async fn measured(duration: Duration) -> Duration {
    let begun = clock::now();
    sleep(duration).await;
    begun.elapsed()
}

/// A duration as guard events report it.
pub(crate) fn millis(duration: Duration) -> Value {
    (duration.as_secs_f64() * 1_000.0).into()
}

fn quoted(message: &str) -> &str {
    message.char_indices().nth(QUOTED_CHARS_MAX).map_or(message, |(end, _)| &message[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_is_quoted_to_a_whole_character() {
        assert_eq!(quoted("short"), "short");
        assert_eq!(quoted(&"é".repeat(300)), "é".repeat(256));
    }
}
