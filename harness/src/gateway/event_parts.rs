//! Events with several log lines: each line is read as an event.

use serde_json::Value;

use super::{EventContent, Oversized, StreamEvent};

/// Maximum total size of the data around the lines of an event, bytes. This data is repeated for each line.
const SURROUNDINGS_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Beginning of an unread event that is kept.
const BEGINNING_CHARS_MAX: usize = 128;

/// The event, or one for each of its lines, in order: in each the array at `pointer` has one element. Only the last
/// keeps the id, since a client that returns with it has had all lines. An empty pointer: an event is a line.
pub(super) fn parts(pointer: &str, event: StreamEvent) -> Vec<StreamEvent> {
    let content = &event.content;
    let lines = if pointer.is_empty() { None } else { lines_in(&content.data, pointer) };
    let Some((mut json, lines)) = lines else { return vec![event] };
    let (id, name) = (&content.id, &content.name);
    let of = |id, data| EventContent { id, name: name.clone(), data, ..EventContent::default() };
    let last = lines.len() - 1;
    if json.to_string().len().saturating_mul(lines.len()) > SURROUNDINGS_BYTES_MAX {
        let beginning = content.data.chars().take(BEGINNING_CHARS_MAX).collect();
        let bytes = content.data.len() as u64;
        let oversized = Some(Oversized { bytes, id: id.clone(), name: name.clone(), beginning });
        return vec![StreamEvent { content: of(id.clone(), String::new()).into(), oversized, ..event }];
    }
    let part = |(n, line): (usize, Value)| {
        if let Some(place) = json.pointer_mut(pointer) {
            *place = Value::Array(vec![line]);
        }
        let id = id.as_ref().map(|id| if n == last { id.clone() } else { format!("{id}#{n}") });
        StreamEvent { content: of(id, json.to_string()).into(), oversized: None, ..event }
    };
    lines.into_iter().enumerate().map(part).collect()
}

/// An event's data without its lines, and the lines, if it has several.
fn lines_in(data: &str, pointer: &str) -> Option<(Value, Vec<Value>)> {
    let mut json: Value = serde_json::from_str(data).ok()?;
    let lines = json.pointer_mut(pointer)?.as_array_mut().filter(|lines| lines.len() > 1).map(std::mem::take)?;
    Some((json, lines))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parted(pointer: &str, data: &str) -> Vec<(Option<String>, String)> {
        let (id, name) = (Some("7".to_owned()), "lines".to_owned());
        let event = StreamEvent::at(
            crate::clock::now(),
            EventContent { id, name, data: data.to_owned(), ..EventContent::default() },
        );
        parts(pointer, event).into_iter().map(|part| (part.content.id.clone(), part.content.data.clone())).collect()
    }

    #[test]
    fn each_line_is_an_event_and_the_last_has_the_id() {
        let data = r#"{"lines":[{"text":"a"},{"text":"b"}],"run_id":"3"}"#;
        let part =
            |id: &str, line: &str| (Some(id.to_owned()), format!(r#"{{"lines":[{{"text":"{line}"}}],"run_id":"3"}}"#));
        assert_eq!(vec![part("7#0", "a"), part("7", "b")], parted("/lines", data));
    }

    #[test]
    fn an_event_whose_surroundings_would_be_repeated_too_often_is_skipped_as_one_that_is_too_large() {
        let data =
            |lines: usize| format!(r#"{{"lines":[0{}],"pad":"{}"}}"#, ",0".repeat(lines - 1), "x".repeat(10_000));
        assert_eq!(1_000, parted("/lines", &data(1_000)).len());
        let (id, name) = (Some("7".to_owned()), "lines".to_owned());
        let event = StreamEvent::at(
            crate::clock::now(),
            EventContent { id, name, data: data(10_000), ..EventContent::default() },
        );
        let [skipped] = &parts("/lines", event)[..] else { panic!("it is one") };
        let (bytes, beginning) =
            skipped.oversized.as_ref().map(|it| (it.bytes, it.beginning.as_str())).expect("it is skipped");
        assert!(bytes > 30_000 && beginning.starts_with(r#"{"lines":[0,0"#), "{bytes} {beginning}");
        assert_eq!((Some("7"), ""), (skipped.content.id.as_deref(), skipped.content.data.as_str()));
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
