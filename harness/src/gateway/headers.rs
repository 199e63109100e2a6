//! The headers of a request, as a dialect has them.

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;

use super::{ClientError, Secret, dialect::Template};

/// The headers of one request: those of every call, and its own over them. One that carries the token is sent only where
/// there is one, and is kept out of what is logged of requests.
pub(super) fn of(
    of_all: &[(HeaderName, Template)],
    own: &[(HeaderName, Template)],
    workspace: &str,
    token: Option<&Secret>,
) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, template) in of_all.iter().chain(own) {
        if let Some(value) = value(template, workspace, token) {
            headers.insert(name.clone(), value);
        }
    }
    headers
}

/// None where it needs a token that is not there, or is no header.
fn value(template: &Template, workspace: &str, token: Option<&Secret>) -> Option<HeaderValue> {
    let is_secret = template.places().any(|place| place == "token");
    if is_secret && token.is_none() {
        return None;
    }
    let fill = [("workspace", json!(workspace)), ("token", json!(token.map(Secret::expose).unwrap_or_default()))];
    let mut value = HeaderValue::from_str(&template.fill(&fill, str::to_owned)).ok()?;
    value.set_sensitive(is_secret);
    Some(value)
}

/// Whether the token can be sent.
///
/// # Errors
/// Where it is no header.
pub(super) fn check(of_all: &[(HeaderName, Template)], token: Option<&Secret>) -> Result<(), ClientError> {
    let lost = of_all.iter().any(|(_, template)| token.is_some() && value(template, "w", token).is_none());
    if lost { Err(ClientError::Token) } else { Ok(()) }
}
