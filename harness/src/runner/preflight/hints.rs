//! Where in an answer something may be that was not found: a guess that saves a look into the gateway's source.

use serde_json::Value;

/// No more are shown.
const HINTS_MAX: usize = 4;
/// How deep is looked.
const DEPTH_MAX: usize = 6;

/// JSON pointers to values that are so; those whose key has one of these words in it come first.
pub(super) fn pointers(json: &Value, words: &[&str], is_so: &dyn Fn(&Value) -> bool) -> Option<String> {
    let mut found = Vec::new();
    walk(json, "", 0, is_so, &mut found);
    found.sort_by_key(|pointer: &String| {
        let key = pointer.rsplit('/').next().unwrap_or_default().to_lowercase();
        (!words.iter().any(|word| key.contains(word)), pointer.matches('/').count())
    });
    found.truncate(HINTS_MAX);
    let shown = |pointer: &String| format!("{pointer:?} ({})", json.pointer(pointer).map(short).unwrap_or_default());
    (!found.is_empty()).then(|| format!("it may be at {}", found.iter().map(shown).collect::<Vec<_>>().join(", ")))
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
    fn what_is_called_so_is_guessed_first() {
        let answer = json!({ "ok": "yes", "data": { "job": { "state": "busy", "run_id": "7" } }, "a/b": "c" });
        let hint = pointers(&answer, &["id"], &|value| value.is_string()).unwrap();
        assert!(hint.starts_with("it may be at \"/data/job/run_id\" (\"7\"), "), "{hint}");
        assert!(hint.contains("\"/a~1b\""), "{hint}");
        assert_eq!(None, pointers(&json!(1), &["id"], &|value| value.is_string()));
    }
}
