//! The headers of a request, as a dialect has them, and of an answer.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde_json::json;

use super::{
    ClientError, Secret,
    dialect::{Dialect, Template},
};
use crate::catalog::CallName;

/// The headers of a request: those of every call, and over them its own. A header for a missing token is left out.
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

/// None where it needs a token and there is none, or where it cannot be a header.
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

/// An error if the token cannot be sent as a header.
pub(super) fn check(dialect: &Dialect, token: Option<&Secret>) -> Result<(), ClientError> {
    let of_calls = CallName::ALL.iter().filter_map(|call| dialect.call(*call)).flat_map(|spec| &spec.headers);
    let mut all = dialect.headers.iter().chain(of_calls);
    let lost = all.any(|(_, template)| token.is_some() && value(template, "w", token).is_none());
    if lost { Err(ClientError::Token) } else { Ok(()) }
}

/// The header `location` of an answer, with a mark for each byte that is not UTF-8.
pub(super) fn location(headers: &HeaderMap) -> Option<String> {
    headers.get(header::LOCATION).map(|location| String::from_utf8_lossy(location.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        task::JoinSet,
    };

    use super::super::{Client, GatewayAccess, Secret, Streams, Token};
    use crate::catalog::CallName;

    const TOKEN: &str = "sesame/4711";
    const DIALECT: &str = r#"
        extends = "4runr"
        [headers]
        authorization = ""
        X-API-Key = "{token}"
        [calls.get_agent.headers]
        X-Asks = "an agent of {workspace}"
        [calls.logs_stream.headers]
        X-Asks = "a stream of {workspace}"
        X-Again = "key={token}"
    "#;

    /// Answers each request with its own head; what the heads were.
    async fn echo(listener: TcpListener) -> Vec<String> {
        let mut heads = Vec::new();
        for _ in 0..2 {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(socket.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap();
            let length = head.len();
            let answer = format!("HTTP/1.1 401 No\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{head}");
            socket.write_all(answer.as_bytes()).await.unwrap();
            heads.push(head.to_lowercase());
        }
        heads
    }

    #[tokio::test]
    async fn a_token_under_another_header_and_a_calls_own_headers_are_sent_by_requests_and_streams_and_never_told() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("keys.toml"), DIALECT).unwrap();
        let dialect = crate::settings::load_dialect("keys.toml", folder.path()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let access = GatewayAccess {
            token: Some(Token::fixed(Secret::new(TOKEN))),
            dialect: Arc::new(dialect),
            ..GatewayAccess::of_test(format!("http://{}", listener.local_addr().unwrap()))
        };
        let mut listening = JoinSet::new();
        listening.spawn(echo(listener));
        let (client, streams) = (Client::new(&access).unwrap(), Streams::new(&access).unwrap());
        let answer = client.agent("enricher").await.unwrap();
        let path = client.stream_path(CallName::LogsStream, None);
        let refusal = streams.open(CallName::LogsStream, &path, "s2-soak", None).await.unwrap_err();

        let heads = listening.join_next().await.unwrap().unwrap();
        for (head, own) in [
            (&heads[0], "\r\nx-asks: an agent of s2-soak\r\n"),
            (&heads[1], "\r\nx-asks: a stream of s2-soak\r\n"),
            (&heads[1], "\r\nx-again: key=sesame/4711\r\n"),
        ] {
            assert!(head.contains(own), "{own} in {head}");
            assert!(head.contains("\r\nx-api-key: sesame/4711\r\n"), "{head}");
            assert!(head.contains("\r\nx-workspace-id: s2-soak\r\n"), "{head}");
            assert!(!head.contains("authorization"), "{head}");
        }
        assert!(!heads[0].contains("x-again"), "{}", heads[0]);
        // It sent back what it was sent. Neither what is recorded of that nor anything that shows the client has it.
        let recorded = access.token.as_ref().unwrap().hide(answer.text());
        assert!(answer.text().contains(TOKEN) && recorded.to_lowercase().contains("x-api-key: ***"), "{recorded}");
        let told = format!("{recorded} {client:?} {streams:?} {access:?}");
        assert!(!told.contains(TOKEN), "{told}");
        assert!(refusal.answer.contains("401"), "{}", refusal.answer);
    }

    #[test]
    fn a_token_that_a_calls_own_header_cannot_carry_is_said_before_anything_is_sent() {
        let mut dialect = crate::settings::built_in_dialect();
        dialect.headers.clear();
        let with = |token| super::check(&dialect, Some(&Secret::new(token)));
        with("a\nb").unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("keys.toml"), DIALECT.replace("X-API-Key = \"{token}\"", "")).unwrap();
        let dialect = crate::settings::load_dialect("keys.toml", folder.path()).unwrap();
        let error = super::check(&dialect, Some(&Secret::new("a\nb"))).unwrap_err();
        assert!(!error.to_string().contains("a\nb") && error.to_string().contains("S2_TOKEN"), "{error}");
    }
}
