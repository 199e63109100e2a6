//! Plays a run: from its start to its end, with all that its streams tell.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::sleep;

use crate::change::{Change, Outcome};
use crate::clock;
use crate::core::Core;
use crate::defect::Slips;
use crate::event::{Channel, Draft};
use crate::runs::{LogLine, Status};
use crate::store::Away;

/// Characters of a message that a log line quotes.
const QUOTED_CHARS_MAX: usize = 256;
/// Further lines are logged in batches: no stream's queue is to overflow.
const FURTHER_LINES_AT_ONCE: usize = 20;
const FURTHER_LINES_EVERY: Duration = Duration::from_millis(20);

/// The size of the line that the oddity `large-event` logs.
const LARGE_LINE_BYTES: usize = 1_200_000;

/// Data of a run that the player needs. A process that is gone may have played a part of the run before.
struct Part {
    run: Arc<str>,
    workspace: Arc<str>,
    agent: String,
    message: String,
    slips: Slips,
    shield_action: Cow<'static, str>,
    is_begun: bool,
    lines: usize,
    judged: bool,
    shielded: bool,
}

/// Plays a run that was started, until it is completed or the gateway closes.
pub(crate) async fn play(core: Arc<Core>, run: Arc<str>) {
    let closing = core.closing.clone();
    // When nothing can be kept any more, whoever takes over plays it on.
    _ = closing.run_until_cancelled(perform(&core, run)).await;
}

async fn perform(core: &Arc<Core>, run: Arc<str>) -> Result<(), Away> {
    let _worker = core.workers.acquire().await.expect("the semaphore is never closed");
    let part = core.runs.change(&run, |kept| Part {
        run: Arc::clone(&kept.id),
        workspace: Arc::clone(&kept.workspace),
        agent: kept.agent.clone(),
        message: kept.message.clone(),
        slips: kept.slips.clone(),
        shield_action: kept.shield_action.clone(),
        is_begun: kept.status == Status::Running,
        lines: kept.logs.len(),
        judged: kept.judged,
        shielded: kept.shielded,
    });
    let Some(part) = part else { return Ok(()) };
    if !part.is_begun {
        core.commit(Change::Begun(run, clock::wall()), None).await?;
    }

    let (untold, (), ()) = tokio::try_join!(log(core, &part), shield(core, &part), judge(core, &part))?;
    if core.faults.leaves_stuck() {
        return Ok(());
    }

    // Completed before the streams hear of it: who heard the end and looks, finds the run ended.
    let handled = quoted(part.slips.output.as_deref().unwrap_or(&part.message));
    let output = json!({ "agent": part.agent, "summary": format!("{} handled: {handled}", part.agent) });
    core.faults.leak_after_run();
    let (status, output, says) = if core.faults.fails_run() {
        (Status::Failed, None, "failed")
    } else {
        (Status::Completed, Some(output), core.faults.end_says())
    };
    let end = draft(core, &part, Channel::Logs, "end", [("status", says.into())]);
    let outcome = Outcome { status, output, at: clock::wall() };
    let end = end.filter(|_| !core.faults.hides_end());
    if let Some(late) = core.faults.end_told_after() {
        core.commit(Change::Ended(Arc::clone(&part.run), outcome), None).await?;
        sleep(late).await;
        return core.commit(Change::Nothing, end).await;
    }
    core.commit(Change::Ended(Arc::clone(&part.run), outcome), end).await?;
    if let Some(line) = untold.filter(|_| status == Status::Completed) {
        write_line(core, &part, line).await?;
    }
    Ok(())
}

/// Log lines, the first at once and the last when the run's duration is over. Gives the last one back when it is not to
/// be told yet.
async fn log(core: &Arc<Core>, part: &Part) -> Result<Option<String>, Away> {
    let duration = core.choose(&core.config.run_duration);
    let steps = u32::try_from(core.config.log_lines.max(2) - 1).unwrap_or(u32::MAX);
    let given = part.slips.log.as_deref().unwrap_or(&part.message);
    if core.faults.logs_nothing() {
        sleep(duration).await;
        return Ok(None);
    }
    for step in u32::try_from(part.lines).unwrap_or(u32::MAX)..=steps {
        match step {
            0 => core.faults.hold_first_line().await,
            _ => sleep(duration / steps).await,
        }
        let line = match step {
            0 => format!("{} starts", part.agent),
            1 => format!("{} was given: {}", part.agent, quoted(given)),
            2 if core.faults.logs_large_line() => large_line(&part.agent),
            _ if step == steps => format!("{} has its answer", part.agent),
            _ => format!("{} is at step {step} of {steps}", part.agent),
        };
        if step == steps && core.faults.ends_first() {
            return Ok(Some(line));
        }
        if step == 1 {
            let (line, at) = (core.faults.lengthened(line), core.faults.shared_moment());
            for _ in 0..core.faults.copies_of_line() {
                write_line_at(core, part, line.clone(), at).await?;
            }
            further_lines(core, part).await?;
            continue;
        }
        write_line(core, part, line).await?;
    }
    Ok(None)
}

/// Lines that a run logs beyond the ordinary ones; none but by a defect.
async fn further_lines(core: &Arc<Core>, part: &Part) -> Result<(), Away> {
    let lines = core.faults.further_lines();
    for number in 1..=lines {
        let message = format!("item {number} of {lines} is done");
        if core.faults.loses_further_line(number) {
            let line = LogLine { level: "info".into(), message };
            core.commit(Change::Logged(Arc::clone(&part.run), line), None).await?;
        } else {
            write_line(core, part, message).await?;
        }
        if number.is_multiple_of(FURTHER_LINES_AT_ONCE) {
            sleep(FURTHER_LINES_EVERY).await;
        }
    }
    Ok(())
}

async fn judge(core: &Arc<Core>, part: &Part) -> Result<(), Away> {
    if part.judged {
        return Ok(());
    }
    let duration = measured(core.faults.judge_takes(core.choose(&core.config.judge_duration))).await;
    core.metrics().judge.observe(duration);
    let groundedness = (0.75 + 0.25 * core.choose_share()).min(1.0);
    let fields = [("groundedness", groundedness.into()), ("duration_ms", millis(duration))];
    let verdict = draft(core, part, Channel::Guard, "judge.verdict", fields);
    core.commit(Change::Judged(Arc::clone(&part.run)), verdict).await
}

async fn shield(core: &Arc<Core>, part: &Part) -> Result<(), Away> {
    if part.shielded {
        return Ok(());
    }
    let duration = measured(core.faults.shield_takes(core.choose(&core.config.shield_duration))).await;
    core.metrics().shield.observe(duration);
    let [action, took] = [("action", part.shield_action.as_ref().into()), ("duration_ms", millis(duration))];
    let decision = match part.slips.guard.as_deref() {
        None => draft(core, part, Channel::Guard, "shield.decision", [action, took]),
        Some(message) => {
            draft(core, part, Channel::Guard, "shield.decision", [action, took, ("matched", message.into())])
        }
    };
    core.commit(Change::Shielded(Arc::clone(&part.run)), decision).await
}

async fn write_line(core: &Arc<Core>, part: &Part, message: String) -> Result<(), Away> {
    write_line_at(core, part, message, None).await
}

async fn write_line_at(
    core: &Arc<Core>,
    part: &Part,
    mut message: String,
    at: Option<jiff::Timestamp>,
) -> Result<(), Away> {
    let level = "info";
    let streamed = core.faults.streamed(&message).into_owned();
    let told = if let Some(second) = core.faults.second_of_batch(&message) {
        let lines = json!([{ "message": *streamed }, { "message": core.faults.streamed(&second) }]);
        let first = LogLine { level: level.into(), message: core.faults.recorded(&message) };
        core.commit(Change::Logged(Arc::clone(&part.run), first), None).await?;
        message = second;
        draft(core, part, Channel::Logs, "log", [("level", level.into()), ("lines", lines)])
    } else {
        draft(core, part, Channel::Logs, "log", [("level", level.into()), ("message", (*streamed).into())])
    };
    let told = told.map(|draft| Draft { at, ..draft });
    let line = LogLine { level: level.into(), message: core.faults.recorded(&message) };
    core.commit(Change::Logged(Arc::clone(&part.run), line), told).await
}

fn draft<const N: usize>(
    core: &Core,
    part: &Part,
    channel: Channel,
    kind: &'static str,
    fields: [(&'static str, Value); N],
) -> Option<Draft> {
    let fields: Map<_, _> = fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    core.draft((&part.workspace, &part.run), channel, kind, fields)
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

/// A line whose event is larger than many clients read.
fn large_line(agent: &str) -> String {
    format!("{agent} found: {}", "all of it, ".repeat(LARGE_LINE_BYTES / "all of it, ".len()))
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
