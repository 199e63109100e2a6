//! Codes in the bodies of answers, for gateways that answer 200 to everything.

use std::collections::BTreeMap;

use serde_json::Value;

/// The place of a code in an answer, and the status that each code stands for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Codes {
    /// The pointer to the code; empty where there are no codes.
    pub(crate) code: String,
    pub(crate) statuses: BTreeMap<String, u16>,
}

/// The meaning of the code in an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodeSays {
    /// The status of the answer is right.
    Nothing,
    /// The code stands for this status.
    Status {
        /// The status that the code stands for.
        status: u16,
        /// The code.
        code: String,
    },
    /// The call was not done: a code that stands for no status.
    No,
}

impl Codes {
    /// Reads the code in a body and returns its meaning.
    pub(crate) fn read(&self, body: &[u8]) -> CodeSays {
        if self.code.is_empty() {
            return CodeSays::Nothing;
        }
        let Ok(json) = serde_json::from_slice::<Value>(body) else { return CodeSays::Nothing };
        let code = match json.pointer(&self.code) {
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::String(text)) => text.clone(),
            _ => return CodeSays::Nothing,
        };
        match self.statuses.get(&code) {
            // The status itself is more exact: created, accepted.
            Some(200) => CodeSays::Nothing,
            Some(status) => CodeSays::Status { status: *status, code },
            None if ["", "0"].contains(&code.as_str()) => CodeSays::Nothing,
            None => CodeSays::No,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_stands_for_a_status_and_one_that_stands_for_none_means_no() {
        let statuses =
            [("OK", 200), ("42203", 403), ("NOT_FOUND", 404)].map(|(code, status)| (code.to_owned(), status));
        let codes = Codes { code: "/code".into(), statuses: statuses.into() };
        let status = |status, code: &str| CodeSays::Status { status, code: code.into() };
        for (body, says) in [
            (r#"{"code":42203}"#, status(403, "42203")),
            (r#"{"code":"42203"}"#, status(403, "42203")),
            (r#"{"code":"NOT_FOUND"}"#, status(404, "NOT_FOUND")),
            (r#"{"code":"OK"}"#, CodeSays::Nothing),
            (r#"{"code":0}"#, CodeSays::Nothing),
            (r#"{"code":null}"#, CodeSays::Nothing),
            (r#"{"data":1}"#, CodeSays::Nothing),
            (r#"{"code":50001}"#, CodeSays::No),
            ("up 1", CodeSays::Nothing),
        ] {
            assert_eq!(says, codes.read(body.as_bytes()), "{body}");
        }
        assert_eq!(CodeSays::Nothing, Codes::default().read(br#"{"code":42203}"#));
    }
}
