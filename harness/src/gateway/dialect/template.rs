//! Text and JSON with places for values, as a dialect has them.

use std::fmt;

use serde_json::Value;

/// Values for the places of a template: text, or a number or truth value where JSON has one of these.
pub type Fill<'a> = [(&'a str, Value)];

/// Whether a path is a whole URL: a call may be on another port than the gateway.
pub fn is_absolute(path: &str) -> bool {
    path.starts_with("http://") || path.starts_with("https://")
}

/// A text with places: `/api/runs/{id}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<TemplatePart>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum TemplatePart {
    Text(String),
    Place(String),
}

impl Template {
    /// Reads a text. Braces around anything but lower-case words are text.
    pub(crate) fn read(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, word, after)) = next_place(rest) {
            if !before.is_empty() {
                parts.push(TemplatePart::Text(before.to_owned()));
            }
            parts.push(TemplatePart::Place(word.to_owned()));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(TemplatePart::Text(rest.to_owned()));
        }
        Self(parts)
    }

    pub(crate) fn places(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            TemplatePart::Place(word) => Some(word.as_str()),
            TemplatePart::Text(_) => None,
        })
    }

    /// Whether two places have nothing but digits between them: numbers in them would run together.
    pub(crate) fn has_adjacent_places(&self) -> bool {
        let mut after_place = false;
        for part in &self.0 {
            match part {
                TemplatePart::Place(_) if after_place => return true,
                TemplatePart::Place(_) => after_place = true,
                TemplatePart::Text(text) => after_place &= text.bytes().all(|b| b.is_ascii_digit()),
            }
        }
        false
    }

    /// The text with its places filled; each value goes through `write`. A place without a value stays empty.
    pub(crate) fn fill(&self, fill: &Fill<'_>, write: fn(&str) -> String) -> String {
        let part = |part: &TemplatePart| match part {
            TemplatePart::Text(text) => text.clone(),
            TemplatePart::Place(word) => write(&text_of(fill, word)),
        };
        self.0.iter().map(part).collect()
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            TemplatePart::Text(text) => f.write_str(text),
            TemplatePart::Place(word) => write!(f, "{{{word}}}"),
        })
    }
}

/// The text before the first place, the place's word, and the text after it.
fn next_place(text: &str) -> Option<(&str, &str, &str)> {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    text.match_indices('{').find_map(|(at, _)| {
        let (word, after) = text[at + 1..].split_once('}')?;
        is_word(word).then(|| (&text[..at], word, after))
    })
}

fn value_of<'a>(fill: &'a Fill<'_>, word: &str) -> Option<&'a Value> {
    fill.iter().find(|(place, _)| *place == word).map(|(_, value)| value)
}

fn text_of(fill: &Fill<'_>, word: &str) -> String {
    match value_of(fill, word) {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => String::new(),
    }
}

/// A body with its places filled. A string that is nothing but a place becomes the value, number or not.
pub fn fill_json(body: &Value, fill: &Fill<'_>) -> Value {
    match body {
        Value::String(text) => match next_place(text) {
            Some(("", word, "")) => value_of(fill, word).cloned().unwrap_or(Value::Null),
            _ => Value::String(Template::read(text).fill(fill, str::to_owned)),
        },
        Value::Array(items) => items.iter().map(|item| fill_json(item, fill)).collect(),
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), fill_json(value, fill))).collect(),
        other => other.clone(),
    }
}

/// The words of a body's places.
pub fn places_of_json(body: &Value) -> Vec<String> {
    match body {
        Value::String(text) => Template::read(text).places().map(str::to_owned).collect(),
        Value::Array(items) => items.iter().flat_map(places_of_json).collect(),
        Value::Object(fields) => fields.values().flat_map(places_of_json).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn places_are_words_in_braces_and_other_braces_are_text() {
        let template = Template::read("/a/{id}?x={Y}&y={}{ {text}");
        assert_eq!(vec!["id", "text"], template.places().collect::<Vec<_>>());
        let fill = [("id", json!("7")), ("text", json!("t"))];
        assert_eq!("/a/7?x={Y}&y={}{ t", template.fill(&fill, str::to_owned));
        assert_eq!("", Template::read("{id}").fill(&[], str::to_owned));
    }

    #[test]
    fn a_body_takes_numbers_and_truths_where_a_string_is_but_a_place_and_text_cannot_break_out_of_it() {
        let body = json!({ "n": "{delay_ms}", "t": "in {delay_ms} ms", "on": ["{store_plain}"], "m": "say {message}" });
        let fill = [("delay_ms", json!(150)), ("store_plain", json!(false)), ("message", json!("\"}, {id}"))];
        let expected = json!({ "n": 150, "t": "in 150 ms", "on": [false], "m": "say \"}, {id}" });
        assert_eq!(expected, fill_json(&body, &fill));
        let mut places = places_of_json(&body);
        places.sort();
        assert_eq!(["delay_ms", "delay_ms", "message", "store_plain"].map(str::to_owned).to_vec(), places);
    }
}
