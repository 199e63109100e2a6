//! Codes in answers: a gateway that always answers 200 refuses by a code, and the dialect must name its place.

use serde_json::Value;

use super::checks::Check;
use crate::gateway::Answer;

/// Usual names of codes.
const CODES: [&str; 8] = ["code", "errorCode", "error_code", "errcode", "errno", "ret", "retCode", "statusCode"];

impl Check<'_> {
    /// Records as wrong a code that may be a refusal unknown to the dialect. `harmless` is an answer that refuses
    /// nothing.
    pub(super) fn is_refused_by_a_code(&mut self, what: &str, (answer, harmless): (&Answer, Option<&Answer>)) -> bool {
        let known = self.dialect().codes.code.clone();
        let Some((pointer, code)) = refusing_code(answer, harmless, &known) else { return false };
        if !known.is_empty() && self.dialect().codes.statuses.contains_key(&code) {
            return false;
        }
        let name = Value::from(code.as_str());
        let hint = format!("if that refuses it: [answers] code = {pointer:?}, and [answers.statuses] {name} = 403");
        let what = format!("{what} was answered {}, with {code} at {pointer:?}", answer.status);
        self.wrong(what, &["answers.code", "answers.statuses"], Some(hint));
        true
    }
}

/// The code that may be a refusal: of an answer whose status means yes, and other than the code of a harmless request.
fn refusing_code(answer: &Answer, harmless: Option<&Answer>, known: &str) -> Option<(String, String)> {
    if !(200..300).contains(&answer.sent_status()) {
        return None;
    }
    let found = code_in(answer, known)?;
    let usual = harmless.and_then(|harmless| code_in(harmless, &found.0));
    (usual.as_ref() != Some(&found)).then_some(found)
}

/// The code of an answer, if it does not mean success: at the dialect's place, or under a usual name.
fn code_in(answer: &Answer, known: &str) -> Option<(String, String)> {
    let json = answer.json()?;
    let usual = CODES.iter().map(|name| format!("/{name}"));
    let pointers: Vec<String> = if known.is_empty() { usual.collect() } else { vec![known.to_owned()] };
    pointers.into_iter().find_map(|pointer| {
        let code = match json.pointer(&pointer)? {
            Value::Number(number) if number.as_u64().is_none_or(|n| n != 0 && !(200..300).contains(&n)) => {
                number.to_string()
            }
            Value::String(text) if !["", "0", "ok", "success"].contains(&text.to_lowercase().as_str()) => text.clone(),
            _ => return None,
        };
        Some((pointer, code))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_refuses_where_the_status_does_not_and_other_requests_do_not_have_it() {
        let answer = |status, code: &str| Answer::new(status, format!(r#"{{"code":"{code}"}}"#));
        let refuses = |answer: &Answer, harmless: Option<&Answer>| refusing_code(answer, harmless, "").is_some();
        assert!(refuses(&answer(200, "POLICY"), Some(&answer(200, "CREATED"))));
        assert!(refuses(&answer(200, "POLICY"), None));
        // It was accepted like any other.
        assert!(!refuses(&answer(201, "CREATED"), Some(&answer(201, "CREATED"))));
        // The status says it already.
        assert!(!refuses(&answer(422, "POLICY"), None) && !refuses(&answer(429, "SLOW_DOWN"), None));
        let by_code = Answer { code: Some(("POLICY".into(), 200)), ..answer(403, "POLICY") };
        assert!(
            refuses(&by_code, None),
            "the dialect has given it a status, which may be another than those that refuse"
        );
    }

    #[test]
    fn a_code_is_one_that_is_not_of_success() {
        let found =
            |body: &str| code_in(&Answer::new(200, body.to_owned()), "").map(|(pointer, code)| pointer + " " + &code);
        assert_eq!(Some("/code 42203"), found(r#"{"code":42203,"data":null}"#).as_deref());
        assert_eq!(Some("/errorCode POLICY"), found(r#"{"errorCode":"POLICY"}"#).as_deref());
        for fine in [r#"{"code":0}"#, r#"{"code":200}"#, r#"{"code":"OK"}"#, r#"{"code":null}"#, "[]", "up"] {
            assert_eq!(None, found(fine), "{fine}");
        }
        let answer = Answer::new(200, r#"{"meta":{"rc":7},"code":0}"#.to_owned());
        assert_eq!(Some(("/meta/rc".to_owned(), "7".to_owned())), code_in(&answer, "/meta/rc"));
    }
}
