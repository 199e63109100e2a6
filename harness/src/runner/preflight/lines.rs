//! Habits that a comparison of a run's stream with its record shows.

use std::collections::HashSet;

use crate::{
    gateway::LogEvent,
    journal::clip,
    streams::{LineComparison, Lines, compare},
};

/// Returns a note on each habit, with its effect on a soak.
pub(super) fn habits(events: &[LogEvent], record: &[&str]) -> Vec<String> {
    let mut lines = Lines::default();
    let mut contents = HashSet::new();
    for event in events.iter().filter(|event| event.kind == "log") {
        let is_new = contents.insert((&event.stamp, &event.unstamped));
        match &event.message {
            Some(message) => lines.add(message, !is_new),
            None => lines.unreadable += 1,
        }
    }
    if record.is_empty() || lines.total() == 0 || lines.unreadable > 0 {
        return Vec::new();
    }
    notes(&compare(&lines, record), &lines, record.len())
}

fn notes(found: &LineComparison, lines: &Lines, recorded: usize) -> Vec<String> {
    let mut notes = Vec::new();
    if found.equal > 0 {
        notes.push(format!(
            "{} log lines came again with the same time, as often as the run's record has them: equal lines, no duplicates",
            found.equal
        ));
    }
    for repeated in &found.repeated {
        notes.push(format!(
            "the log line '{}' came {} times, and the run's record has it {} times: sse_duplicates will fail",
            clip(&repeated.line),
            repeated.delivered,
            repeated.recorded
        ));
    }
    if found.loose > 0 {
        notes.push(format!(
            "{} log lines of the run's record are cut, or have a prefix, compared with the stream: they are matched loosely",
            found.loose
        ));
    }
    if found.undecided > 0 {
        notes.push(format!(
            "{} log lines of the run's record have another text than those of the stream: calls.get_run.message and \
             events.message must lead to the same text, or sse_gaps is unproven",
            found.undecided
        ));
    }
    if let Some(line) = found.missing.first() {
        notes.push(format!("the run's record has the log line '{}', and the stream did not show it", clip(line)));
    }
    if found.surplus > 0 && found.undecided == 0 {
        notes.push(format!(
            "the run's record has {recorded} log lines, and the stream showed {}: it keeps some of them only, or is behind its streams",
            lines.total()
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(messages: &[&str]) -> Vec<LogEvent> {
        let events = crate::settings::built_in_dialect().events;
        let read = |message: &&str| {
            let data = serde_json::json!({ "run_id": "7", "timestamp": "2026-11-23T10:00:00Z", "message": message });
            LogEvent::read(&events, "log", &data.to_string()).unwrap()
        };
        messages.iter().map(read).collect()
    }

    #[test]
    fn what_is_as_the_record_has_it_is_no_habit() {
        assert!(habits(&shown(&["a", "b"]), &["a", "b"]).is_empty());
        assert!(habits(&shown(&["a"]), &[]).is_empty());
    }

    #[test]
    fn each_habit_is_named() {
        let said = |messages: &[&str], record: &[&str]| habits(&shown(messages), record).join("\n");
        assert!(said(&["a", "b", "b"], &["a", "b", "b"]).contains("equal lines, no duplicates"));
        assert!(said(&["a", "b", "b"], &["a", "b"]).contains("sse_duplicates will fail"));
        assert!(said(&["it starts"], &["INFO it starts"]).contains("matched loosely"));
        assert!(said(&["it starts"], &["other text"]).contains("calls.get_run.message"));
        assert!(said(&["a"], &["a", "b"]).contains("has the log line 'b'"));
        assert!(said(&["a", "b"], &["b"]).contains("has 1 log lines, and the stream showed 2"));
    }
}
