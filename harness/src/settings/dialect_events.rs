//! The part of a dialect that describes the status of runs and the events of streams.

use std::collections::{BTreeMap, BTreeSet};

use super::{dialect_calls::is_pointer, table::TableReader};
use crate::gateway::dialect::{EventKind, Events, Replay, RunState};

/// The words for the status of a run, and those of them that mean that the safety layer refused it.
pub(super) fn states(table: &mut TableReader<'_>) -> (BTreeMap<String, RunState>, BTreeSet<String>) {
    let mut states = BTreeMap::new();
    let mut refused = BTreeSet::new();
    for (key, state) in [
        ("waiting", RunState::Waiting),
        ("under_way", RunState::UnderWay),
        ("success", RunState::Success),
        ("failure", RunState::Failure),
        ("refused", RunState::Failure),
    ] {
        for word in table.words(key) {
            if key == "refused" {
                refused.insert(word.clone());
            }
            if states.insert(word.clone(), state).is_some_and(|before| before != state) {
                table.problem(key, format!("has {word:?}, which stands in another list too"));
            }
        }
    }
    if !states.values().any(|state| *state == RunState::Success) {
        table.problem("success", "names no word: no run would ever succeed");
    }
    (states, refused)
}

/// Where things are in the data of an event, the words for its type, and habits of streams with events.
pub(super) fn events(table: &mut TableReader<'_>) -> Events {
    let [kind, run_id, timestamp, lines, message, status, duration_ms] =
        ["type", "run_id", "timestamp", "lines", "message", "status", "duration_ms"].map(|key| {
            let pointer = table.text(key).unwrap_or_default();
            is_pointer(table, key, &pointer);
            pointer
        });
    let duration_unit_ms = table.choice("duration_unit", &[("ms", 1.0), ("us", 1e-3), ("s", 1e3)]);
    let mut words = BTreeMap::new();
    for (key, kind) in ["log", "end", "verdict", "decision"].into_iter().zip(EventKind::ALL) {
        for word in table.words(key) {
            if words.insert(word.clone(), kind).is_some_and(|before| before != kind) {
                table.problem(key, format!("has {word:?}, which stands in another list too"));
            }
        }
    }
    let ignore = table.words("ignore");
    for word in ignore.iter().filter(|word| words.contains_key(*word)) {
        table.problem("ignore", format!("has {word:?}, which stands in another list too"));
    }
    let replays = [("yes", Replay::Yes), ("no", Replay::No), ("unknown", Replay::Unknown)];
    Events {
        kind,
        run_id,
        timestamp,
        lines,
        message,
        status,
        duration_ms,
        duration_unit_ms,
        words,
        ignore: ignore.into_iter().collect(),
        ids_are_the_connections: table.choice("ids", &[("stream", false), ("connection", true)]),
        run_id_is_required: table.choice("run_id_on_run_streams", &[("optional", false), ("required", true)]),
        replay: table.choice("replay_on_run_streams", &replays),
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        gateway::dialect::Replay,
        settings::{built_in_dialect, load_dialect},
    };

    fn load(text: &str) -> Result<crate::gateway::Dialect, String> {
        let folder = tempfile::TempDir::new().unwrap();
        std::fs::write(folder.path().join("gateway.toml"), text).unwrap();
        load_dialect("gateway.toml", folder.path()).map_err(|e| e.to_string())
    }

    #[test]
    fn habits_of_events_have_defaults_and_a_wrong_one_is_reported_with_its_line() {
        let events = built_in_dialect().events;
        assert_eq!((0, false, Replay::Unknown), (events.ignore.len(), events.run_id_is_required, events.replay));
        let text =
            "[events]\nignore = [\"ping\"]\nrun_id_on_run_streams = \"required\"\nreplay_on_run_streams = \"no\"\n";
        let events = load(text).unwrap().events;
        let ignores = events.ignore.contains("ping");
        assert_eq!((true, true, Replay::No), (ignores, events.run_id_is_required, events.replay));
        let text = "[events]\nignore = [\"end\"]\nrun_id_on_run_streams = \"yes\"\nreplay_on_run_streams = \"maybe\"\n\
                    duration_unit = \"min\"\n";
        let error = load(text).unwrap_err();
        for (line, what) in [
            (2, "ignore` has \"end\", which stands in another list too"),
            (3, "run_id_on_run_streams` is \"yes\"; it should be \"optional\" or \"required\""),
            (5, "duration_unit` is \"min\"; it should be \"ms\", \"us\" or \"s\""),
            (4, "replay_on_run_streams` is \"maybe\"; it should be \"yes\", \"no\" or \"unknown\""),
        ] {
            let problem = format!("gateway.toml:{line}: `events.{what}");
            assert!(error.contains(&problem), "{problem}\n{error}");
        }
    }
}
