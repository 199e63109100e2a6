//! The memory of a JSON text after parsing, estimated before: a text of nothing but `{"":0}` takes a hundred times its
//! size, and may have been a few kilobytes compressed.

/// Room for the fields of an object: eleven, however many it has.
const OBJECT_BYTES: usize = 640;
/// Room for the first four items of a list.
const LIST_BYTES: usize = 128;
/// A value, in a list that grows by doubling: the old and the new room are three times its content for a moment.
const VALUE_BYTES: usize = 96;

/// Maximum memory of a body as parsed JSON; 0 where it does not begin as an object or a list.
pub(super) fn of(body: &[u8]) -> usize {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    if !matches!(first, Some(b'{' | b'[')) {
        return 0;
    }
    let (mut cost, mut is_text, mut is_escaped) = (body.len(), false, false);
    for byte in body {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            _ if is_text => {}
            b'{' => cost = cost.saturating_add(OBJECT_BYTES),
            b'[' => cost = cost.saturating_add(LIST_BYTES),
            b',' => cost = cost.saturating_add(VALUE_BYTES),
            _ => {}
        }
    }
    cost
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::of;
    use crate::fuzzing::within;

    #[test]
    fn no_text_takes_more_than_is_judged() {
        for item in [r#"{"":0}"#, "[]", "[0]", "0", r#""""#, r#"{"a":{"b":[1,2,3]}}"#, r#"{"a,{[":"\",{[","b":1}"#] {
            let text = format!("[{}]", vec![item; 20_000].join(","));
            let parsed = within(of(text.as_bytes()), || serde_json::from_str::<Value>(&text).unwrap().is_array());
            assert!(parsed.unwrap(), "{item}");
        }
    }

    #[test]
    fn a_record_of_log_lines_takes_less_than_sixteen_times_its_size() {
        let line = r#"{"level":"info","message":"step 7 of 12: asked the registry, found three agents"}"#;
        let text = format!(r#"{{"status":"completed","logs":[{}]}}"#, vec![line; 10_000].join(","));
        assert!(of(text.as_bytes()) < 16 * text.len());
        assert_eq!(0, of(b"# HELP {,,,,"));
        assert_eq!(0, of(b""));
    }
}
