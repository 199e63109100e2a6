//! Answers whose status says yes and whose body says no: `200 {"error": "no worker"}`.
//!
//! An answer with the data that S2 needs is no denial, whatever else it says: the record of a failed run has an
//! `error`, too.

use serde_json::Value;

use super::dialect::Dialect;
use crate::catalog::CallName;

/// Members for errors, unless they are empty.
const ERRORS: [&str; 2] = ["error", "errors"];
/// Members that tell success.
const SUCCESSES: [&str; 2] = ["success", "ok"];

/// Whether the body of an answer whose status means yes denies the call.
pub(super) fn is_denial(dialect: &Dialect, call: CallName, body: &[u8]) -> bool {
    if matches!(call, CallName::Ready | CallName::Metrics) {
        return false;
    }
    let Ok(json @ Value::Object(_)) = serde_json::from_slice::<Value>(body) else { return false };
    let says = |value: bool| SUCCESSES.iter().any(|member| json.get(member) == Some(&Value::Bool(value)));
    let has_error = ERRORS.iter().any(|member| json.get(member).is_some_and(|value| !is_empty(value)));
    (has_error && !says(true) || says(false)) && !has_what_is_needed(dialect, call, &json)
}

/// Whether the answer has the value that S2 needs. The answer to the start of a run may be the run.
fn has_what_is_needed(dialect: &Dialect, call: CallName, json: &Value) -> bool {
    let found = |call: CallName, pointer| {
        dialect.call(call).and_then(|spec| spec.find(pointer, json)).filter(|value| !is_empty(value))
    };
    match call {
        CallName::Health => found(call, "time").is_some(),
        CallName::CreateRun => found(call, "id").is_some(),
        CallName::Search => found(call, "hits").is_some_and(Value::is_array),
        CallName::Run => found(call, "status").is_some(),
        CallName::StartRun => {
            found(CallName::Run, "status").and_then(Value::as_str).is_some_and(|word| dialect.states.contains_key(word))
        }
        _ => false,
    }
}

/// Whether a value says nothing: `null`, `false`, `0`, an empty text, or nothing but these.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(is) => !is,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.iter().all(is_empty),
        Value::Object(fields) => fields.values().all(is_empty),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::built_in_dialect;

    #[test]
    fn a_body_that_says_no_is_a_denial_unless_what_is_needed_is_there() {
        use CallName as C;
        for (call, body, is) in [
            (C::CreateRun, r#"{"error":"no worker"}"#, true),
            (C::CreateRun, r#"{"error":{"code":"E7"}}"#, true),
            (C::CreateRun, r#"{"errors":[{"message":"no worker"}]}"#, true),
            (C::CreateRun, r#"{"success":false,"message":"no worker"}"#, true),
            (C::CreateRun, r#"{"error":"a warning","run":{"id":"3f2a"}}"#, false),
            (C::CreateRun, r#"{"success":true}"#, false),
            (C::CreateRun, r#"{"error":null,"errors":[],"queued":true}"#, false),
            (C::CreateRun, r#"{"error":{"code":0,"message":""}}"#, false),
            (C::CreateRun, r#"{"error":"deprecated","ok":true}"#, false),
            (C::CreateRun, "<html>error</html>", false),
            (C::CreateRun, r#"["error"]"#, false),
            (C::CreateRun, "", false),
            (C::StartRun, r#"{"error":"no worker"}"#, true),
            (C::StartRun, r#"{"ok":false}"#, true),
            (C::StartRun, r#"{"id":"3f2a","status":"failed","error":"no worker"}"#, false),
            (C::StartRun, r#"{"status":"error","error":"no worker"}"#, false),
            (C::StartRun, r#"{"status":"rejected","error":"no worker"}"#, true),
            (C::Run, r#"{"status":"failed","error":"the agent gave up"}"#, false),
            (C::Run, r#"{"error":"no store"}"#, true),
            (C::Search, r#"{"agents":[],"error":"partial"}"#, true),
            (C::Search, r#"{"agents":[{"slug":"a"}],"error":"partial"}"#, false),
            (C::Search, r#"{"error":"no index"}"#, true),
            (C::Publish, r#"{"error":"no registry"}"#, true),
            (C::TogglePrivacy, r#"{"success":false}"#, true),
            (C::GatewayRestart, r#"{"error":"not allowed"}"#, true),
            (C::SafetyCheck, r#"{"ok":false}"#, true),
            (C::Health, r#"{"ok":false,"time":"2026-11-29T03:00:00Z"}"#, false),
            (C::Ready, r#"{"ok":false}"#, false),
        ] {
            assert_eq!(is, is_denial(&built_in_dialect(), call, body.as_bytes()), "{call} {body}");
        }
    }
}
