//! The part of a dialect that describes the status of runs and the events of streams.

use std::collections::{BTreeMap, BTreeSet};

use super::{dialect_calls::is_pointer, table::Reader};
use crate::gateway::dialect::{EventKind, Events, State};

/// The words for the status of a run, and those of them that mean that the safety layer refused it.
pub(super) fn states(mut table: Reader<'_>) -> (BTreeMap<String, State>, BTreeSet<String>) {
    let mut states = BTreeMap::new();
    let mut refused = BTreeSet::new();
    for (key, state) in [
        ("waiting", State::Waiting),
        ("under_way", State::UnderWay),
        ("success", State::Success),
        ("failure", State::Failure),
        ("refused", State::Failure),
    ] {
        for word in table.words(key).unwrap_or_default() {
            if key == "refused" {
                refused.insert(word.clone());
            }
            if states.insert(word.clone(), state).is_some_and(|before| before != state) {
                table.problem(key, format!("has {word:?}, which stands in another list too"));
            }
        }
    }
    if !states.values().any(|state| *state == State::Success) {
        table.problem("success", "names no word: no run would ever succeed");
    }
    table.done();
    (states, refused)
}

/// Where things are in the data of an event, and the words for its type.
pub(super) fn events(mut table: Reader<'_>) -> Events {
    let [kind, run_id, timestamp, message, status, duration_ms] =
        ["type", "run_id", "timestamp", "message", "status", "duration_ms"].map(|key| {
            let pointer = table.text(key).unwrap_or_default();
            is_pointer(&table, key, &pointer);
            pointer
        });
    let mut words = BTreeMap::new();
    for (key, kind) in ["log", "end", "verdict", "decision"].into_iter().zip(EventKind::ALL) {
        for word in table.words(key).unwrap_or_default() {
            if words.insert(word.clone(), kind).is_some_and(|before| before != kind) {
                table.problem(key, format!("has {word:?}, which stands in another list too"));
            }
        }
    }
    let ids = table.text("ids").unwrap_or_default();
    if !["stream", "connection"].contains(&ids.as_str()) {
        table.problem("ids", format!("is {ids:?}; it should be \"stream\" or \"connection\""));
    }
    table.done();
    Events {
        kind,
        run_id,
        timestamp,
        message,
        status,
        duration_ms,
        words,
        ids_are_the_connections: ids == "connection",
    }
}
