//! Events that carry several log lines: each line is read as an event of its own.

use serde_json::Value;

use super::StreamEvent;

/// The event, or one for each line that it carries, in order: in each the array at `pointer` has one element. Only the last
/// keeps the id, since whoever comes back with it has had them all. An empty pointer: an event is a line.
pub(super) fn parts(pointer: &str, event: StreamEvent) -> Vec<StreamEvent> {
    let lines = if pointer.is_empty() { None } else { lines_in(&event.data, pointer) };
    let Some((mut json, lines)) = lines else { return vec![event] };
    let last = lines.len() - 1;
    let part = |(n, line): (usize, Value)| {
        if let Some(place) = json.pointer_mut(pointer) {
            *place = Value::Array(vec![line]);
        }
        let id = event.id.as_ref().map(|id| if n == last { id.clone() } else { format!("{id}#{n}") });
        StreamEvent { id, data: json.to_string(), ..event.clone() }
    };
    lines.into_iter().enumerate().map(part).collect()
}

/// An event's data, and the lines that were in it, where it has more than one.
fn lines_in(data: &str, pointer: &str) -> Option<(Value, Vec<Value>)> {
    let mut json: Value = serde_json::from_str(data).ok()?;
    let lines = json.pointer_mut(pointer)?.as_array_mut().filter(|lines| lines.len() > 1).map(std::mem::take)?;
    Some((json, lines))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parted(pointer: &str, data: &str) -> Vec<(Option<String>, String)> {
        let event = StreamEvent {
            id: Some("7".into()),
            name: "lines".into(),
            data: data.to_owned(),
            oversized: None,
            arrived: crate::clock::now(),
            connection: 0,
        };
        parts(pointer, event).into_iter().map(|part| (part.id, part.data)).collect()
    }

    #[test]
    fn each_line_is_an_event_and_the_last_has_the_id() {
        let data = r#"{"lines":[{"text":"a"},{"text":"b"}],"run_id":"3"}"#;
        let part =
            |id: &str, line: &str| (Some(id.to_owned()), format!(r#"{{"lines":[{{"text":"{line}"}}],"run_id":"3"}}"#));
        assert_eq!(vec![part("7#0", "a"), part("7", "b")], parted("/lines", data));
    }

    #[test]
    fn what_carries_one_line_or_none_stays_as_it_is() {
        for data in [r#"{"lines":[{"text": "a"}]}"#, r#"{"lines":[]}"#, r#"{"lines":"a"}"#, "[]", "no JSON", ""] {
            assert_eq!(vec![(Some("7".to_owned()), data.to_owned())], parted("/lines", data));
        }
        let data = r#"{"lines": [1, 2]}"#;
        assert_eq!(vec![(Some("7".to_owned()), data.to_owned())], parted("", data), "no dialect says so");
    }
}
