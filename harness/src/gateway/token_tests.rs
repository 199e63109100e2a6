//! Tokens that expire: what is refused with 401 is sent once more with the token that the source has by then.

use std::{path::PathBuf, time::Duration};

use wiremock::{Mock, MockServer, ResponseTemplate, matchers};

use super::{Client, GatewayAccess, Streams, Token, TokenSource};
use crate::catalog::CallName;

/// A gateway that is opened by `second`, and refuses every other token; and who has the token `first`, from a file.
async fn expired(folder: &tempfile::TempDir) -> (MockServer, GatewayAccess, PathBuf) {
    let gateway = MockServer::start().await;
    let stream = ResponseTemplate::new(200).set_body_raw("data: {}\n\n", "text/event-stream");
    let opened = Mock::given(matchers::header("authorization", "Bearer second")).respond_with(stream);
    opened.mount(&gateway).await;
    Mock::given(matchers::any()).respond_with(ResponseTemplate::new(401)).with_priority(9).mount(&gateway).await;
    let path = folder.path().join("token");
    std::fs::write(&path, "first\n").unwrap();
    let token = Token::open(TokenSource::File(path.clone())).await.unwrap();
    let access = GatewayAccess { token: Some(token), ..GatewayAccess::of_test(gateway.uri()) };
    (gateway, access, path)
}

async fn authorizations(gateway: &MockServer) -> Vec<String> {
    let requests = gateway.received_requests().await.unwrap();
    requests.iter().map(|request| request.headers["authorization"].to_str().unwrap().to_owned()).collect()
}

/// Longer than a file is left alone after it was read.
async fn a_moment_later() {
    tokio::time::sleep(Duration::from_millis(300)).await;
}

#[tokio::test]
async fn a_refused_request_is_sent_once_more_with_the_token_of_now() {
    let folder = tempfile::tempdir().unwrap();
    let (gateway, access, path) = expired(&folder).await;
    let client = Client::new(&access).unwrap();
    std::fs::write(&path, "second\n").unwrap();
    a_moment_later().await;
    let statuses = [client.agent("a").await.unwrap().status, client.ready().await.unwrap().status];
    assert_eq!([200, 200], statuses);
    assert_eq!(["Bearer first", "Bearer second", "Bearer second"], authorizations(&gateway).await[..]);
}

#[tokio::test]
async fn a_refused_stream_is_opened_once_more_with_the_token_of_now() {
    let folder = tempfile::tempdir().unwrap();
    let (gateway, access, path) = expired(&folder).await;
    let streams = Streams::new(&access).unwrap();
    std::fs::write(&path, "second\n").unwrap();
    a_moment_later().await;
    for _ in 0..2 {
        streams.open(CallName::LogsStream, "/stream", "s2-soak", None).await.unwrap();
    }
    assert_eq!(["Bearer first", "Bearer second", "Bearer second"], authorizations(&gateway).await[..]);
}

#[tokio::test]
async fn what_no_other_token_opens_is_refused_once() {
    let folder = tempfile::tempdir().unwrap();
    let (gateway, access, _) = expired(&folder).await;
    a_moment_later().await;
    assert_eq!(401, Client::new(&access).unwrap().agent("a").await.unwrap().status);
    let streams = Streams::new(&access).unwrap();
    let refusal = streams.open(CallName::LogsStream, "/stream", "s2-soak", None).await.unwrap_err();
    assert_eq!(Some(401), refusal.status);
    assert_eq!(["Bearer first"; 2], authorizations(&gateway).await[..]);
}
