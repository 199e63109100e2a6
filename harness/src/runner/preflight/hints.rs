//! Guesses at the place of a value that was not found in an answer.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

const HINTS_MAX: usize = 4;
const DEPTH_MAX: usize = 6;
/// Maximum length of a word that distinguishes kinds.
const WORD_CHARS_MAX: usize = 24;

/// JSON pointers to values that satisfy `is_so`: first those with one of the words in their key, then in their path.
pub(super) fn pointers(json: &Value, words: &[&str], is_so: &dyn Fn(&Value) -> bool) -> Option<String> {
    let mut found = Vec::new();
    walk(json, "", 0, is_so, &mut found);
    found.sort_by_key(|pointer: &String| {
        let path = pointer.to_lowercase();
        let key = path.rsplit('/').next().unwrap_or_default();
        let has_none = |text: &str| !words.iter().any(|word| text.contains(word));
        (has_none(key), has_none(&path), pointer.matches('/').count())
    });
    found.truncate(HINTS_MAX);
    let shown = |pointer: &String| format!("{pointer:?} ({})", json.pointer(pointer).map(short).unwrap_or_default());
    (!found.is_empty()).then(|| format!("it may be at {}", found.iter().map(shown).collect::<Vec<_>>().join(", ")))
}

/// The pointers of the first value that has any.
pub(super) fn pointers_in(all: &[Value], words: &[&str], is_so: &dyn Fn(&Value) -> bool) -> Option<String> {
    all.iter().find_map(|json| pointers(json, words, is_so))
}

/// Places of words in several values, with their words: a guess at the field that distinguishes the values.
pub(super) fn words_in(all: &[Value]) -> Option<String> {
    let is_word = |value: &Value| {
        value.as_str().is_some_and(|text| (1..=WORD_CHARS_MAX).contains(&text.len()) && !text.contains(' '))
    };
    let mut words: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for json in all {
        let mut found = Vec::new();
        walk(json, "", 0, &is_word, &mut found);
        for pointer in found {
            let word = json.pointer(&pointer).and_then(Value::as_str).unwrap_or_default();
            words.entry(pointer).or_default().insert(word);
        }
    }
    // A word that is different each time is a name, not a kind.
    let kinds = words.iter().filter(|(_, words)| words.len() <= HINTS_MAX && words.len() < all.len().max(2));
    let hints = kinds.take(HINTS_MAX).map(|(pointer, words)| format!("{pointer:?} has {words:?}"));
    let hints: Vec<String> = hints.collect();
    (!hints.is_empty()).then(|| hints.join(", "))
}

fn walk(json: &Value, at: &str, depth: usize, is_so: &dyn Fn(&Value) -> bool, found: &mut Vec<String>) {
    if is_so(json) {
        found.push(at.to_owned());
    }
    if depth == DEPTH_MAX {
        return;
    }
    match json {
        Value::Object(fields) => {
            for (key, value) in fields {
                let key = key.replace('~', "~0").replace('/', "~1");
                walk(value, &format!("{at}/{key}"), depth + 1, is_so, found);
            }
        }
        Value::Array(items) => {
            if let Some(first) = items.first() {
                walk(first, &format!("{at}/0"), depth + 1, is_so, found);
            }
        }
        _ => {}
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() > 40 { format!("{}…", text.chars().take(40).collect::<String>()) } else { text }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn words_that_tell_kinds_apart_are_told_and_names_are_not() {
        let events: Vec<Value> =
            (0..6).map(|n| json!({ "kind": if n == 5 { "finished" } else { "trace" }, "id": n.to_string() })).collect();
        assert_eq!(Some("\"/kind\" has {\"finished\", \"trace\"}".to_owned()), words_in(&events));
        let few: Vec<Value> = ["a", "b", "c"].iter().map(|id| json!({ "kind": "trace", "id": id })).collect();
        assert_eq!(Some("\"/kind\" has {\"trace\"}".to_owned()), words_in(&few));
        assert_eq!(None, words_in(&[]));
    }

    #[test]
    fn what_is_called_so_is_guessed_first() {
        let answer = json!({ "ok": "yes", "data": { "job": { "state": "busy", "run_id": "7" } }, "a/b": "c" });
        let hint = pointers(&answer, &["id"], &|value| value.is_string()).unwrap();
        assert!(hint.starts_with("it may be at \"/data/job/run_id\" (\"7\"), "), "{hint}");
        assert!(hint.contains("\"/a~1b\""), "{hint}");
        let counts = json!({ "fds": 1, "heap": 2, "memory": 3, "since": 4, "jobs": { "waiting": 5 } });
        let hint = pointers(&counts, &["job", "queue"], &Value::is_number).unwrap();
        assert!(hint.starts_with("it may be at \"/jobs/waiting\" (5), "), "{hint}");
        assert_eq!(None, pointers(&json!(1), &["id"], &|value| value.is_string()));
    }
}
